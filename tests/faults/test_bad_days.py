"""Processes that freeze, hang, are told to end or are killed: each run has one final ending."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

from tests.faults.conftest import StartEngine
from tests.faults.engines import Engine, until
from tests.faults.ledger import (
    Ledger,
    Wanted,
    assert_counted,
    coming_second,
    fill,
    ledger_when,
    read_ledger,
)
from tickwright import at
from tickwright.model.clock import SystemClock

LEASE_SECONDS = 3
SWEEP_SECONDS = 0.5
SHORT_LEASE = {"lease_seconds": LEASE_SECONDS, "sweep_seconds": SWEEP_SECONDS}
PICK_UP_SECONDS = 2
QUICK_RUNS = 300
LONG_RUNS = 40
BUSY_SLOTS = 10


async def once(url: str, count: int, payload: dict[str, Any]) -> datetime:
    """Schedules that each run once, at the same coming second."""
    instant = await coming_second(0)
    await fill(url, [Wanted("acme", at(instant), instant, payload) for _ in range(count)])
    return instant


def started_at(engine: Engine) -> list[float]:
    return sorted(line["at"] for line in engine.journal("started"))


async def test_an_engine_frozen_longer_than_its_lease_cannot_finish_what_another_took_over(
    postgres_url: str, start_engine: StartEngine
) -> None:
    frozen = start_engine(postgres_url, **SHORT_LEASE)
    await frozen.ready()
    await once(postgres_url, 5, {"seconds": 1, "stubborn": True})
    await until(lambda: len(frozen.runs()) == 5, 10, "all runs have started")
    await ledger_when(
        postgres_url,
        lambda rows: all(run.started_at for run in rows.runs),
        5,
        "the starts are kept",
    )
    frozen.freeze()
    other = start_engine(postgres_url, **SHORT_LEASE)
    await until(lambda: len(other.runs("ended")) == 5, 15, "another took over")
    ledger = await ledger_when(postgres_url, lambda rows: rows.spent, 5, "all have ended")
    other_id = worker_id(ledger, other)
    frozen.thaw()
    await until(lambda: len(frozen.runs("ended")) == 5, 5, "the frozen one ends its work as well")
    await until(
        lambda: all(f"refused scope=acme runId={run}" in frozen.log for run in frozen.runs()),
        5,
        "its endings are refused",
    )
    ledger = await ledger_when(
        postgres_url,
        lambda rows: sum(worker.status == "online" for worker in rows.workers) == 2,
        5,
        "the frozen one is back as a new worker",
    )
    for run in ledger.runs:
        assert (run.status, run.attempt, run.lost_count) == ("succeeded", 2, 1)
        assert run.worker_id == other_id
    assert keys(frozen) == keys(other)
    assert [attempt.outcome for attempt in ledger.attempts] == ["lost"] * 5
    assert_counted(ledger)


async def test_a_frozen_engine_cannot_finish_an_attempt_that_another_is_repeating(
    postgres_url: str, start_engine: StartEngine
) -> None:
    frozen = start_engine(postgres_url, **SHORT_LEASE)
    await frozen.ready()
    # The start cannot be written down while the loop is blocked, so the attempt does not count,
    # and nothing but the lease token tells the two holders apart.
    await once(postgres_url, 1, {"block": 0.5, "seconds": 2, "stubborn": True})
    await until(lambda: frozen.runs(), 10, "the run has started")
    frozen.freeze()
    other = start_engine(postgres_url, **SHORT_LEASE)
    await until(lambda: other.runs(), 15, "another took over")
    frozen.thaw()
    await until(lambda: frozen.runs("ended"), 5, "the frozen one ends its work as well")
    await until(lambda: "scheduler.run.refused" in frozen.log, 2, "its ending is refused")
    assert not other.runs("ended")
    ledger = await ledger_when(postgres_url, lambda rows: rows.spent, 5, "all have ended")
    (run,) = ledger.runs
    assert (run.status, run.attempt, run.lost_count) == ("succeeded", 1, 1)
    assert run.worker_id == worker_id(ledger, other)
    assert_counted(ledger)


def keys(engine: Engine) -> dict[str, str]:
    """The idempotency key that each run's handler was given."""
    return {line["run"]: line["key"] for line in engine.journal("started")}


def worker_id(ledger: Ledger, engine: Engine) -> object:
    (worker,) = [worker for worker in ledger.workers if worker.pid == engine.pid]
    return worker.id


async def test_a_handler_that_blocks_the_event_loop_keeps_its_lease(
    postgres_url: str, start_engine: StartEngine
) -> None:
    engines = [start_engine(postgres_url, **SHORT_LEASE) for _ in range(2)]
    await asyncio.gather(*(engine.ready() for engine in engines))
    await once(postgres_url, 1, {"block": LEASE_SECONDS + 2 * SWEEP_SECONDS + 1})
    ledger = await ledger_when(postgres_url, lambda rows: rows.spent, 15, "it has ended")
    (run,) = ledger.runs
    assert (run.status, run.attempt, run.lost_count) == ("succeeded", 1, 0)
    assert sum(len(engine.journal("started")) for engine in engines) == 1
    assert [worker.status for worker in ledger.workers] == ["online", "online"]


async def claimed_ahead(url: str, start_engine: StartEngine) -> tuple[Engine, Engine]:
    """An engine that holds more long runs than it has slots, and a frozen one that could help."""
    busy, idle = start_engine(url, slots=BUSY_SLOTS, grace_seconds=10), start_engine(url)
    await asyncio.gather(busy.ready(), idle.ready())
    idle.freeze()
    # Quick work first, so that the engine claims ahead of its slots when the long work comes.
    instant = await coming_second(0)
    quick = [Wanted("acme", at(instant), instant, {}) for _ in range(QUICK_RUNS)]
    later = instant + timedelta(milliseconds=1)
    long = [Wanted("acme", at(later), later, {"seconds": 3}) for _ in range(LONG_RUNS)]
    await fill(url, quick + long)
    await ledger_when(
        url,
        lambda rows: (
            sum(run.status == "running" for run in rows.runs if run.payload) > BUSY_SLOTS + 2
        ),
        10,
        "long runs are claimed ahead",
    )
    await until(
        lambda: len(busy.journal("started")) == QUICK_RUNS + BUSY_SLOTS, 1, "all slots are busy"
    )
    return busy, idle


async def test_sigterm_lets_running_work_finish_and_hands_the_rest_over(
    postgres_url: str, start_engine: StartEngine
) -> None:
    leaving, taking = await claimed_ahead(postgres_url, start_engine)
    told_at = time.monotonic()
    ending = asyncio.create_task(leaving.terminate())
    taking.thaw()
    await until(
        lambda: len(taking.runs()) == LONG_RUNS - BUSY_SLOTS,
        PICK_UP_SECONDS,
        "the other starts the rest",
    )
    print(f"picked up {started_at(taking)[-1] - told_at:.2f} s after SIGTERM")
    assert await ending == 0
    ledger = await ledger_when(postgres_url, lambda rows: rows.spent, 10, "all have ended")
    assert len(leaving.runs("ended")) == QUICK_RUNS + BUSY_SLOTS
    assert len(taking.journal("started")) == LONG_RUNS - BUSY_SLOTS
    assert {(run.status, run.attempt, run.lost_count) for run in ledger.runs} == {
        ("succeeded", 1, 0)
    }
    assert_counted(ledger)


async def test_runs_claimed_ahead_do_not_wait_behind_long_work_while_another_engine_is_idle(
    postgres_url: str, start_engine: StartEngine
) -> None:
    busy, idle = await claimed_ahead(postgres_url, start_engine)
    idle.thaw()
    await until(
        lambda: len(idle.runs()) == LONG_RUNS - BUSY_SLOTS,
        PICK_UP_SECONDS,
        "the idle one starts the rest",
    )
    ledger = await ledger_when(postgres_url, lambda rows: rows.spent, 10, "all have ended")
    assert len(busy.journal("started")) == QUICK_RUNS + BUSY_SLOTS
    assert {(run.status, run.attempt, run.lost_count) for run in ledger.runs} == {
        ("succeeded", 1, 0)
    }


async def test_work_that_outlasts_the_grace_time_is_handed_over_without_losing_an_attempt(
    postgres_url: str, start_engine: StartEngine
) -> None:
    leaving = start_engine(postgres_url, grace_seconds=0.5)
    taking = start_engine(postgres_url)
    await asyncio.gather(leaving.ready(), taking.ready())
    taking.freeze()
    await once(postgres_url, 3, {"seconds": 2.5})
    await until(lambda: len(leaving.runs()) == 3, 10, "all have started")
    told_at = time.monotonic()
    assert await leaving.terminate() == 0
    assert len(leaving.runs("cancelled")) == 3
    taking.thaw()
    await until(lambda: len(taking.runs()) == 3, PICK_UP_SECONDS, "the other starts them")
    print(f"ended {time.monotonic() - told_at:.2f} s after SIGTERM, grace time included")
    ledger = await ledger_when(postgres_url, lambda rows: rows.spent, 10, "all have ended")
    assert {(run.status, run.attempt, run.lost_count) for run in ledger.runs} == {
        ("succeeded", 1, 0)
    }


async def test_a_killed_engine_that_starts_again_finishes_what_was_queued_and_running(
    database_url: str, start_engine: StartEngine
) -> None:
    killed = start_engine(database_url, slots=3, **SHORT_LEASE)
    await killed.ready()
    await once(database_url, 3, {"seconds": 3})
    await until(lambda: len(killed.runs()) == 3, 10, "all its slots are busy")
    await once(database_url, 5, {"seconds": 0.5})
    await ledger_when(database_url, lambda rows: len(rows.runs) == 8, 3, "more is queued")
    killed.kill()
    missed_at = await once(database_url, 4, {})
    before = await read_ledger(database_url)
    assert sorted(run.status for run in before.runs) == ["queued"] * 5 + ["running"] * 3
    await asyncio.sleep((missed_at - await SystemClock().now()).total_seconds() + 0.1)
    again = start_engine(database_url, **SHORT_LEASE)
    await again.ready()
    (ready_at,) = [line["at"] for line in again.journal("ready")]
    await until(lambda: len(again.runs()) >= 9, 1, "what was queued and what is overdue starts")
    print(f"overdue started {started_at(again)[8] - ready_at:.2f} s after the engine was ready")
    ledger = await ledger_when(
        database_url, lambda rows: rows.spent, LEASE_SECONDS + SWEEP_SECONDS + 6, "all have ended"
    )
    assert len(ledger.runs) == 12
    assert {run.status for run in ledger.runs} == {"succeeded"}
    assert again.runs() == {str(run.id) for run in ledger.runs}
    assert killed.runs() == {str(run.id) for run in ledger.runs if run.lost_count}
    assert_counted(ledger)
