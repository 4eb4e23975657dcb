"""What a worker holds: never more than its slots, never forgotten, handed back when it stops."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from tickwright.dispatch.database import DatabaseDispatcher
from tickwright.engine.executor import Executor
from tickwright.engine.finisher import Finisher
from tickwright.engine.hooks import Hooks
from tickwright.engine.reporter import Reporter
from tickwright.engine.runner import Runner
from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.errors import StoreUnavailable
from tickwright.model.run import Claimed, Ending, Outcome, RunStatus, Succeeded
from tickwright.observe.base import Emitter
from tickwright.store.base import Offer
from tickwright.store.database import new_id
from tickwright.targets.base import Target
from tickwright.testing import FakeClock

from .fakes import FakeQueue, FakeReporting, FakeTarget, claimed
from .support import SECOND, START, within


class Bench:
    """A runner of three slots, with the queue and the target it works on."""

    def __init__(self, slots: int = 3) -> None:
        self.worker_id = new_id()
        self.queue, self.target, self.hooks = FakeQueue(), FakeTarget(), Hooks()
        self.clock = FakeClock(START)
        self.time = Timekeeper(self.clock, lambda: 0.0)
        emitter = Emitter()
        self.finisher = Finisher(self.queue, emitter, self.time, lambda _: None)
        self.targets: dict[str, Target] = {"fake": self.target}
        self.reports = FakeReporting()
        self.reporter = Reporter(self.reports, self.time)
        self.finisher.before = self.reporter.flush_of
        executor = Executor(self.targets, self.hooks, emitter, self.reporter, self.time)
        offer = Offer(self.worker_id, ("default",), (), slots)
        dispatcher = DatabaseDispatcher(self.queue.claim)
        self.runner = Runner(dispatcher, self.queue, executor, self.finisher, self.time, offer)
        self.runner.serve(self.worker_id, ())

    def ready(self, count: int = 1, **policy: Any) -> list[Claimed]:
        runs = [claimed(new_id(), **policy) for _ in range(count)]
        self.queue.ready += runs
        return runs

    def take(self, count: int = 1, **policy: Any) -> list[Claimed]:
        """Runs that were claimed for this worker just now."""
        runs = [claimed(self.worker_id, **policy) for _ in range(count)]
        self.queue.hold(*runs)
        self.runner.accept(runs)
        return runs

    async def endings(self) -> list[Ending]:
        await within(self.runner.idle())
        await self.finisher.flush()
        return self.queue.finished

    async def statuses(self) -> list[RunStatus]:
        return [ending.status for ending in await self.endings()]


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_never_more_runs_execute_at_once_than_there_are_slots(bench: Bench) -> None:
    bench.take(20)
    assert len(await bench.endings()) == 20
    assert bench.target.most_at_once == 3
    assert bench.runner.running == 0


async def test_it_claims_what_fits_and_nothing_when_nothing_fits(bench: Bench) -> None:
    bench.target.go.clear()
    bench.ready(5)
    await bench.runner.tick()
    assert (len(bench.queue.ready), bench.runner.running) == (2, 3)
    assert bench.runner.offer() is None
    await bench.runner.tick()
    assert len(bench.queue.ready) == 2
    bench.target.go.set()
    await bench.endings()
    await bench.runner.tick()
    assert len(await bench.endings()) == 5


async def test_while_runs_end_quickly_it_claims_ahead(bench: Bench) -> None:
    bench.ready(200)
    while bench.queue.ready:
        await bench.runner.tick()
        await bench.endings()
    assert len(bench.queue.finished) == 200
    assert bench.target.most_at_once == 3
    offer = bench.runner.offer()
    assert offer is not None
    assert offer.slots > 3


async def test_what_is_being_claimed_is_not_offered_once_more(bench: Bench) -> None:
    offer = bench.runner.offer(2)
    assert offer is not None
    assert offer.slots == 2
    with bench.runner.claiming(offer):
        left = bench.runner.offer(2)
        assert left is not None
        assert left.slots == 1
        with bench.runner.claiming(left):
            assert bench.runner.offer() is None
    assert (again := bench.runner.offer()) is not None
    assert again.slots == 3


async def test_in_a_herd_it_takes_more_than_its_slots_while_nothing_waits_for_one(
    bench: Bench,
) -> None:
    assert (offer := bench.runner.offer(10)) is not None
    assert offer.slots == 3
    assert (offer := bench.runner.offer(10, herd=True)) is not None
    assert offer.slots == 10


async def test_in_a_herd_of_slow_work_it_takes_no_more_than_its_slots(bench: Bench) -> None:
    bench.target.go.clear()
    bench.take(3)
    assert bench.runner.offer(10, herd=True) is None
    bench.target.go.set()
    await bench.endings()


async def test_whoever_was_refused_because_of_a_claim_is_answered_when_it_is_over(
    bench: Bench,
) -> None:
    woken: list[None] = []
    bench.runner.wake = lambda: woken.append(None)
    with bench.runner.claiming(bench.runner.offer()):
        await bench.runner.tick()
        assert not woken
    assert woken


async def test_others_get_their_turn_while_many_runs_begin() -> None:
    bench = Bench(slots=1000)
    bench.take(1000)
    seen: list[int] = []
    while bench.runner.running:
        seen.append(len(bench.target.delivered))
        await asyncio.sleep(0)
    assert len(bench.target.delivered) == 1000
    assert max(after - before for before, after in pairwise(seen)) <= 200


async def test_a_run_cancelled_before_its_first_step_ends_cancelled_without_any_work(
    bench: Bench,
) -> None:
    [run] = bench.take()
    bench.runner.cancel([run.id])
    [ending] = await bench.endings()
    assert (ending.status, bench.target.delivered) == (RunStatus.CANCELLED, [])
    assert bench.runner.running == 0


async def test_a_run_given_up_before_its_first_step_is_gone_without_any_work(bench: Bench) -> None:
    bench.take(5)
    bench.runner.give_up()
    assert await bench.endings() == []
    assert (bench.runner.running, bench.target.delivered) == (0, [])


async def test_what_was_given_up_is_not_finished_and_nothing_is_claimed_until_it_serves_again(
    bench: Bench,
) -> None:
    bench.target.go.clear()
    bench.take(5)
    await within(bench.target.begun.wait())
    bench.runner.give_up()
    assert await bench.endings() == []
    bench.ready()
    await bench.runner.tick()
    assert bench.runner.offer() is None
    bench.target.go.set()
    bench.runner.serve(new_id(), ())
    await bench.runner.tick()
    assert await bench.statuses() == [RunStatus.SUCCEEDED]


async def test_runs_claimed_for_a_former_worker_come_too_late(bench: Bench) -> None:
    late = [claimed(new_id())]
    bench.runner.accept(late)
    assert bench.runner.running == 0


async def test_work_that_goes_on_after_it_was_given_up_does_not_blur_its_next_attempt(
    bench: Bench,
) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    waiting = iter(gates)

    class Deaf(FakeTarget):
        """Work that hears no cancellation and ends when it likes."""

        async def deliver(self, run: Claimed) -> Outcome:
            gate = next(waiting)
            self.delivered.append(run)
            while not gate.is_set():
                with suppress(asyncio.CancelledError):
                    await gate.wait()
            return Succeeded()

    bench.target = Deaf()
    bench.targets["fake"] = bench.target
    [run] = bench.take()
    await asyncio.sleep(0)
    [old] = bench.runner.give_up()
    again = replace(run, lease_token=2, worker_id=new_id())
    assert again.worker_id is not None
    bench.runner.serve(again.worker_id, ())
    bench.runner.accept([again])
    await asyncio.sleep(0)
    assert bench.target.delivered == [run, again]
    gates[0].set()
    await within(old)
    assert bench.runner.running == 1
    gates[1].set()
    await within(bench.runner.idle())
    assert bench.finisher.unwritten == [run, again]


async def test_only_the_runs_that_were_asked_to_are_cancelled(bench: Bench) -> None:
    bench.target.go.clear()
    runs = bench.take(3)
    await asyncio.sleep(0)
    bench.runner.cancel([runs[1].id, new_id()])
    bench.runner.cancel([runs[1].id])
    bench.target.go.set()
    endings = {ending.run.id: ending.status for ending in await bench.endings()}
    assert [endings[run.id] for run in runs] == [
        RunStatus.SUCCEEDED,
        RunStatus.CANCELLED,
        RunStatus.SUCCEEDED,
    ]


async def test_work_that_does_not_heed_a_cancellation_ends_as_it_says(bench: Bench) -> None:
    bench.target.go.clear()
    bench.target.stubborn = True
    [run] = bench.take()
    await within(bench.target.begun.wait())
    bench.runner.cancel([run.id])
    assert await bench.statuses() == [RunStatus.SUCCEEDED]


async def test_the_timeout_counts_for_the_work_and_not_for_what_waits(bench: Bench) -> None:
    bench.target.go.clear()
    bench.take(4, timeout=timedelta(milliseconds=20), max_attempts=1)
    endings = await bench.endings()
    assert [ending.error for ending in endings] == ["timed out after 0.02 s"] * 4
    assert len(bench.target.delivered) == 4


async def test_starts_are_recorded_once_the_runs_have_lasted_a_moment(bench: Bench) -> None:
    bench.target.go.clear()
    runs = bench.take(2)
    await within(bench.target.begun.wait())
    await asyncio.sleep(0)
    await bench.runner.mark_started()
    assert bench.queue.marked == []
    bench.clock.advance(SECOND)
    await bench.time.now()
    await bench.runner.mark_started()
    await bench.runner.mark_started()
    assert bench.queue.marked == runs
    bench.target.go.set()
    await bench.endings()


# Stopping


async def test_draining_hands_back_what_waits_and_lets_the_rest_finish(bench: Bench) -> None:
    bench.target.go.clear()
    runs = bench.take(5)
    await within(bench.target.begun.wait())
    draining = asyncio.create_task(bench.runner.drain(30 * SECOND))
    while len(bench.queue.released) < 2:
        bench.queue.asked.clear()
        await within(bench.queue.asked.wait())
    bench.target.go.set()
    await within(draining)
    assert bench.queue.released == runs[3:]
    assert [ending.run for ending in bench.queue.finished] == runs[:3]
    assert bench.queue.running == {}


async def test_draining_hands_back_what_does_not_finish_in_its_time(bench: Bench) -> None:
    bench.target.go.clear()
    runs = bench.take(3)
    await within(bench.target.begun.wait())
    await within(bench.runner.drain(timedelta(0)))
    assert sorted(run.id for run in bench.queue.released) == sorted(run.id for run in runs)
    assert bench.queue.finished == []


async def test_work_that_ends_after_all_while_it_is_stopped_keeps_its_outcome(
    bench: Bench,
) -> None:
    bench.target.go.clear()
    bench.target.stubborn = True
    bench.take(2)
    await within(bench.target.begun.wait())
    await within(bench.runner.drain(timedelta(0)))
    assert [ending.status for ending in bench.queue.finished] == [RunStatus.SUCCEEDED] * 2
    assert bench.queue.released == []


async def test_draining_while_the_store_is_away_still_lets_the_work_finish(bench: Bench) -> None:
    bench.target.go.clear()
    runs = bench.take(5)
    await within(bench.target.begun.wait())
    bench.queue.away = True
    bench.queue.asked.clear()
    draining = asyncio.create_task(bench.runner.drain(30 * SECOND))
    await within(bench.queue.asked.wait())
    ended, _ = await asyncio.wait([draining], timeout=0.02)
    assert not ended, "it waits for the work although nothing could be handed back"
    bench.target.go.set()
    with pytest.raises(StoreUnavailable):
        await within(draining)
    assert bench.target.delivered == runs[:3]
    bench.queue.away = False
    assert await bench.statuses() == [RunStatus.SUCCEEDED] * 3


async def test_nothing_new_is_claimed_or_started_once_it_is_closed(bench: Bench) -> None:
    bench.runner.close()
    bench.ready(2)
    await bench.runner.tick()
    assert len(bench.queue.ready) == 2
    bench.runner.open()
    await bench.runner.tick()
    assert await bench.statuses() == [RunStatus.SUCCEEDED] * 2


# Claims whose answer was lost


async def test_what_was_claimed_in_vain_is_handed_back_before_the_next_claim(
    bench: Bench,
) -> None:
    lost = bench.ready(2)
    bench.queue.loses_answers = True
    with pytest.raises(StoreUnavailable):
        await bench.runner.tick()
    assert bench.runner.offer() is None
    bench.queue.loses_answers = False
    await bench.runner.tick()
    assert bench.queue.released == lost
    assert (bench.queue.running, bench.target.delivered) == ({}, [])
    assert bench.runner.offer() is not None


async def test_recalling_leaves_alone_what_runs_waits_or_is_not_written_yet(bench: Bench) -> None:
    done = bench.take()
    await within(bench.runner.idle())
    bench.target.go.clear()
    held = bench.take(5)
    await bench.runner.recall()
    assert bench.queue.released == []
    bench.target.go.set()
    assert [ending.run for ending in await bench.endings()] == [*done, *held]


async def test_the_end_hooks_of_a_run_taken_away_do_not_keep_it(bench: Bench) -> None:
    begun = asyncio.Event()

    async def hang(end: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    bench.hooks.on_end.append(hang)
    bench.take()
    await within(begun.wait())
    bench.runner.give_up()
    assert await bench.endings() == []
