"""Which ended runs go, by age and by number, and which stay whatever they are told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tickwright.model.run import Cause, Claimed, Run, RunStatus
from tickwright.model.schedule import Cursor
from tickwright.store import pruning
from tickwright.store.answers import Pruned
from tickwright.store.base import NewRun, Store, Work
from tickwright.store.schema import Tables

from .support import (
    ACME,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    add,
    application,
    begun,
    create,
    dead,
    delete,
    due,
    failed,
    fire,
    ids,
    online,
    put_job,
    queue_up,
    runs_of,
    schedule,
    succeeded,
    worker,
)

LATER = NOW + 30 * DAY
WEEK = 7 * DAY


async def ended(store: Store, count: int, key: str = "nightly", **changes: Any) -> list[Claimed]:
    """So many succeeded runs of a new schedule, the oldest first."""
    await queue_up(store, count, key=key, **changes)
    claimed = await store.queue.claim(await online(store, slots=count), NOW)
    await store.queue.finish([succeeded(begun(run)) for run in claimed])
    return sorted(claimed, key=lambda run: run.nominal_at)


async def failure(store: Store, key: str, at: datetime = NOW) -> Run:
    """One more run of a schedule, which fails."""
    made = await add(store, ACME, key, at)
    [claimed] = await store.queue.claim(await online(store, lease_until=LATER), at)
    await store.queue.finish([dead(begun(claimed, at), at)])
    return made


async def old(store: Store, now: datetime = LATER, keep: timedelta = WEEK) -> int:
    return (await store.upkeep.prune_old(now, keep, 1000)).runs


async def excess(store: Store, most: int) -> int:
    return (await store.upkeep.prune_excess(most, 1000)).runs


async def test_a_job_says_how_long_its_runs_are_kept(store: Store) -> None:
    await put_job(store, "short", keep_for=HOUR)
    await put_job(store, "long", keep_for=60 * DAY)
    for key in ("report", "short", "long"):
        await ended(store, 2, key, job_key=key)
    assert await old(store, NOW + HOUR) == 0
    assert await old(store, NOW + HOUR + SECOND) == 2
    assert {run.job_key for run in await runs_of(store)} == {"report", "long"}
    assert await old(store) == 2
    assert {run.job_key for run in await runs_of(store)} == {"long"}
    assert await old(store, NOW + 61 * DAY) == 2


async def test_runs_without_a_schedule_are_kept_as_long_as_their_job_says(store: Store) -> None:
    await put_job(store, "short", keep_for=HOUR)
    offer = await online(store)
    for key in ("short", "plain"):
        work = Work(key, {"type": "handler", "name": "work"}, "work")
        await store.runs.start(ACME, work, NewRun(Cause.MANUAL), now=NOW)
    await store.queue.finish([failed(begun(run)) for run in await store.queue.claim(offer, NOW)])
    assert await old(store, NOW + DAY) == 1
    assert {run.job_key for run in await runs_of(store)} == {"plain"}
    assert await old(store) == 1


async def test_each_schedule_keeps_its_latest_runs(store: Store) -> None:
    many = await ended(store, 5, "many")
    few = await ended(store, 2, "few")
    assert await excess(store, 3) == 2
    assert ids(await runs_of(store)) == {run.id for run in [*many[2:], *few]}
    assert await excess(store, 3) == 0


async def test_a_job_says_how_many_of_its_runs_are_kept(store: Store) -> None:
    await put_job(store, "one", keep_last=1)
    await put_job(store, "nine", keep_last=9)
    for key in ("report", "one", "nine"):
        await ended(store, 4, key, job_key=key)
    assert await excess(store, 2) == 2 + 3
    kept = [run.job_key for run in await runs_of(store)]
    assert {key: kept.count(key) for key in kept} == {"report": 2, "one": 1, "nine": 4}
    assert await excess(store, 0) == 0


async def test_a_bound_of_none_keeps_all_but_what_jobs_bound(store: Store) -> None:
    await put_job(store, "one", keep_last=1)
    for key in ("report", "one"):
        await ended(store, 4, key, job_key=key)
    assert await excess(store, 0) == 3
    assert len(await runs_of(store)) == 5


async def test_the_newest_failure_of_a_schedule_stays(store: Store) -> None:
    await create(store, schedule(cursor=Cursor()), schedule("other", cursor=Cursor()))
    first, newest = await failure(store, "nightly"), await failure(store, "nightly", NOW + SECOND)
    others = await failure(store, "other")
    for n in range(3):
        await add(store, ACME, "nightly", NOW + MINUTE + n * SECOND)
    claimed = await store.queue.claim(await online(store, lease_until=LATER), NOW + HOUR)
    await store.queue.finish([succeeded(begun(run, NOW + HOUR), NOW + HOUR) for run in claimed])
    assert await excess(store, 1) == 3
    assert first.id not in ids(await runs_of(store))
    assert await old(store) == 1
    assert ids(await runs_of(store)) == {newest.id, others.id}


async def test_of_a_deleted_schedule_nothing_stays(store: Store) -> None:
    await create(store, schedule(cursor=Cursor()))
    await failure(store, "nightly")
    await delete(store, ACME, "nightly")
    assert await old(store) == 1
    assert await runs_of(store) == []


async def test_nothing_goes_that_its_schedule_has_not_decided(
    store: Store, database_url: str
) -> None:
    """However a cursor came to lie before its rows, deleting them would let them fire again."""
    await create(store, schedule(), schedule("other"))
    await fire(store, plan=due(RunStatus.SKIPPED, every=DAY))
    cursors = Tables(store.dialect).cursors
    async with application(database_url) as theirs, theirs.begin():
        made = await store.schedules.get(ACME, "nightly")
        assert made is not None
        mine = sa.update(cursors).where(cursors.c.schedule_id == made.id)
        await theirs.execute(mine.values(decided_through=NOW - SECOND))
    assert await old(store) == 1
    assert [run.schedule_key for run in await runs_of(store)] == ["nightly"]


async def test_steps_look_at_so_many_runs_and_go_on_where_they_ended(store: Store) -> None:
    await create(store, schedule("kept", cursor=Cursor()))
    kept = [await add(store, ACME, "kept") for _ in range(5)]
    await store.runs.cancel_all(ACME, [run.id for run in kept[4:]], now=NOW)
    first = await store.upkeep.prune_old(LATER, WEEK, 2)
    assert first == Pruned(0, kept[1].id, over=False)
    second = await store.upkeep.prune_old(LATER, WEEK, 2, first.after)
    assert second == Pruned(0, kept[3].id, over=False)
    assert await store.upkeep.prune_old(LATER, WEEK, 2, second.after) == Pruned(1)


async def test_schedules_are_walked_in_steps_and_again_where_a_step_was_full(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "SCHEDULES", 2)
    made = []
    for n in range(3):
        await ended(store, 4, f"k{n}")
        found = await store.schedules.get(ACME, f"k{n}")
        assert found is not None
        made.append(found.id)
    assert await store.upkeep.prune_excess(1, 5) == Pruned(5, None, over=False)
    assert await store.upkeep.prune_excess(1, 5) == Pruned(1, made[1], over=False)
    assert await store.upkeep.prune_excess(1, 5, made[1]) == Pruned(3)
    assert len(await runs_of(store)) == 3


async def test_workers_that_are_long_gone_are_forgotten(store: Store) -> None:
    gone = worker(lease_until=NOW - 2 * DAY)
    silent, live = worker(lease_until=NOW - HOUR), worker(lease_until=NOW + HOUR)
    for each in (gone, silent, live):
        await store.workers.register(each)
    assert await store.workers.forget(NOW - DAY) == 0
    assert len(await store.workers.expire(NOW)) == 2
    assert await store.workers.forget(NOW - DAY) == 1
    assert {each.id for each in await store.workers.all()} == {silent.id, live.id}
