"""How a schedule ends when no further occurrence will come."""

from __future__ import annotations

from typing import Any

import pytest

from tickwright.model.run import RunStatus
from tickwright.model.schedule import ScheduleStatus
from tickwright.store.base import Store

from .support import (
    ACME,
    DAY,
    MINUTE,
    NOW,
    SECOND,
    add,
    cancelled,
    create,
    dead,
    due,
    edit,
    failed,
    fire,
    online,
    read,
    retried,
    schedule,
    succeeded,
)

ONE_SHOT: dict[str, Any] = {"trigger": {"type": "one_shot", "at": "2040-01-02T09:00:00Z"}}


ENDS = {
    "succeeded": (succeeded, "completed", "completed"),
    "failed": (failed, "failed", "completed"),
    "dead": (dead, "failed", "completed"),
    "cancelled": (cancelled, "completed", "completed"),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_spent_schedule_ends_with_its_last_run(store: Store, end: str) -> None:
    """A one-shot fails with its run; a schedule of several occurrences is complete either way."""
    ending, one_shot, repeated = ENDS[end]
    offer = await online(store)
    await create(store, schedule("once", **ONE_SHOT), schedule("often"))
    fired = await fire(store, plan=due(spent=True), offer=offer)
    for key in ("once", "often"):
        spent = await read(store, key)
        assert (spent.status, spent.cursor.spent) == (ScheduleStatus.ACTIVE, True)
        assert spent.next_run_at is None
    await store.queue.finish([ending(run, NOW + SECOND) for run in fired.claimed])
    once, often = await read(store, "once"), await read(store, "often")
    assert (once.status, often.status) == (one_shot, repeated)
    assert (once.version, once.updated_at) == (2, NOW + SECOND)


async def test_a_spent_schedule_waits_for_all_its_runs(store: Store) -> None:
    offer = await online(store, lease_until=NOW + DAY)
    await create(store, schedule())
    early = (await fire(store, offer=offer)).claimed
    late = (await fire(store, NOW + MINUTE, due(spent=True), offer)).claimed
    await store.queue.finish([succeeded(run) for run in late])
    assert (await read(store)).status is ScheduleStatus.ACTIVE
    await store.queue.finish([retried(run, delay=SECOND) for run in early])
    assert (await read(store)).status is ScheduleStatus.ACTIVE
    await store.queue.lift(NOW + SECOND)
    again = await store.queue.claim(offer, NOW + SECOND)
    await store.queue.finish([failed(run) for run in again])
    assert (await read(store)).status is ScheduleStatus.COMPLETED


@pytest.mark.parametrize(
    ("status", "ends"),
    [(RunStatus.SKIPPED, ScheduleStatus.COMPLETED), (RunStatus.MISSED, ScheduleStatus.FAILED)],
)
async def test_a_one_shot_that_made_no_work_ends_with_its_decision(
    store: Store, status: RunStatus, ends: ScheduleStatus
) -> None:
    await create(store, schedule(**ONE_SHOT))
    await fire(store, plan=due(status, spent=True))
    assert (await read(store)).status is ends


async def test_a_paused_schedule_that_is_spent_ends_and_a_cancelled_one_stays(
    store: Store,
) -> None:
    offer = await online(store)
    states = (ScheduleStatus.PAUSED, ScheduleStatus.CANCELLED)
    await create(store, *(schedule(status) for status in states))
    fired = await fire(store, plan=due(spent=True), offer=offer)
    for status in states:
        await edit(store, ACME, status, status=status)
    await store.queue.finish([succeeded(run) for run in fired.claimed])
    assert (await read(store, "paused")).status is ScheduleStatus.COMPLETED
    assert (await read(store, "cancelled")).status is ScheduleStatus.CANCELLED


async def test_a_manual_run_does_not_decide_how_a_one_shot_ends(store: Store) -> None:
    offer = await online(store)
    await create(store, schedule(**ONE_SHOT))
    [automatic] = (await fire(store, plan=due(spent=True), offer=offer)).claimed
    await add(store, ACME, "nightly", NOW + SECOND)
    [manual] = await store.queue.claim(offer, NOW + SECOND)
    await store.queue.finish([failed(automatic), succeeded(manual)])
    assert (await read(store)).status is ScheduleStatus.FAILED
