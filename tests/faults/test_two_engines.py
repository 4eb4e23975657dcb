"""Two engines on one database, one killed in the middle: each occurrence once, nothing lost."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from datetime import datetime, timedelta

import pytest

from tests.faults.conftest import StartEngine
from tests.faults.engines import Engine, Line, until
from tests.faults.ledger import (
    SECOND,
    Ledger,
    Wanted,
    assert_counted,
    assert_decided_once_a_second,
    assert_never_early,
    coming_second,
    fill,
    ledger_when,
)
from tickwright import at, cron, every

REPEATS = int(os.environ.get("FAULT_REPEATS", "3"))
SCHEDULES = 1000
SCOPES = ("*", "acme", "acme/north", "acme/south", "globex")
LEASE_SECONDS = 3
SWEEP_SECONDS = 0.5
SETTINGS = {"lease_seconds": LEASE_SECONDS, "sweep_seconds": SWEEP_SECONDS, "slots": 20}
DAY = timedelta(days=1)


def herd(instant: datetime) -> list[Wanted]:
    """Schedules of three kinds and several scopes, all due at `instant`; some take long."""
    rule = f"{instant.second} {instant.minute} {instant.hour} * * *"
    triggers = (cron(rule), every(DAY, anchor=instant), at(instant))
    return [
        Wanted(
            SCOPES[n % len(SCOPES)], triggers[n % 3], instant, {"seconds": (0.02, 0.2)[not n % 20]}
        )
        for n in range(SCHEDULES)
    ]


async def run_herd_and_kill(
    url: str, start_engine: StartEngine, kill_after: int
) -> tuple[Ledger, datetime, Engine, Engine]:
    """The herd through two engines, of which the one that first began `kill_after` is killed.

    How they share it is for them to say; one of them begins at least half.
    """
    engines = [start_engine(url, **SETTINGS), start_engine(url, **SETTINGS)]
    await asyncio.gather(*(each.ready() for each in engines))
    instant = await coming_second(1)
    await fill(url, herd(instant))

    def busy() -> list[Engine]:
        return [each for each in engines if len(each.journal("started")) >= kill_after]

    await until(busy, 15, "one of them works")
    victim = busy()[0]
    victim.kill()
    (survivor,) = (each for each in engines if each is not victim)
    ledger = await ledger_when(
        url,
        lambda rows: len(rows.runs) >= SCHEDULES and not rows.open,
        LEASE_SECONDS + SWEEP_SECONDS + 15,
        "all runs ended",
    )
    return ledger, instant, victim, survivor


def assert_each_fired_once(ledger: Ledger, instant: datetime) -> None:
    assert Counter(run.schedule_id for run in ledger.runs) == dict.fromkeys(ledger.schedules, 1)
    assert {(run.cause, run.nominal_at, run.status) for run in ledger.runs} == {
        ("schedule", instant, "succeeded")
    }
    for schedule_id, cursor in ledger.cursors.items():
        once = ledger.schedules[schedule_id].trigger["type"] == "one_shot"
        assert cursor.next_run_at == (None if once else instant + DAY)
        assert (cursor.decided_through, cursor.fired_count) == (instant, 1)
        assert ledger.schedules[schedule_id].status == ("completed" if once else "active")


def assert_only_the_killed_one_repeats(ledger: Ledger, victim: Engine, survivor: Engine) -> None:
    """A run executed more than once was in the killed process's hands, and kept its key."""
    began, repeated = _by_run(victim), _by_run(survivor)
    assert set(began) | set(repeated) == {str(run.id) for run in ledger.runs}
    assert max(map(len, began.values())) == max(map(len, repeated.values())) == 1
    for run in ledger.runs:
        lines = began.get(str(run.id), []) + repeated.get(str(run.id), [])
        assert len({line["key"] for line in lines}) == 1
        if len(lines) == 2:
            first, second = lines
            assert first["at"] < second["at"]
            assert second["attempt"] in (first["attempt"], first["attempt"] + 1)
            assert run.lost_count == 1
        else:
            assert run.attempt == 1
    keys = {line["key"] for engine in (victim, survivor) for line in engine.journal("started")}
    assert len(keys) == SCHEDULES


def _by_run(engine: Engine) -> dict[str, list[Line]]:
    lines: dict[str, list[Line]] = {}
    for line in engine.journal("started"):
        lines.setdefault(line["run"], []).append(line)
    return lines


def kill_point(repeat: int) -> int:
    """How many runs the victim begins: first a few, then some hundred."""
    return 20 + repeat * 137 % 400


@pytest.mark.parametrize("repeat", range(REPEATS))
async def test_a_thousand_schedules_fire_once_each_though_one_of_two_engines_is_killed(
    repeat: int, postgres_url: str, start_engine: StartEngine
) -> None:
    ledger, instant, victim, survivor = await run_herd_and_kill(
        postgres_url, start_engine, kill_point(repeat)
    )
    assert_each_fired_once(ledger, instant)
    assert_only_the_killed_one_repeats(ledger, victim, survivor)
    assert_never_early(ledger)
    assert_counted(ledger)
    assert sum(run.lost_count for run in ledger.runs) > 0, "the victim was killed while it worked"


async def test_two_engines_on_one_sqlite_file_fire_once_each_though_one_is_killed(
    sqlite_url: str, start_engine: StartEngine
) -> None:
    ledger, instant, victim, survivor = await run_herd_and_kill(
        sqlite_url, start_engine, kill_point(1)
    )
    assert_each_fired_once(ledger, instant)
    assert_only_the_killed_one_repeats(ledger, victim, survivor)
    assert_never_early(ledger)
    assert_counted(ledger)
    assert sum(run.lost_count for run in ledger.runs) > 0, "the victim was killed while it worked"


async def test_every_instant_of_every_second_is_decided_once_though_one_engine_is_killed(
    postgres_url: str, start_engine: StartEngine
) -> None:
    victim = start_engine(postgres_url, **SETTINGS)
    survivor = start_engine(postgres_url, **SETTINGS)
    await asyncio.gather(victim.ready(), survivor.ready())
    first = await coming_second(1)
    last = first + 4 * SECOND
    wanted = [
        Wanted(
            SCOPES[n % len(SCOPES)],
            every(SECOND, anchor=first),
            first,
            {"seconds": 0.02},
            overlap="skip" if n % 2 else "allow",
            ends_at=last,
        )
        for n in range(200)
    ]
    ids = await fill(postgres_url, wanted)
    await until(lambda: len(victim.runs() | survivor.runs()) >= 450, 15, "two seconds have passed")
    await until(lambda: victim.runs() - victim.runs("ended"), 3, "the victim holds runs")
    victim.kill()
    ledger = await ledger_when(postgres_url, lambda rows: rows.spent, 20, "all have ended")
    assert_decided_once_a_second(ledger, ids, first, last)
    assert_never_early(ledger)
    assert_counted(ledger)
