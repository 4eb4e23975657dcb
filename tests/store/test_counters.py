"""Counters and daily roll-ups: moved by the transaction that ends a run, and by nothing else."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from tickwright.model.run import Cause, Claimed, Ending, Items, Run, RunStatus
from tickwright.model.schedule import Cursor, Stats
from tickwright.store.answers import DayStats
from tickwright.store.base import Store

from .conftest import Another
from .support import (
    ACME,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    begun,
    cancelled,
    dead,
    failed,
    ids,
    online,
    queue_up,
    runs_of,
    stats_of,
    succeeded,
    together,
)


def recount(runs: list[Run]) -> Stats:
    """The counters of one schedule, from its rows; the row that began last gives `last_…`."""
    ended = sorted((run for run in runs if run.finished_at), key=lambda run: run.finished_at or NOW)
    done = [run for run in ended if run.status is RunStatus.SUCCEEDED]
    bad = [run for run in ended if run.status in (RunStatus.FAILED, RunStatus.DEAD)]
    tail = ended[ended.index(done[-1]) + 1 :] if done else ended
    last = max(ended, key=lambda run: run.started_at or run.finished_at or NOW)
    return Stats(
        run_count=len(ended),
        success_count=len(done),
        failure_count=len(bad),
        failure_streak=sum(run in bad for run in tail),
        last_run_at=last.started_at,
        last_success_at=done[-1].finished_at if done else None,
        last_status=last.status.value,
        last_duration=last.duration,
        circuit_streak=sum(run in bad and run.cause is Cause.SCHEDULE for run in tail),
    )


def recount_days(runs: list[Run]) -> list[DayStats]:
    sums: dict[date, DayStats] = {}
    for run in runs:
        if run.finished_at is None:
            continue
        day = sums.get(run.finished_at.date(), DayStats(run.finished_at.date()))
        sums[day.day] = DayStats(
            day.day,
            day.succeeded + (run.status is RunStatus.SUCCEEDED),
            day.failed + (run.status in (RunStatus.FAILED, RunStatus.DEAD)),
            day.cancelled + (run.status is RunStatus.CANCELLED),
            day.duration + (run.duration or timedelta(0)),
            day.items_processed + run.items.processed,
            day.items_succeeded + run.items.succeeded,
            day.items_failed + run.items.failed,
        )
    return [sums[day] for day in sorted(sums)]


def random_endings(chance: random.Random, claimed: list[Claimed]) -> list[Ending]:
    """Ends over three days in the order of their finish, each begun up to a day before it."""
    endings = []
    for number, run in enumerate(claimed):
        at = NOW + number * HOUR + timedelta(milliseconds=chance.randrange(1000))
        end = chance.choice([succeeded, succeeded, failed, dead, cancelled])
        items = Items(*(chance.randrange(9) for _ in range(3)))
        endings.append(end(begun(run, at - chance.randrange(1, 86_400) * SECOND), at, items=items))
    return endings


@pytest.mark.parametrize("flush", [1, 7, 100])
async def test_counters_and_roll_ups_equal_a_recount_of_the_rows(store: Store, flush: int) -> None:
    chance = random.Random(flush)
    offer = await online(store, slots=100)
    keys = ("a", "b", "c")
    for key in keys:
        await queue_up(store, chance.randrange(15, 25), key=key, cursor=Cursor())
    endings = random_endings(chance, await store.queue.claim(offer, NOW))
    for batch in (endings[n : n + flush] for n in range(0, len(endings), flush)):
        assert await store.queue.finish(batch) == ids(e.run for e in batch)
    for key in keys:
        found = await store.schedules.get(ACME, key)
        assert found is not None
        runs = await runs_of(store, schedule_id=found.id)
        assert found.stats == recount(runs)
        assert await store.schedules.days(ACME, found.id, date.min) == recount_days(runs)


async def test_the_run_that_began_last_is_the_last_run_however_it_is_flushed(
    store: Store,
) -> None:
    """A long run that ends late began before a short one that is already over."""
    seen: list[Stats] = []
    for key in ("apart", "together"):
        offer = await online(store)
        await queue_up(store, 2, key=key, cursor=Cursor())
        long, short = await store.queue.claim(offer, NOW)
        endings = [
            failed(begun(short, NOW + MINUTE), NOW + 2 * MINUTE),
            succeeded(begun(long, NOW), NOW + HOUR),
        ]
        for batch in [endings] if key == "together" else [[each] for each in endings]:
            await store.queue.finish(batch)
        seen.append(await stats_of(store, key))
    assert seen[0] == seen[1]
    assert (seen[0].last_run_at, seen[0].last_status) == (NOW + MINUTE, "failed")
    assert (seen[0].last_success_at, seen[0].last_duration) == (NOW + HOUR, MINUTE)
    assert seen[0].failure_streak == 0


async def test_the_failure_streak_counts_since_the_last_success(store: Store) -> None:
    offer = await online(store, slots=20)
    await queue_up(store, 12, cursor=Cursor())
    runs = await store.queue.claim(offer, NOW)
    ends = [failed, dead, succeeded, failed, cancelled, dead, failed, succeeded, cancelled, failed]
    streaks = [1, 2, 0, 1, 1, 2, 3, 0, 0, 1]
    for number, (run, end, streak) in enumerate(zip(runs[:10], ends, streaks, strict=True)):
        await store.queue.finish([end(run, NOW + number * SECOND)])
        assert (await stats_of(store)).failure_streak == streak
    batch = [succeeded(runs[10], NOW + MINUTE), failed(runs[11], NOW + HOUR)]
    await store.queue.finish(batch)
    assert (await stats_of(store)).failure_streak == 1


async def test_concurrent_flushes_lose_no_count(store: Store, another: Another) -> None:
    offer = await online(store, slots=100)
    for key in ("a", "b", "c", "d"):
        await queue_up(store, 12, key=key, cursor=Cursor())
    runs = await store.queue.claim(offer, NOW)
    random.Random(1).shuffle(runs)
    stores = [store, another(), another(), another()]
    accepted = await together(
        *(
            each.queue.finish([succeeded(run) for run in runs[n::4]])
            for n, each in enumerate(stores)
        )
    )
    assert set().union(*accepted) == ids(runs)
    for key in ("a", "b", "c", "d"):
        assert (await stats_of(store, key)).run_count == 12
