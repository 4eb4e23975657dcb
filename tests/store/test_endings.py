"""The queue contract, second half: one result per lease, counted in the transaction it ends in."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from tickwright.model.run import Claimed, Gate, RunStatus
from tickwright.model.schedule import Cursor, Stats
from tickwright.model.worker import WorkerStatus
from tickwright.store.base import Offer, Store

from .conftest import Another
from .support import (
    ACME,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    begun,
    cancelled,
    dead,
    delete,
    failed,
    lost,
    online,
    queue_up,
    retried,
    run_of,
    stats_of,
    succeeded,
    together,
)


async def one(store: Store, **changes: Any) -> tuple[Offer, Claimed]:
    """A worker and the run in its hands."""
    offer = await online(store, lease_until=NOW + 9 * DAY, **changes)
    await queue_up(store, cursor=Cursor())
    [claimed] = await store.queue.claim(offer, NOW)
    return offer, claimed


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
    await store.workers.mark(offer.worker_id, WorkerStatus.OFFLINE)
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
    await store.queue.started([begun(claimed, NOW + SECOND)])
    for stale in (replace(claimed, lease_token=7), replace(claimed, attempt=7)):
        await store.queue.started([begun(stale, NOW + DAY)])
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
