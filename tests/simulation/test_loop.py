"""Virtual time and lanes: what the simulation rests on."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.simulation.loop import Lane, Stuck, VirtualLoop


def _loop(seed: int = 0) -> VirtualLoop:
    return VirtualLoop(Random(seed))  # type: ignore[abstract]


def test_waiting_takes_virtual_time_only() -> None:
    loop = _loop()

    async def main() -> float:
        began = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(500):
                await loop.create_future()
        return loop.time() - began

    assert loop.run(main()) == pytest.approx(500, abs=0.001)


def test_the_seed_says_which_lane_goes_first_and_a_lane_keeps_its_order() -> None:
    def order(seed: int) -> list[str]:
        loop, seen = _loop(seed), []

        async def note(name: str) -> None:
            seen.append(name)

        async def main() -> None:
            for name in ("a", "b", "c"):
                lane = loop.lane(name)
                for number in (1, 2):
                    loop.spawn(lane, note(f"{name}{number}"))
            await loop.pause(1)

        loop.run(main())
        return seen

    orders = {tuple(order(seed)) for seed in range(20)}
    assert order(3) == order(3)
    assert len(orders) > 3
    for each in orders:
        assert all(each.index(f"{name}1") < each.index(f"{name}2") for name in "abc")


def test_a_frozen_lane_goes_on_when_it_is_thawed() -> None:
    loop, seen = _loop(), []
    lane = loop.lane("frozen")

    async def tick() -> None:
        while True:
            seen.append(loop.time())
            await loop.pause(1)

    async def main() -> None:
        loop.spawn(lane, tick())
        await loop.pause(2.5)
        lane.frozen = True
        await loop.pause(10)
        lane.frozen = False
        await loop.pause(0.1)

    loop.run(main())
    assert [round(moment, 3) for moment in seen] == [0, 1, 2, 12.5]


def test_a_killed_lane_does_nothing_more_while_time_goes_on() -> None:
    loop, ended = _loop(), []

    async def work(lane: Lane) -> None:
        try:
            await loop.pause(2)
        finally:
            ended.append(lane.dead)

    async def main() -> None:
        for number in range(2):
            lane = loop.lane(f"p{number}")
            loop.spawn(lane, work(lane))
        await loop.pause(1)
        loop.kill(lane)
        await loop.pause(5)
        assert ended == [False]

    loop.run(main())


def test_what_spins_or_waits_for_ever_is_told() -> None:
    async def spin() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck, match="spins"):
        _loop().run(spin())
    with pytest.raises(Stuck, match="nothing is left"):
        _loop().run(wait())
