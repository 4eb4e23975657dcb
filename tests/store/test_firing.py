"""The firing contract: every due occurrence decided once, with its rows and its cursor together."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from tickwright.model.plan import Decision, Due, Plan
from tickwright.model.run import Cause, RunStatus
from tickwright.model.schedule import Cursor, Misfire, Overlap, Schedule, ScheduleStatus
from tickwright.model.worker import WorkerStatus
from tickwright.store.base import Fired, Offer, Store

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
    cancelled,
    create,
    dead,
    delete,
    due,
    edit,
    failed,
    fire,
    ids,
    online,
    put_job,
    queue_up,
    retried,
    runs_of,
    schedule,
    succeeded,
)

ONE_SHOT: dict[str, Any] = {"trigger": {"type": "one_shot", "at": "2040-01-02T09:00:00Z"}}


async def read(store: Store, key: str = "nightly") -> Schedule:
    found = await store.schedules.get(ACME, key)
    assert found is not None
    return found


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
            open=False,
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
        "skip": True,
        "ended": False,
        "?": False,
    }


async def test_a_run_that_waits_for_its_next_try_is_open(store: Store) -> None:
    offer = await online(store)
    await queue_up(store, overlap=Overlap.SKIP)
    await store.queue.finish([retried(run) for run in await store.queue.claim(offer, NOW)])
    assert [d.open for d in await dues(store)] == [True]


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


async def test_what_fits_the_offer_is_born_claimed(store: Store) -> None:
    await put_job(store, timeout=HOUR / 2)
    offer = await online(store)
    made = await create(store, schedule())
    fired = await fire(store, offer=offer)
    [claimed] = fired.claimed
    assert (fired.schedules, fired.queued) == (1, 0)
    assert (claimed.schedule_key, claimed.scope, claimed.attempt) == (made.key, ACME, 1)
    assert (claimed.target, claimed.payload) == (made.target, made.payload)
    assert (claimed.policy.timeout, claimed.worker_id) == (HOUR / 2, offer.worker_id)
    [run] = await runs_of(store)
    assert (run.status, run.worker_id, run.started_at) == (
        RunStatus.RUNNING,
        offer.worker_id,
        None,
    )
    assert await store.queue.finish([succeeded(claimed)]) == {claimed.id}


async def test_a_firing_claims_only_what_its_process_serves(store: Store) -> None:
    await put_job(store, "mail", queue="mail")
    offer = await online(store)
    await create(
        store,
        schedule("other-queue", job_key="mail"),
        schedule("other-handler", target={"type": "handler", "name": "else"}),
        schedule("http", target={"type": "http", "service": "email"}),
        schedule("ours"),
        schedule("undone"),
    )
    undone = await read(store, "undone")

    def plan(d: Due) -> Plan:
        return due(RunStatus.SKIPPED if d.schedule_id == undone.id else RunStatus.QUEUED)(d)

    fired = await fire(store, NOW, plan, offer)
    assert {run.schedule_key for run in fired.claimed} == {"http", "ours"}
    assert (fired.queued, len(fired.undone)) == (2, 1)


async def test_a_firing_claims_at_most_its_free_slots(store: Store) -> None:
    offer = await online(store, slots=2)
    await create(store, *(schedule(f"k{n}") for n in range(5)))
    fired = await fire(store, offer=offer)
    assert (len(fired.claimed), fired.queued) == (2, 3)
    assert len(await runs_of(store, statuses=[RunStatus.RUNNING])) == 2


async def test_a_firing_without_free_slots_claims_nothing(store: Store) -> None:
    offer = await online(store, slots=0)
    await create(store, schedule())
    fired = await fire(store, offer=offer)
    assert (fired.claimed, fired.queued) == ([], 1)


async def test_new_runs_do_not_overtake_older_ready_work(store: Store) -> None:
    offer = await online(store)
    await queue_up(store, scope=OTHER)
    await create(store, schedule())
    fired = await fire(store, offer=offer)
    assert (fired.claimed, fired.queued) == ([], 2)


async def test_work_that_still_waits_for_its_time_is_not_overtaken(store: Store) -> None:
    offer = await online(store)
    await queue_up(store, scope=OTHER, cursor=Cursor())
    await store.queue.finish([retried(run) for run in await store.queue.claim(offer, NOW)])
    await create(store, schedule())
    assert len((await fire(store, offer=offer)).claimed) == 1


@pytest.mark.parametrize(
    "state",
    [
        {"lease_until": NOW},
        {"status": WorkerStatus.OFFLINE},
        {"status": WorkerStatus.DRAINING},
    ],
    ids=["dead", "offline", "draining"],
)
async def test_a_firing_claims_nothing_for_a_worker_without_a_live_lease(
    store: Store, state: dict[str, Any]
) -> None:
    offer = await online(store, **state)
    await create(store, schedule())
    fired = await fire(store, offer=offer)
    assert (fired.claimed, fired.queued) == ([], 1)


async def test_a_firing_claims_nothing_for_a_worker_nobody_knows(store: Store) -> None:
    await create(store, schedule())
    fired = await fire(store, offer=Offer(UUID(int=1), ("default",), ("work",), 5))
    assert (fired.claimed, fired.queued) == ([], 1)


async def test_firing_and_claiming_together_hand_each_run_to_one(
    store: Store, another: Another
) -> None:
    planner, worker = await online(store), await online(store)
    claimer = another()
    for minute in range(6):
        await create(store, *(schedule(f"k{minute}-{n}") for n in range(5)))
        fired, claimed = await asyncio.gather(
            fire(store, offer=planner, plan=due(every=DAY)), claimer.queue.claim(worker, NOW)
        )
        claimed += await claimer.queue.claim(worker, NOW)
        assert len(ids(fired.claimed) | ids(claimed)) == len(fired.claimed) + len(claimed) == 5
        await store.queue.finish([succeeded(run) for run in fired.claimed + claimed])


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
