"""Runs without a schedule, and runs that do again what an ended one did."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tickwright.model.errors import Conflict, NotPossible
from tickwright.model.run import Cause, Gate, Run, RunStatus
from tickwright.model.schedule import Overlap
from tickwright.store.base import NewRun, Store, Work
from tickwright.store.database import new_id

from .conftest import Another
from .support import (
    ACME,
    HOUR,
    NOW,
    OTHER,
    SECOND,
    begun,
    create,
    dead,
    delete,
    due,
    fire,
    online,
    put_job,
    queue_up,
    read,
    runs_of,
    schedule,
    succeeded,
    together,
)

WORK = Work("report", {"type": "handler", "name": "work"}, "work")


async def start(store: Store, work: Work = WORK, **new: Any) -> Run:
    return await store.runs.start(ACME, work, NewRun(Cause.MANUAL, **new), now=NOW)


async def replay(store: Store, run_id: UUID, **new: Any) -> Run | None:
    given = NewRun(Cause.REPLAY, **new)
    return await store.runs.replay(ACME, run_id, given, now=NOW + HOUR)


async def ended(store: Store, ending: Any = dead, **options: Any) -> Run:
    """The only run of a schedule, at its end."""
    offer = await online(store)
    await queue_up(store, **options)
    [run] = await store.queue.claim(offer, NOW)
    await store.queue.finish([ending(begun(run))])
    [found] = await runs_of(store)
    return found


async def test_a_run_without_a_schedule_is_executed_and_ends(store: Store) -> None:
    await put_job(store, priority=9)
    made = await start(store, payload={"a": 1}, triggered_by="ada")
    assert (made.schedule_id, made.cause, made.status) == (None, Cause.MANUAL, RunStatus.QUEUED)
    assert (made.priority, made.payload, made.triggered_by) == (9, {"a": 1}, "ada")
    [run] = await store.queue.claim(await online(store), NOW)
    assert (run.id, run.schedule_id, run.target) == (made.id, None, WORK.target)
    assert run.idempotency_key == f"s1:{ACME.key}:report:m:{made.id}"
    await store.queue.finish([succeeded(begun(run))])
    assert (await runs_of(store))[0].status is RunStatus.SUCCEEDED


async def test_one_request_key_starts_one_job_once(store: Store, another: Another) -> None:
    stores = [store, another(), another()] * 2
    made = await together(*(start(each, request_key="r") for each in stores))
    assert len({run.id for run in made}) == 1
    with pytest.raises(Conflict):
        await start(store, Work("other", WORK.target, "work"), request_key="r")


async def test_a_replay_does_the_same_for_the_same_instant(store: Store) -> None:
    old = await ended(store)
    made = await replay(store, old.id, triggered_by="ada")
    assert made is not None
    assert (made.replay_of, made.cause, made.status) == (old.id, Cause.REPLAY, RunStatus.QUEUED)
    assert (made.nominal_at, made.run_at) == (old.nominal_at, NOW + HOUR)
    assert (made.target, made.payload, made.attempt) == (old.target, old.payload, 1)
    [run] = await store.queue.claim(await online(store, lease_until=NOW + 2 * HOUR), NOW + HOUR)
    assert run.idempotency_key.endswith(f":r:{made.id}")
    assert (await runs_of(store, statuses=[RunStatus.DEAD]))[0] == old


async def test_a_run_may_be_replayed_again_and_with_another_payload(store: Store) -> None:
    old = await ended(store, succeeded, overlap=Overlap.ALLOW)
    first, second = await replay(store, old.id), await replay(store, old.id, payload={"b": 2})
    assert first is not None
    assert second is not None
    assert first.id != second.id
    assert (first.payload, second.payload) == (old.payload, {"b": 2})


async def test_one_request_key_replays_once(store: Store, another: Another) -> None:
    old = await ended(store)
    stores = [store, another(), another()] * 2
    made = await together(*(replay(each, old.id, request_key="r") for each in stores))
    assert len({run.id for run in made if run is not None}) == 1
    with pytest.raises(Conflict):
        await start(store, request_key="r")


async def test_what_has_not_ended_or_never_was_a_run_is_not_replayed(store: Store) -> None:
    await queue_up(store)
    [queued] = await runs_of(store)
    with pytest.raises(NotPossible, match="has not ended"):
        await replay(store, queued.id)
    await create(store, schedule("skipping"))
    await fire(store, NOW, due(RunStatus.SKIPPED, reason="overlap"))
    skipped = (await runs_of(store, statuses=[RunStatus.SKIPPED]))[0]
    with pytest.raises(NotPossible, match="no run to repeat"):
        await replay(store, skipped.id)
    assert await replay(store, new_id()) is None


async def test_a_foreign_run_is_not_there_to_be_replayed(store: Store) -> None:
    old = await ended(store)
    given = NewRun(Cause.REPLAY)
    assert await store.runs.replay(OTHER, old.id, given, now=NOW) is None


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE, Overlap.ALLOW])
async def test_a_replay_overlaps_as_its_schedule_has_it(store: Store, overlap: Overlap) -> None:
    old = await ended(store, overlap=overlap)
    first = await replay(store, old.id)
    assert first is not None
    if overlap is Overlap.SKIP:
        with pytest.raises(Conflict):
            await replay(store, old.id)
        return
    second = await replay(store, old.id)
    assert second is not None
    assert second.gate is (Gate.OVERLAP if overlap is Overlap.QUEUE else None)


async def test_the_run_of_a_deleted_schedule_can_be_replayed(store: Store) -> None:
    old = await ended(store)
    await delete(store, ACME, "nightly")
    made = await replay(store, old.id)
    assert made is not None
    assert made.status is RunStatus.QUEUED


async def test_replays_do_not_count_towards_what_fired(store: Store) -> None:
    old = await ended(store)
    before = (await read(store)).cursor
    await replay(store, old.id)
    assert (await read(store)).cursor == before
    assert (await fire(store, NOW - SECOND)).schedules == 0
