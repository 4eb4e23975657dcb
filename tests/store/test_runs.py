"""The runs contract: starting by hand, reading, cancelling."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tickwright.model.errors import Conflict, NotFound, NotPossible
from tickwright.model.run import Attempt, Cause, Gate, Items, Run, RunStatus
from tickwright.model.schedule import Cursor, Overlap, Schedule, ScheduleStatus
from tickwright.store.base import Edit, NewRun, Store
from tickwright.store.database import new_id
from tickwright.store.queries import RunQuery

from .conftest import Another
from .support import (
    ACME,
    DAY,
    MINUTE,
    NORTH,
    NOW,
    OTHER,
    SCOPES,
    SECOND,
    add,
    application,
    begun,
    change,
    create,
    delete,
    due,
    fire,
    ids,
    online,
    put_job,
    queue_up,
    retried,
    run_of,
    runs_of,
    schedule,
    succeeded,
    together,
    until_blocked,
)

GUARDED: dict[str, Any] = {"overlap": Overlap.SKIP}


async def test_a_run_started_by_hand_copies_its_schedule(store: Store) -> None:
    made = await create(store, schedule())
    new = NewRun(Cause.ADMIN, "ada", "req-1")
    run = await store.runs.add(ACME, made.key, new, now=NOW)
    assert run == Run(
        id=run.id,
        scope=ACME,
        schedule_id=made.id,
        schedule_key=made.key,
        job_key=made.job_key,
        cause=Cause.ADMIN,
        status=RunStatus.QUEUED,
        nominal_at=NOW,
        run_at=NOW,
        queue="default",
        priority=5,
        target=made.target,
        payload=made.payload,
        attempt=1,
        triggered_by="ada",
        request_key="req-1",
    )
    assert await store.runs.get(ACME, run.id) == run


async def test_a_run_takes_queue_and_priority_of_its_job(store: Store) -> None:
    await put_job(store, queue="mail", priority=8)
    await put_job(store, scope=OTHER, queue="theirs", priority=1)
    made = await create(store, schedule())
    run = await store.runs.add(ACME, made.id, NewRun(Cause.MANUAL), now=NOW)
    assert (run.queue, run.priority) == ("mail", 8)


async def test_a_payload_given_by_hand_wins_even_if_it_is_empty(store: Store) -> None:
    made = await create(store, schedule())
    assert (await add(store, ACME, made.key, payload={"x": 1})).payload == {"x": 1}
    assert (await add(store, ACME, made.key, payload={})).payload == {}


async def test_only_a_live_schedule_can_be_started(store: Store) -> None:
    made = await create(store, schedule())
    await delete(store, ACME, made.key)
    for ref in (made.key, made.id, "never", new_id()):
        with pytest.raises(NotFound):
            await store.runs.add(ACME, ref, NewRun(Cause.MANUAL), now=NOW)
    assert await runs_of(store) == []


async def test_a_start_that_waited_for_a_deletion_finds_nothing(
    store: Store, database_url: str
) -> None:
    made = await create(store, schedule())

    def decide(current: Schedule | None) -> Edit:
        assert current is not None
        gone = schedule(id=made.id, deleted_at=NOW, cursor=Cursor())
        return Edit(gone, change(gone, "delete"), cancel_queued=True)

    async with application(database_url) as theirs, theirs.begin():
        await store.schedules.write(ACME, made.key, decide, connection=theirs)
        start = asyncio.create_task(add(store, ACME, made.key))
        await until_blocked(theirs)
    with pytest.raises(NotFound):
        await start
    assert await runs_of(store) == []


async def test_under_overlap_skip_an_open_run_is_a_conflict(store: Store) -> None:
    offer = await online(store)
    await create(store, schedule(**GUARDED), schedule("weekly", **GUARDED))
    await add(store, ACME, "nightly")
    with pytest.raises(Conflict):
        await add(store, ACME, "nightly")
    await add(store, ACME, "weekly")
    [run, other] = await store.queue.claim(offer, NOW)
    with pytest.raises(Conflict):
        await add(store, ACME, "nightly")
    await store.queue.finish([succeeded(run), retried(other)])
    with pytest.raises(Conflict):
        await add(store, ACME, other.schedule_key or "")
    await add(store, ACME, run.schedule_key or "")


async def test_under_overlap_allow_every_start_is_a_run(store: Store, another: Another) -> None:
    await create(store, schedule())
    stores = [store, another()] * 3
    made = await together(*(add(each, ACME, "nightly") for each in stores))
    assert ids(made) == ids(await runs_of(store))
    assert len(ids(made)) == 6


async def test_of_concurrent_starts_under_overlap_skip_one_is_made(
    store: Store, another: Another
) -> None:
    await create(store, schedule(**GUARDED))
    stores = [store, another(), another()] * 2
    starts = [add(each, ACME, "nightly") for each in stores]
    answers = await asyncio.gather(*starts, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert len(refused) == len(stores) - 1
    assert len(await runs_of(store)) == 1


async def test_a_start_and_a_firing_never_overlap(store: Store, another: Another) -> None:
    """Under overlap skip the firing sees a start before it, and the start a firing before it."""
    second = another()
    for number in range(8):
        key = f"k{number}"
        made = await create(store, schedule(key, **GUARDED))
        seen: list[bool] = []

        def plan(d: Any, seen: list[bool] = seen) -> Any:
            seen.append(bool(d.open.active))
            return due(RunStatus.SKIPPED if d.open.active else RunStatus.QUEUED)(d)

        await asyncio.gather(add(store, ACME, key), fire(second, NOW, plan), return_exceptions=True)
        await fire(second, NOW, plan)
        runs = await runs_of(store, schedule_id=made.id, statuses=[RunStatus.QUEUED])
        assert len(runs) == 1
        assert seen == [runs[0].cause is Cause.MANUAL]


async def test_one_request_key_makes_one_run(store: Store, another: Another) -> None:
    await create(store, schedule(**GUARDED))
    stores = [store, another(), another()] * 2
    made = await together(*(add(each, ACME, "nightly", request_key="r") for each in stores))
    assert len(ids(made)) == 1
    assert ids(await runs_of(store)) == ids(made)


async def test_a_request_key_belongs_to_its_scope(store: Store) -> None:
    for scope in SCOPES:
        await create(store, schedule(scope=scope))
        await add(store, scope, "nightly", request_key="r")
    assert [len(await runs_of(store, scope)) for scope in SCOPES] == [1, 1, 1, 1]


async def test_a_request_key_that_started_another_schedule_is_a_conflict(store: Store) -> None:
    await create(store, schedule("one"), schedule("two"))
    made = await add(store, ACME, "one", request_key="r")
    with pytest.raises(Conflict):
        await add(store, ACME, "two", request_key="r")
    assert await add(store, ACME, "one", request_key="r") == made
    assert await runs_of(store) == [made]


async def test_one_request_key_for_several_schedules_at_once_starts_one(
    store: Store, another: Another
) -> None:
    await create(store, *(schedule(f"k{n}") for n in range(6)))
    stores = [store, another(), another()] * 2
    starts = [add(each, ACME, f"k{n}", request_key="r") for n, each in enumerate(stores)]
    answers = await asyncio.gather(*starts, return_exceptions=True)
    assert sum(isinstance(answer, Conflict) for answer in answers) == 5
    assert [answer for answer in answers if isinstance(answer, Run)] == await runs_of(store)


async def test_a_cancelled_schedule_cannot_be_started(store: Store) -> None:
    await create(store, schedule(status=ScheduleStatus.CANCELLED))
    for force in (True, False):
        with pytest.raises(NotPossible):
            await add(store, ACME, "nightly", force=force)
    assert await runs_of(store) == []


async def test_a_schedule_that_is_not_active_is_started_by_force_only(store: Store) -> None:
    for status in (ScheduleStatus.PAUSED, ScheduleStatus.COMPLETED, ScheduleStatus.FAILED):
        await create(store, schedule(status, status=status))
        with pytest.raises(NotPossible):
            await add(store, ACME, status, force=False)
        made = await add(store, ACME, status, request_key=status)
        assert await add(store, ACME, status, force=False, request_key=status) == made
    await create(store, schedule())
    await add(store, ACME, "nightly", force=False)
    assert len(await runs_of(store)) == 4


async def test_runs_are_told_newest_first_in_pages(store: Store) -> None:
    await create(store, schedule())
    made = [await add(store, ACME, "nightly", NOW - n * SECOND) for n in range(5)]
    first = await store.runs.find(ACME, RunQuery(limit=3))
    second = await store.runs.find(ACME, RunQuery(limit=3, offset=3))
    assert [run.id for run in first.items + second.items] == [run.id for run in made[::-1]]
    assert (first.total, first.has_more, second.total, second.has_more) == (5, True, 5, False)


async def test_runs_of_one_schedule_are_told_latest_occurrence_first(store: Store) -> None:
    made = await create(store, schedule())
    moments = [NOW - n * SECOND for n in (3, 0, 2, 2, 1)]
    added = [await add(store, ACME, made.key, moment) for moment in moments]
    await queue_up(store, key="weekly")
    order = [added[n].id for n in (1, 4, 3, 2, 0)]
    paged = [
        await store.runs.find(ACME, RunQuery(limit=2, offset=n, schedule_id=made.id))
        for n in (0, 2, 4)
    ]
    assert [run.id for page in paged for run in page.items] == order
    assert {page.total for page in paged} == {5}


async def test_filters_narrow_the_runs(store: Store) -> None:
    offer = await online(store, slots=1)
    await create(store, schedule(), schedule("weekly", job_key="cleanup"), schedule(scope=OTHER))
    early = await add(store, ACME, "nightly", NOW - MINUTE)
    [running] = await store.queue.claim(offer, NOW)
    late = await add(store, ACME, "weekly", NOW + MINUTE)
    now = await add(store, ACME, "nightly", NOW)
    await add(store, OTHER, "nightly", NOW)
    assert running.id == early.id
    cases: list[tuple[dict[str, Any], set[Any]]] = [
        ({}, {early.id, late.id, now.id}),
        ({"statuses": [RunStatus.RUNNING]}, {early.id}),
        ({"statuses": {RunStatus.RUNNING, RunStatus.QUEUED}}, {early.id, late.id, now.id}),
        ({"statuses": [RunStatus.DEAD]}, set()),
        ({"job_key": "cleanup"}, {late.id}),
        ({"worker_id": offer.worker_id}, {early.id}),
        ({"worker_id": new_id()}, set()),
        ({"since": NOW}, {late.id, now.id}),
        ({"until": NOW}, {early.id}),
        ({"since": NOW, "until": NOW + MINUTE}, {now.id}),
    ]
    for query, found in cases:
        page = await store.runs.find(ACME, RunQuery(**query))
        assert (ids(page.items), page.total) == (found, len(found)), query


async def test_a_finished_run_is_read_back_whole(store: Store) -> None:
    offer = await online(store)
    await queue_up(store)
    [claimed] = await store.queue.claim(offer, NOW)
    result = {"rows": [1, None, {"ä": 1.5}], "ok": True}
    ending = succeeded(
        begun(claimed, NOW), NOW + 2 * SECOND, result=result, items=Items(2**40, 2, 1)
    )
    await store.queue.finish([ending])
    run = await run_of(store, claimed)
    assert (run.status, run.result, run.items) == (RunStatus.SUCCEEDED, result, Items(2**40, 2, 1))
    assert (run.started_at, run.finished_at) == (NOW, NOW + 2 * SECOND)
    assert (run.duration, run.worker_id, run.count) == (2 * SECOND, offer.worker_id, 1)


async def test_attempts_tell_the_tries_before_the_last(store: Store) -> None:
    offer = await online(store, lease_until=NOW + DAY)
    await queue_up(store)
    for number in range(3):
        at = NOW + number * MINUTE
        await store.queue.lift(at)
        [claimed] = await store.queue.claim(offer, at)
        await store.queue.finish([retried(begun(claimed, at), at + SECOND, SECOND)])
    assert await store.runs.attempts(ACME, claimed.id) == [
        Attempt(
            claimed.id, n + 1, "failed", offer.worker_id, NOW + n * MINUTE,
            NOW + n * MINUTE + SECOND, "boom",
        )
        for n in range(3)
    ]  # fmt: skip
    assert await store.runs.attempts(OTHER, claimed.id) == []


async def test_a_queued_run_is_cancelled_at_once(store: Store) -> None:
    offer = await online(store)
    await create(store, schedule())
    run = await add(store, ACME, "nightly")
    cancelled = await store.runs.cancel(ACME, run.id, now=NOW + SECOND)
    assert cancelled == await store.runs.get(ACME, run.id)
    assert cancelled is not None
    assert (cancelled.status, cancelled.reason) == (RunStatus.CANCELLED, "cancelled")
    assert (cancelled.finished_at, cancelled.gate) == (NOW + SECOND, None)
    assert await store.queue.claim(offer, NOW) == []


async def test_a_run_that_waits_for_its_next_try_is_cancelled_at_once(store: Store) -> None:
    offer = await online(store)
    await queue_up(store)
    [claimed] = await store.queue.claim(offer, NOW)
    await store.queue.finish([retried(claimed)])
    assert (await run_of(store, claimed)).gate is Gate.TIME
    cancelled = await store.runs.cancel(ACME, claimed.id, now=NOW)
    assert cancelled is not None
    assert (cancelled.status, cancelled.gate) == (RunStatus.CANCELLED, None)
    assert await store.queue.lift(NOW + DAY) == 0
    assert await store.firing.next_due() == NOW


async def test_a_running_run_is_asked_to_stop_and_keeps_the_first_asking(store: Store) -> None:
    offer = await online(store)
    await queue_up(store)
    [claimed] = await store.queue.claim(offer, NOW)
    for at in (NOW, NOW + SECOND):
        asked = await store.runs.cancel(ACME, claimed.id, now=at)
        assert asked is not None
        assert (asked.status, asked.cancel_requested_at) == (RunStatus.RUNNING, NOW)
        assert asked.finished_at is None


async def test_an_ended_run_is_not_cancelled(store: Store) -> None:
    offer = await online(store)
    await queue_up(store)
    [claimed] = await store.queue.claim(offer, NOW)
    await store.queue.finish([succeeded(claimed)])
    before = await run_of(store, claimed)
    assert await store.runs.cancel(ACME, claimed.id, now=NOW + DAY) == before


async def test_nobody_cancels_a_run_of_another_scope(store: Store) -> None:
    await create(store, schedule())
    run = await add(store, ACME, "nightly")
    for scope in (OTHER, NORTH):
        assert await store.runs.cancel(scope, run.id, now=NOW) is None
        assert await store.runs.cancel(scope, new_id(), now=NOW) is None
    assert await store.runs.get(ACME, run.id) == run


async def test_a_run_is_cancelled_or_claimed_never_both(store: Store, another: Another) -> None:
    offer = await online(store)
    second = another()
    await create(store, schedule())
    for _ in range(8):
        run = await add(store, ACME, "nightly")
        claimed, cancelled = await asyncio.gather(
            second.queue.claim(offer, NOW), store.runs.cancel(ACME, run.id, now=NOW)
        )
        assert cancelled is not None
        stopped = cancelled.status is RunStatus.CANCELLED
        assert stopped is (claimed == [])
        assert stopped is (cancelled.cancel_requested_at is None)
        await store.queue.finish([succeeded(each) for each in claimed])
