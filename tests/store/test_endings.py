"""The queue contract, second half: one result per lease, counted in the transaction it ends in."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tickwright.model.run import Claimed, Ending, Gate, Items, Run, RunStatus
from tickwright.model.schedule import Cursor, Schedule, ScheduleStatus, Stats
from tickwright.store.base import DayStats, Offer, Store

from .conftest import Another
from .support import (
    ACME,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    OTHER,
    SECOND,
    add,
    begun,
    cancelled,
    create,
    dead,
    delete,
    due,
    edit,
    failed,
    fire,
    ids,
    lost,
    online,
    queue_up,
    retried,
    run_of,
    runs_of,
    schedule,
    succeeded,
    together,
)


async def one(store: Store, **changes: Any) -> tuple[Offer, Claimed]:
    """A worker and the run in its hands."""
    offer = await online(store, lease_until=NOW + 9 * DAY, **changes)
    await queue_up(store, cursor=Cursor())
    [claimed] = await store.queue.claim(offer, NOW)
    return offer, claimed


async def stats_of(store: Store, key: str = "nightly") -> Stats:
    found = await store.schedules.get(ACME, key)
    assert found is not None
    return found.stats


async def test_nothing_to_finish_is_nothing_done(store: Store) -> None:
    assert await store.queue.finish([]) == set()
    await store.queue.started([])
    await store.queue.release([], NOW)


@pytest.mark.parametrize("ending", [succeeded, failed, dead, cancelled])
async def test_an_ending_is_accepted_once(store: Store, ending: Any) -> None:
    _, claimed = await one(store)
    first = ending(begun(claimed), NOW + SECOND)
    assert await store.queue.finish([first]) == {claimed.id}
    stored = await run_of(store, claimed)
    assert (stored.status, stored.finished_at) == (first.status, NOW + SECOND)
    assert (stored.attempt, stored.error, stored.reason) == (1, first.error, first.reason)
    for again in (first, succeeded(claimed, NOW + DAY), retried(claimed)):
        assert await store.queue.finish([again]) == set()
    assert await run_of(store, claimed) == stored
    assert (await stats_of(store)).run_count == 1


async def test_two_endings_of_one_attempt_in_one_flush_count_once(store: Store) -> None:
    _, claimed = await one(store)
    endings = [succeeded(claimed), succeeded(claimed)]
    assert await store.queue.finish(endings) == {claimed.id}
    assert (await stats_of(store)).run_count == 1


async def test_only_the_attempt_and_lease_under_way_may_end_a_run(store: Store) -> None:
    offer, first = await one(store)
    await store.queue.finish([retried(begun(first), delay=SECOND)])
    await store.queue.lift(NOW + SECOND)
    [second] = await store.queue.claim(offer, NOW + SECOND)
    before = await run_of(store, second)
    stale_lease = replace(second, lease_token=first.lease_token)
    stale_attempt = replace(second, attempt=first.attempt)
    future = replace(second, lease_token=second.lease_token + 1)
    for stale in (first, stale_lease, stale_attempt, future):
        for ending in (succeeded(stale), retried(stale), failed(stale), lost(stale)):
            assert await store.queue.finish([ending]) == set()
        await store.queue.release([stale], NOW)
    assert await run_of(store, second) == before
    assert await stats_of(store) == Stats()
    assert len(await store.runs.attempts(ACME, second.id)) == 1
    assert await store.queue.finish([succeeded(second)]) == {second.id}


async def test_a_stale_ending_is_refused_beside_the_valid_one(store: Store) -> None:
    """One process may hold both: it lost the run, and claimed it again."""
    offer, first = await one(store)
    await store.workers.mark(offer.worker_id, offline())
    await store.queue.rescue(NOW, 10, lost)
    offer = await online(store)
    [second] = await store.queue.claim(offer, NOW)
    assert second.attempt == first.attempt
    stale, valid = failed(begun(first), NOW + HOUR), succeeded(begun(second), NOW + SECOND)
    assert await store.queue.finish([stale, valid]) == {second.id}
    assert (stale.status, valid.status) == (RunStatus.FAILED, RunStatus.SUCCEEDED)
    assert (await run_of(store, second)).status is RunStatus.SUCCEEDED
    stats = await stats_of(store)
    assert (stats.run_count, stats.success_count, stats.failure_count) == (1, 1, 0)


def offline() -> Any:
    from tickwright.model.worker import WorkerStatus

    return WorkerStatus.OFFLINE


async def test_a_queued_run_cannot_be_ended(store: Store) -> None:
    _, claimed = await one(store)
    await store.queue.release([claimed], NOW)
    assert await store.queue.finish([succeeded(claimed)]) == set()
    assert (await run_of(store, claimed)).status is RunStatus.QUEUED


async def test_a_retry_keeps_the_try_it_supersedes(store: Store) -> None:
    offer, claimed = await one(store)
    assert await store.queue.finish([retried(begun(claimed), NOW + SECOND)]) == {claimed.id}
    stored = await run_of(store, claimed)
    assert (stored.status, stored.gate) == (RunStatus.QUEUED, Gate.TIME)
    assert (stored.attempt, stored.run_at) == (2, NOW + SECOND + MINUTE)
    assert stored.nominal_at == claimed.nominal_at
    assert (stored.worker_id, stored.started_at, stored.finished_at) == (None, None, None)
    assert stored.error == "boom"
    [attempt] = await store.runs.attempts(ACME, claimed.id)
    assert (attempt.attempt, attempt.outcome, attempt.error) == (1, "failed", "boom")
    assert (attempt.worker_id, attempt.started_at) == (offer.worker_id, NOW)
    assert attempt.finished_at == NOW + SECOND
    assert await stats_of(store) == Stats()
    assert await store.schedules.days(ACME, claimed.schedule_id or claimed.id, date.min) == []


async def test_a_run_asked_to_cancel_gets_no_further_try(store: Store) -> None:
    offer, claimed = await one(store)
    await store.runs.cancel(ACME, claimed.id, now=NOW)
    ending = retried(begun(claimed), NOW + SECOND)
    assert await store.queue.finish([ending]) == {claimed.id}
    assert ending.status is RunStatus.CANCELLED
    stored = await run_of(store, claimed)
    assert (stored.status, stored.reason, stored.gate) == (RunStatus.CANCELLED, "cancelled", None)
    assert (stored.attempt, stored.run_at) == (1, claimed.run_at)
    assert (stored.started_at, stored.finished_at) == (NOW, NOW + SECOND)
    assert stored.worker_id == offer.worker_id
    assert await store.runs.attempts(ACME, claimed.id) == []
    stats = await stats_of(store)
    assert (stats.run_count, stats.success_count, stats.failure_count) == (1, 0, 0)
    assert stats.last_status == "cancelled"
    assert await store.queue.lift(NOW + DAY) == 0


@pytest.mark.parametrize("ending", [succeeded, failed, dead])
async def test_a_run_asked_to_cancel_that_ends_first_keeps_its_end(
    store: Store, ending: Any
) -> None:
    _, claimed = await one(store)
    await store.runs.cancel(ACME, claimed.id, now=NOW)
    await store.queue.finish([ending(claimed)])
    assert (await run_of(store, claimed)).status is ending(claimed).status


async def test_releasing_costs_no_attempt(store: Store) -> None:
    _, claimed = await one(store)
    before = await run_of(store, claimed)
    await store.queue.release([claimed], NOW + SECOND)
    stored = await run_of(store, claimed)
    assert stored == replace(before, status=RunStatus.QUEUED, worker_id=None)
    assert await store.runs.attempts(ACME, claimed.id) == []
    [again] = await store.queue.claim(await online(store), NOW)
    assert (again.id, again.attempt, again.lost_count) == (claimed.id, 1, 0)
    assert again.lease_token == 2


async def test_a_released_run_that_was_asked_to_cancel_is_cancelled(store: Store) -> None:
    offer, claimed = await one(store)
    await store.runs.cancel(ACME, claimed.id, now=NOW)
    await store.queue.release([claimed], NOW + SECOND)
    stored = await run_of(store, claimed)
    assert (stored.status, stored.finished_at) == (RunStatus.CANCELLED, NOW + SECOND)
    assert await store.queue.claim(offer, NOW) == []


async def test_a_start_is_recorded_under_its_lease_only(store: Store) -> None:
    offer, claimed = await one(store)
    stale = begun(replace(claimed, lease_token=7), NOW + DAY)
    older = begun(replace(claimed, attempt=7), NOW + DAY)
    await store.queue.started([stale, begun(claimed, NOW + SECOND), older])
    stored = await run_of(store, claimed)
    assert (stored.started_at, stored.status) == (NOW + SECOND, RunStatus.RUNNING)
    assert stored.worker_id == offer.worker_id
    await store.queue.finish([retried(claimed)])
    await store.queue.started([claimed])
    assert (await run_of(store, claimed)).started_at is None


async def test_runs_of_a_deleted_schedule_can_still_end(store: Store) -> None:
    _, claimed = await one(store)
    await delete(store, ACME, "nightly")
    assert await store.queue.finish([succeeded(claimed)]) == {claimed.id}


# Counters ------------------------------------------------------------------------------------


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
    chance.shuffle(waiting := list(endings[: len(endings) // 4]))
    for batch in (endings[n : n + flush] for n in range(0, len(endings), flush)):
        assert await store.queue.finish(batch + waiting[:0]) == ids(e.run for e in batch)
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
    for key, together_ in (("apart", False), ("together", True)):
        offer = await online(store)
        await queue_up(store, 2, key=key, cursor=Cursor())
        long, short = await store.queue.claim(offer, NOW)
        endings = [
            failed(begun(short, NOW + MINUTE), NOW + 2 * MINUTE),
            succeeded(begun(long, NOW), NOW + HOUR),
        ]
        for batch in [endings] if together_ else [[each] for each in endings]:
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


async def test_of_concurrent_endings_of_one_run_one_is_accepted(
    store: Store, another: Another
) -> None:
    offer, first = await one(store)
    stores = [store, another(), another()]
    await queue_up(store, 7, key="more", cursor=Cursor())
    for run in [first, *await store.queue.claim(offer, NOW)]:
        ends = [succeeded(run), failed(run), retried(run)]
        answers = await together(
            *(each.queue.finish([end]) for each, end in zip(stores, ends, strict=True))
        )
        won = [end for end, answer in zip(ends, answers, strict=True) if answer]
        assert len(won) == 1
        assert (await run_of(store, run)).status is won[0].status


# Rescue --------------------------------------------------------------------------------------


async def test_only_what_a_worker_without_a_lease_holds_is_rescued(store: Store) -> None:
    await queue_up(store, 4, cursor=Cursor())
    offers = [
        await online(store, slots=1, lease_until=NOW + MINUTE),
        await online(store, slots=1, lease_until=NOW + SECOND),
        await online(store, slots=1, lease_until=NOW + SECOND),
        await online(store, slots=1, lease_until=NOW + MINUTE),
    ]
    [live], [silent], [late], [gone] = [await store.queue.claim(o, NOW) for o in offers]
    await store.workers.mark(offers[3].worker_id, offline())
    await store.queue.finish([succeeded(late)])
    endings = await store.queue.rescue(NOW + 2 * SECOND, 10, lambda run: lost(run, NOW))
    assert {ending.run.id for ending in endings} == {silent.id, gone.id}
    assert (await run_of(store, live)).status is RunStatus.RUNNING
    for run in (silent, gone):
        stored = await run_of(store, run)
        assert (stored.status, stored.gate, stored.lost_count) == (RunStatus.QUEUED, None, 1)
        assert await store.queue.finish([succeeded(run)]) == set()
    assert await store.queue.finish([succeeded(live)]) == {live.id}


async def test_the_lease_is_over_at_its_very_end(store: Store) -> None:
    await queue_up(store, cursor=Cursor())
    offer = await online(store, lease_until=NOW + MINUTE)
    [run] = await store.queue.claim(offer, NOW)
    assert await store.queue.rescue(NOW + MINUTE - SECOND, 10, lost) == []
    assert len(await store.queue.rescue(NOW + MINUTE, 10, lost)) == 1
    assert (await run_of(store, run)).status is RunStatus.QUEUED


async def test_rescuing_costs_an_attempt_only_if_it_had_begun(store: Store) -> None:
    await queue_up(store, 2, cursor=Cursor())
    offer = await online(store)
    unstarted, started = await store.queue.claim(offer, NOW)
    await store.queue.started([begun(started, NOW + SECOND)])
    seen: dict[Any, datetime | None] = {}

    def end(run: Claimed) -> Ending:
        seen[run.id] = run.started_at
        return lost(run, NOW + HOUR)

    assert len(await store.queue.rescue(NOW + HOUR, 10, end)) == 2
    assert seen == {unstarted.id: None, started.id: NOW + SECOND}
    assert (await run_of(store, unstarted)).attempt == 1
    assert (await run_of(store, started)).attempt == 2
    assert await store.runs.attempts(ACME, unstarted.id) == []
    [attempt] = await store.runs.attempts(ACME, started.id)
    assert (attempt.outcome, attempt.worker_id) == ("lost", offer.worker_id)
    assert (attempt.started_at, attempt.finished_at) == (NOW + SECOND, NOW + HOUR)


async def test_a_rescue_may_end_a_run_for_good(store: Store) -> None:
    await queue_up(store, cursor=Cursor())
    [run] = await store.queue.claim(await online(store), NOW)
    [ending] = await store.queue.rescue(NOW + HOUR, 10, lambda r: dead(r, NOW + HOUR))
    assert (ending.run.id, ending.run.worker_id) == (run.id, run.worker_id)
    assert (await run_of(store, run)).status is RunStatus.DEAD
    assert (await stats_of(store)).failure_count == 1


async def test_a_rescue_is_bounded_and_goes_on(store: Store) -> None:
    await queue_up(store, 5, cursor=Cursor())
    await store.queue.claim(await online(store), NOW)
    rescued = [len(await store.queue.rescue(NOW + HOUR, 2, lost)) for _ in range(4)]
    assert rescued == [2, 2, 1, 0]


async def test_concurrent_rescuers_end_each_run_once(store: Store, another: Another) -> None:
    await queue_up(store, 20, cursor=Cursor())
    claimed = await store.queue.claim(await online(store, slots=20), NOW)
    stores = [store, another(), another(), another()]
    shares = await together(*(each.queue.rescue(NOW + HOUR, 20, lost) for each in stores))
    rescued = [ending.run.id for share in shares for ending in share]
    assert sorted(rescued) == sorted(ids(claimed))
    assert {run.lost_count for run in await runs_of(store)} == {1}


async def test_a_late_result_and_a_rescue_end_a_run_once(store: Store, another: Another) -> None:
    second = another()
    for number in range(6):
        await queue_up(store, key=f"k{number}", cursor=Cursor())
        [run] = await store.queue.claim(await online(store), NOW)
        rescued, finished = await asyncio.gather(
            second.queue.rescue(NOW + HOUR, 10, lambda r: dead(r, NOW + HOUR)),
            store.queue.finish([succeeded(run)]),
        )
        assert (len(rescued), len(finished)) in {(1, 0), (0, 1)}
        status = (await run_of(store, run)).status
        assert status is (RunStatus.DEAD if rescued else RunStatus.SUCCEEDED)
        assert (await stats_of(store, f"k{number}")).run_count == 1


async def test_a_sweep_ends_spent_schedules_whose_last_run_was_cancelled(store: Store) -> None:
    await create(store, schedule(), schedule("theirs", OTHER))
    await fire(store, plan=due(spent=True))
    [run] = await runs_of(store)
    await store.runs.cancel(ACME, run.id, now=NOW)
    assert await store.queue.rescue(NOW + HOUR, 10, lost) == []
    ended = await store.schedules.get(ACME, "nightly")
    waiting = await store.schedules.get(OTHER, "nightly")
    theirs = await store.schedules.get(OTHER, "theirs")
    assert ended is not None
    assert waiting is None
    assert theirs is not None
    assert (ended.status, ended.updated_at) == (ScheduleStatus.COMPLETED, NOW + HOUR)
    assert theirs.status is ScheduleStatus.ACTIVE


async def test_manual_runs_in_between_keep_a_spent_schedule_open(store: Store) -> None:
    offer = await online(store)
    await create(store, schedule())
    fired = await fire(store, plan=due(spent=True), offer=offer)
    await add(store, ACME, "nightly")
    await store.queue.finish([succeeded(run) for run in fired.claimed])
    found: Schedule | None = await store.schedules.get(ACME, "nightly")
    assert found is not None
    assert found.status is ScheduleStatus.ACTIVE
    await edit(store, ACME, "nightly", name="x")
