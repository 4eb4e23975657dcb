"""The firing contract: every due occurrence decided once, with its rows and its cursor together."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from tickwright.model.plan import NONE_OPEN, Decision, Due, OpenRuns, Plan
from tickwright.model.run import Cause, RunStatus
from tickwright.model.schedule import Cursor, Misfire, Overlap, ScheduleStatus
from tickwright.store.answers import Fired
from tickwright.store.base import Store

from .conftest import Another
from .support import (
    ACME,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    add,
    create,
    delete,
    due,
    edit,
    fire,
    online,
    put_job,
    queue_up,
    read,
    retried,
    runs_of,
    schedule,
    succeeded,
)


async def test_a_due_schedule_fires_one_run_and_steps_on(store: Store) -> None:
    made = await create(store, schedule())
    assert await fire(store) == Fired(schedules=1, queued=1)
    [run] = await runs_of(store)
    assert (run.schedule_id, run.schedule_key, run.job_key) == (made.id, made.key, "report")
    assert (run.status, run.cause, run.gate) == (RunStatus.QUEUED, Cause.SCHEDULE, None)
    assert run.nominal_at == run.run_at == NOW
    assert (run.target, run.payload) == (made.target, made.payload)
    assert (await read(store)).cursor == Cursor(NOW + MINUTE, NOW, 1)
    assert await fire(store) == Fired()


async def test_only_what_is_due_is_decided_and_the_longest_waiting_first(store: Store) -> None:
    for minutes in (3, 1, 2, -1):
        await create(store, schedule(f"k{minutes}", cursor=Cursor(NOW - minutes * MINUTE)))
    assert (await fire(store, limit=2)).schedules == 2
    assert {run.schedule_key for run in await runs_of(store)} == {"k3", "k2"}
    assert (await fire(store, NOW - 2 * MINUTE)).schedules == 1
    assert (await fire(store)).schedules == 3


async def test_the_plan_sees_the_schedule_as_it_is(store: Store) -> None:
    made = await create(
        store,
        schedule(
            ends_at=NOW + DAY,
            max_runs=9,
            misfire=Misfire.SKIP,
            overlap=Overlap.SKIP,
            cursor=Cursor(NOW - SECOND, NOW - MINUTE, 4),
        ),
    )
    seen = await dues(store)
    assert [replace_trigger(each) for each in seen] == [
        Due(
            schedule_id=made.id,
            trigger="",
            next_run_at=NOW - SECOND,
            fired_count=4,
            ends_at=NOW + DAY,
            max_runs=9,
            misfire=Misfire.SKIP,
            overlap=Overlap.SKIP,
        )
    ]


def replace_trigger(d: Due) -> Due:
    """The trigger is JSON text, and each dialect spaces it in its own way."""
    assert d.trigger.replace(" ", "") == '{"type":"interval","every":"1m"}' or (
        d.trigger.replace(" ", "") == '{"every":"1m","type":"interval"}'
    )
    d.trigger = ""
    return d


async def dues(store: Store, now: datetime = NOW) -> list[Due]:
    """What a firing is shown."""
    seen: list[Due] = []

    def plan(d: Due) -> Plan:
        seen.append(d)
        return due()(d)

    await fire(store, now, plan)
    return seen


async def test_a_firing_copies_queue_and_priority_of_the_job(store: Store) -> None:
    await put_job(store, queue="mail", priority=9)
    await create(store, schedule())
    await fire(store)
    [run] = await runs_of(store)
    assert (run.queue, run.priority) == ("mail", 9)


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
async def test_an_open_run_is_seen_under_overlap_skip_only(store: Store, status: RunStatus) -> None:
    offer = await online(store)
    await create(store, schedule("skip", overlap=Overlap.SKIP), schedule("allow"), schedule("idle"))
    await create(store, schedule("ended", overlap=Overlap.SKIP))
    await add(store, ACME, "ended")
    await store.queue.finish([succeeded(run) for run in await store.queue.claim(offer, NOW)])
    for key in ("skip", "allow"):
        await add(store, ACME, key)
    if status is RunStatus.RUNNING:
        assert len(await store.queue.claim(offer, NOW)) == 2
    names = {each.id: each.key for each in [await read(store, k) for k in ("skip", "ended")]}
    assert {names.get(d.schedule_id, "?"): d.open for d in await dues(store)} == {
        "skip": OpenRuns(1),
        "ended": NONE_OPEN,
        "?": NONE_OPEN,
    }


async def test_a_run_that_waits_for_its_next_try_is_open(store: Store) -> None:
    offer = await online(store)
    await queue_up(store, overlap=Overlap.SKIP)
    await store.queue.finish([retried(run) for run in await store.queue.claim(offer, NOW)])
    assert [d.open for d in await dues(store)] == [OpenRuns(1)]


async def test_decisions_without_work_are_kept_and_told(store: Store) -> None:
    made = await create(store, schedule())

    def plan(d: Due) -> Plan:
        missed = Decision(NOW - HOUR, RunStatus.MISSED, "coalesced", NOW - MINUTE, 60)
        skipped = Decision(NOW, RunStatus.SKIPPED, "overlap")
        return Plan(d.schedule_id, [missed, skipped], NOW + MINUTE, NOW, d.fired_count)

    fired = await fire(store, NOW, plan)
    assert (fired.schedules, fired.queued, fired.claimed) == (1, 0, [])
    assert [(told.scope, told.schedule_id, told.schedule_key) for told in fired.undone] == [
        (ACME, made.id, made.key)
    ] * 2
    assert [told.decision.reason for told in fired.undone] == ["coalesced", "overlap"]
    skipped, missed = await runs_of(store, schedule_id=made.id)
    assert (missed.status, missed.reason) == (RunStatus.MISSED, "coalesced")
    assert (missed.nominal_at, missed.through_at, missed.count) == (NOW - HOUR, NOW - MINUTE, 60)
    assert (skipped.status, skipped.reason) == (RunStatus.SKIPPED, "overlap")
    assert (skipped.through_at, skipped.count, skipped.target) == (None, 1, {})
    assert (await read(store)).cursor == Cursor(NOW + MINUTE, NOW, 0)


async def test_a_plan_that_decides_nothing_keeps_what_was_decided_before(store: Store) -> None:
    await create(store, schedule())
    await fire(store, plan=lambda d: Plan(d.schedule_id, [], NOW + HOUR, None, d.fired_count))
    assert (await read(store)).cursor == Cursor(NOW + HOUR, NOW - MINUTE, 0)


async def test_a_parked_schedule_is_told_and_harms_no_other(store: Store) -> None:
    parked = await create(store, schedule("broken"))
    await create(store, schedule("sound"))

    def plan(d: Due) -> Plan:
        if d.schedule_id != parked.id:
            return due()(d)
        return Plan(d.schedule_id, [], None, NOW, d.fired_count, parked="no such zone")

    fired = await fire(store, NOW, plan)
    assert fired.parked == [(ACME, parked.id, "no such zone")]
    assert (fired.schedules, fired.queued) == (2, 1)
    assert (await read(store, "broken")).cursor.parked == "no such zone"
    assert (await read(store, "broken")).status is ScheduleStatus.ACTIVE
    assert (await read(store, "sound")).cursor.fired_count == 1
    assert [d.schedule_id for d in await dues(store, NOW + DAY)] == [
        (await read(store, "sound")).id
    ]


async def test_an_instant_that_exists_already_stays_as_it_is_and_the_cursor_moves(
    store: Store,
) -> None:
    offer = await online(store)
    await create(store, schedule())
    fired = await fire(store, offer=offer)
    await store.queue.finish([succeeded(run) for run in fired.claimed])
    [before] = await runs_of(store)
    await edit(store, ACME, "nightly", cursor=Cursor(NOW, NOW - MINUTE, 1))
    again = await fire(store, offer=offer)
    assert (again.schedules, again.queued, again.claimed, again.undone) == (1, 0, [], [])
    assert await runs_of(store) == [before]
    assert (await read(store)).cursor == Cursor(NOW + MINUTE, NOW, 2)


async def test_an_undone_instant_that_exists_already_is_not_told_again(store: Store) -> None:
    await create(store, schedule())
    for told in (1, 0):
        fired = await fire(store, plan=due(RunStatus.SKIPPED, reason="overlap"))
        assert len(fired.undone) == told
        await edit(store, ACME, "nightly", cursor=Cursor(NOW, NOW - MINUTE))


async def test_a_run_by_hand_at_the_same_instant_does_not_stand_in_for_it(store: Store) -> None:
    await create(store, schedule())
    await add(store, ACME, "nightly", NOW)
    assert (await fire(store)).queued == 1
    assert [run.cause for run in await runs_of(store)] == [Cause.SCHEDULE, Cause.MANUAL]


async def test_a_plan_that_raises_leaves_everything_as_it_was(store: Store) -> None:
    made = await create(store, schedule())

    def plan(_: Due) -> Plan:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fire(store, NOW, plan)
    assert await read(store) == made
    assert await runs_of(store) == []


async def test_concurrent_planners_fire_every_occurrence_once(
    store: Store, another: Another
) -> None:
    made = await create(store, *(schedule(f"k{n}") for n in range(24)))
    planners = [store, another(), another(), another()] * 2
    last = NOW + 4 * MINUTE

    async def tick(planner: Store) -> int:
        queued = 0
        while (fired := await fire(planner, last, limit=5)).schedules:
            queued += fired.queued
        return queued

    told = sum(await asyncio.gather(*(tick(planner) for planner in planners)))
    told += await tick(store)
    runs = await runs_of(store)
    occurrences = {(run.schedule_id, run.nominal_at) for run in runs}
    assert told == len(runs) == len(occurrences) == 24 * 5
    cursors = {(await read(store, f"k{n}")).cursor for n in range(24)}
    assert cursors == {Cursor(last + MINUTE, last, 5)}
    assert made.key == "k23"


async def test_next_due_is_the_earliest_of_occurrences_and_waiting_runs(store: Store) -> None:
    offer = await online(store)
    assert await store.firing.next_due() is None
    await queue_up(store, cursor=Cursor(NOW + HOUR))
    assert await store.firing.next_due() == NOW + HOUR
    await store.queue.finish([retried(run) for run in await store.queue.claim(offer, NOW)])
    assert await store.firing.next_due() == NOW + MINUTE
    await store.queue.lift(NOW + MINUTE)
    assert await store.firing.next_due() == NOW + HOUR
    await delete(store, ACME, "nightly")
    assert await store.firing.next_due() is None
