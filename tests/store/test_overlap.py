"""Runs that wait in line for an earlier one's end, or take its place."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

from tickwright.engine.planner import plan_or_park
from tickwright.model.errors import Conflict
from tickwright.model.plan import Due, Plan
from tickwright.model.run import Claimed, Gate, Run, RunStatus
from tickwright.model.schedule import Overlap
from tickwright.store.answers import Fired
from tickwright.store.base import Offer, Store

from .conftest import Another
from .support import (
    ACME,
    LEASE,
    MINUTE,
    NOW,
    SECOND,
    add,
    begun,
    cancelled,
    create,
    edit,
    failed,
    fire,
    lost,
    online,
    retried,
    run_of,
    runs_of,
    schedule,
    succeeded,
    together,
)

RULE = {"type": "interval", "every": "1m", "anchor": "2040-01-02T09:00:00Z"}
QUEUE: dict[str, Any] = {"trigger": RULE, "overlap": Overlap.QUEUE}
REPLACE: dict[str, Any] = {"trigger": RULE, "overlap": Overlap.CANCEL_RUNNING}


async def fire_due(store: Store, now: datetime = NOW, offer: Offer | None = None) -> Fired:
    def plan(due: Due) -> Plan:
        return plan_or_park(due, now)

    return await fire(store, now, plan, offer)


async def claimed(store: Store, offer: Offer, now: datetime = NOW) -> list[Claimed]:
    return [begun(run, now) for run in await store.queue.claim(offer, now)]


async def lines(store: Store) -> list[tuple[RunStatus, Gate | None]]:
    """Status and gate of each run, in the order of their times."""
    runs = sorted(await runs_of(store), key=lambda run: (run.nominal_at, run.id))
    return [(run.status, run.gate) for run in runs]


QUEUED, RUNNING, SKIPPED = RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.SKIPPED
CANCELLED, SUCCEEDED = RunStatus.CANCELLED, RunStatus.SUCCEEDED


async def test_in_line_a_run_waits_for_the_end_of_the_one_before(store: Store) -> None:
    offer = await online(store, lease_until=NOW + 10 * MINUTE)
    await create(store, schedule(**QUEUE))
    for minute in range(4):
        await fire_due(store, NOW + minute * MINUTE)
    assert await lines(store) == [
        (QUEUED, None),
        (QUEUED, Gate.OVERLAP),
        (SKIPPED, None),
        (SKIPPED, None),
    ]
    [first] = await claimed(store, offer)
    assert await claimed(store, offer) == []
    await store.queue.finish([succeeded(first)])
    [second] = await claimed(store, offer)
    assert second.nominal_at == NOW + MINUTE


@pytest.mark.parametrize("limit", [1, 3])
async def test_a_line_is_as_long_as_its_limit_and_goes_in_order(store: Store, limit: int) -> None:
    offer = await online(store, lease_until=NOW + 10 * MINUTE)
    await create(store, schedule(**QUEUE, overlap_limit=limit))
    for minute in range(6):
        await fire_due(store, NOW + minute * MINUTE)
    started = []
    while found := await claimed(store, offer):
        [run] = found
        started.append(run.nominal_at)
        await store.queue.finish([succeeded(run)])
    assert started == [NOW + n * MINUTE for n in range(limit + 1)]


async def test_a_line_waits_for_retries_too(store: Store) -> None:
    offer = await online(store)
    await create(store, schedule(**QUEUE))
    await fire_due(store, NOW, offer)
    await fire_due(store, NOW + MINUTE)
    [run] = await store.queue.held(offer.worker_id)
    await store.queue.finish([retried(begun(run), delay=SECOND)])
    assert await claimed(store, offer) == []
    await store.queue.lift(NOW + SECOND)
    [again] = await claimed(store, offer)
    assert (again.id, again.attempt) == (run.id, 2)
    await store.queue.finish([failed(again)])
    [second] = await claimed(store, offer)
    assert second.nominal_at == NOW + MINUTE


@pytest.mark.parametrize("ending", [succeeded, failed, cancelled])
async def test_however_a_run_ends_the_next_in_line_goes(store: Store, ending: Any) -> None:
    offer = await online(store)
    await create(store, schedule(**QUEUE))
    await fire_due(store, NOW, offer)
    await fire_due(store, NOW + MINUTE)
    [run] = await store.queue.held(offer.worker_id)
    await store.queue.finish([ending(begun(run))])
    assert len(await claimed(store, offer)) == 1


async def test_a_cancelled_queued_run_lets_the_next_in_line_go(store: Store) -> None:
    await create(store, schedule(**QUEUE))
    await fire_due(store, NOW)
    await fire_due(store, NOW + MINUTE)
    first = min(await runs_of(store), key=lambda run: run.nominal_at)
    await store.runs.cancel(ACME, first.id, now=NOW)
    assert await lines(store) == [(CANCELLED, None), (QUEUED, None)]


async def test_cancelling_one_that_waits_lets_nobody_go(store: Store) -> None:
    await create(store, schedule(**QUEUE, overlap_limit=2))
    for minute in range(3):
        await fire_due(store, NOW + minute * MINUTE)
    runs = sorted(await runs_of(store), key=lambda run: run.nominal_at)
    await store.runs.cancel(ACME, runs[1].id, now=NOW)
    assert await lines(store) == [(QUEUED, None), (CANCELLED, None), (QUEUED, Gate.OVERLAP)]


async def test_starts_by_hand_stand_in_line_too(store: Store) -> None:
    await create(store, schedule(**QUEUE))
    await add(store, ACME, "nightly")
    second = await add(store, ACME, "nightly")
    assert second.gate is Gate.OVERLAP
    with pytest.raises(Conflict):
        await add(store, ACME, "nightly")


async def test_a_line_whose_end_was_not_told_is_found_by_the_sweep(
    store: Store, another: Another, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the process had died between an ending and letting the next go."""
    offer = await online(store)
    await create(store, schedule(**QUEUE))
    await fire_due(store, NOW, offer)
    await fire_due(store, NOW + MINUTE)
    [run] = await store.queue.held(offer.worker_id)
    run.serial = False
    await store.queue.finish([succeeded(begun(run))])
    assert await claimed(store, offer) == []
    await another().queue.rescue(NOW, 10, lost)
    assert len(await claimed(store, offer)) == 1


async def test_the_sweep_is_not_held_up_by_lines_that_rightly_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few it looks at in one go."""
    monkeypatch.setattr("tickwright.store.overlapping._MOST_AT_ONCE", 1)
    offer = await online(store)
    for key in ("a", "b", "c"):
        await create(store, schedule(key, **QUEUE))
    await fire_due(store, NOW, offer)
    await fire_due(store, NOW + MINUTE)
    held = sorted(await store.queue.held(offer.worker_id), key=lambda run: run.schedule_key or "")
    for run in held[1:2]:
        run.serial = False
        await store.queue.finish([succeeded(begun(run))])
    await store.queue.rescue(NOW, 10, lost)
    assert [run.schedule_key for run in await claimed(store, offer)] == ["b"]


async def test_a_lost_run_keeps_its_place(store: Store) -> None:
    dead, alive = await online(store), await online(store, lease_until=NOW + 10 * LEASE)
    await create(store, schedule(**QUEUE))
    await fire_due(store, NOW, dead)
    await fire_due(store, NOW + MINUTE)
    await store.queue.rescue(NOW + 2 * LEASE, 10, lambda run: lost(run, NOW + 2 * LEASE))
    [again] = await claimed(store, alive, NOW + 2 * LEASE)
    assert (again.nominal_at, again.lost_count) == (NOW, 1)


async def test_a_spent_schedule_ends_with_the_last_of_its_line(store: Store) -> None:
    offer = await online(store)
    await create(store, schedule(**QUEUE, max_runs=2))
    await fire_due(store, NOW, offer)
    await fire_due(store, NOW + MINUTE)
    for expected in ("active", "completed"):
        [run] = await store.queue.held(offer.worker_id)
        await store.queue.finish([succeeded(begun(run))])
        found = await store.schedules.get(ACME, "nightly")
        assert found is not None
        assert found.status == expected
        await store.queue.claim(offer, NOW)


async def test_replacing_cancels_what_is_queued(store: Store) -> None:
    await create(store, schedule(**REPLACE))
    await fire_due(store, NOW)
    fired = await fire_due(store, NOW + MINUTE)
    assert fired.queued == 1
    assert await lines(store) == [(CANCELLED, None), (QUEUED, None)]
    runs = await runs_of(store, statuses=[CANCELLED])
    assert [(run.reason, run.finished_at) for run in runs] == [("overlap", NOW + MINUTE)]
    made = await store.schedules.get(ACME, "nightly")
    assert made is not None
    days = await store.schedules.days(ACME, made.id, NOW.date())
    assert [day.cancelled for day in days] == [1]


async def test_replacing_asks_what_runs_to_stop_and_waits_for_it(store: Store) -> None:
    offer = await online(store)
    await create(store, schedule(**REPLACE))
    await fire_due(store, NOW, offer)
    await fire_due(store, NOW + MINUTE)
    await fire_due(store, NOW + 2 * MINUTE)
    assert await lines(store) == [(RUNNING, None), (CANCELLED, None), (QUEUED, Gate.OVERLAP)]
    [run] = await store.queue.held(offer.worker_id)
    assert (await run_of(store, run)).cancel_requested_at == NOW + MINUTE
    assert await claimed(store, offer) == []
    await store.queue.finish([retried(begun(run))])
    assert (await run_of(store, run)).status is CANCELLED
    [newest] = await claimed(store, offer)
    assert newest.nominal_at == NOW + 2 * MINUTE


async def test_a_start_by_hand_replaces_too(store: Store) -> None:
    offer = await online(store)
    await create(store, schedule(**REPLACE))
    await fire_due(store, NOW, offer)
    waiting = await add(store, ACME, "nightly")
    newest = await add(store, ACME, "nightly")
    runs: dict[Any, Run] = {run.id: run for run in await runs_of(store)}
    assert runs[waiting.id].status is CANCELLED
    assert newest.gate is Gate.OVERLAP
    [run] = await store.queue.held(offer.worker_id)
    await store.queue.finish([cancelled(begun(run))])
    assert [each.id for each in await claimed(store, offer)] == [newest.id]


@pytest.mark.parametrize("options", [QUEUE, REPLACE], ids=["queue", "cancel_running"])
async def test_firing_starting_claiming_and_ending_at_once_never_run_two(
    store: Store, another: Another, options: dict[str, Any]
) -> None:
    offer = await online(store, lease_until=NOW + 100 * MINUTE)
    await create(store, schedule(**options))
    stores = [store, another(), another()]
    for minute in range(12):
        now = NOW + minute * MINUTE
        held = await store.queue.held(offer.worker_id)
        assert len(held) <= 1
        await together(
            fire_due(stores[0], now),
            stores[1].queue.finish([succeeded(begun(run, now), now) for run in held]),
            stores[2].queue.claim(offer, now),
            return_conflicts(add(stores[0], ACME, "nightly", now)),
            fire_due(stores[2], now),
        )
    for _ in range(5):
        await store.queue.rescue(NOW, 10, lost)
        await store.queue.claim(offer, NOW)
        held = await store.queue.held(offer.worker_id)
        assert len(held) <= 1
        await store.queue.finish([succeeded(begun(run)) for run in held])
    assert {status for status, _ in await lines(store)} <= {SUCCEEDED, CANCELLED, SKIPPED}


async def return_conflicts(start: Any) -> None:
    await asyncio.gather(start, return_exceptions=True)


async def test_what_stood_in_line_before_an_edit_still_goes(store: Store) -> None:
    offer = await online(store)
    await create(store, schedule(**QUEUE))
    await fire_due(store, NOW, offer)
    await fire_due(store, NOW + MINUTE)
    await edit(store, ACME, "nightly", overlap=Overlap.ALLOW)
    [run] = await store.queue.held(offer.worker_id)
    await store.queue.finish([succeeded(begun(run))])
    await store.queue.rescue(NOW, 10, lost)
    assert len(await claimed(store, offer)) == 1
