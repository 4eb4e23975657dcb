"""The upkeep contract: single duties, pruning, and being there at all."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from tickwright.model.run import RunStatus
from tickwright.model.schedule import Cursor
from tickwright.store.base import Store
from tickwright.store.schema import Tables

from .conftest import Another
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
    due,
    fire,
    ids,
    online,
    queue_up,
    retried,
    run_of,
    runs_of,
    schedule,
    succeeded,
    together,
)

ADA, BOB = UUID(int=1), UUID(int=2)


async def test_a_duty_is_held_by_one_until_its_lease_is_over(store: Store) -> None:
    hold, holder = store.upkeep.hold, store.upkeep.holder
    assert await holder("prune", NOW) is None
    assert await hold("prune", ADA, NOW, NOW + MINUTE)
    assert await holder("prune", NOW) == ADA
    assert not await hold("prune", BOB, NOW, NOW + HOUR)
    assert not await hold("prune", BOB, NOW + MINUTE - SECOND, NOW + HOUR)
    assert await holder("prune", NOW + MINUTE - SECOND) == ADA
    assert await holder("prune", NOW + MINUTE) is None
    assert await hold("prune", BOB, NOW + MINUTE, NOW + HOUR)
    assert await holder("prune", NOW + MINUTE) == BOB
    assert not await hold("prune", ADA, NOW + MINUTE, NOW + HOUR)


async def test_the_holder_renews_and_may_let_go(store: Store) -> None:
    hold = store.upkeep.hold
    assert await hold("prune", ADA, NOW, NOW + MINUTE)
    assert await hold("prune", ADA, NOW, NOW + HOUR)
    assert not await hold("prune", BOB, NOW + 2 * MINUTE, NOW + DAY)
    assert await hold("prune", ADA, NOW, NOW)
    assert await hold("prune", BOB, NOW, NOW + HOUR)


async def test_duties_are_held_apart(store: Store) -> None:
    assert await store.upkeep.hold("prune", ADA, NOW, NOW + MINUTE)
    assert await store.upkeep.hold("relay", BOB, NOW, NOW + MINUTE)
    assert await store.upkeep.holder("prune", NOW) == ADA
    assert await store.upkeep.holder("relay", NOW) == BOB


async def test_of_concurrent_holders_one_gets_the_duty(store: Store, another: Another) -> None:
    stores = [store, another(), another(), another()] * 2
    for number in range(4):
        now = NOW + number * HOUR
        for duty in ("old", f"new {number}"):
            taken = await together(
                *(
                    each.upkeep.hold(duty, UUID(int=n), now, now + MINUTE)
                    for n, each in enumerate(stores)
                )
            )
            assert sum(taken) == 1
            assert await store.upkeep.holder(duty, now) == UUID(int=taken.index(True))


async def history(store: Store) -> None:
    """A succeeded, a retried and a skipped run of yesterday, and a run of now."""
    offer = await online(store)
    await queue_up(store, 2, key="worked", cursor=Cursor())
    done, again = await store.queue.claim(offer, NOW)
    await store.queue.finish([succeeded(begun(done)), retried(begun(again), delay=SECOND)])
    await store.queue.lift(NOW + SECOND)
    [again] = await store.queue.claim(offer, NOW + SECOND)
    await store.queue.finish([succeeded(begun(again, NOW + SECOND), NOW + SECOND)])
    await create(store, schedule("fired"))
    await fire(store, plan=due(RunStatus.SKIPPED, every=DAY))
    await add(store, ACME, "worked", NOW + DAY)


async def prune(store: Store, before: datetime, limit: int) -> int:
    """How many of the oldest runs were deleted, because they had ended before that."""
    return (await store.upkeep.prune_old(before, timedelta(0), limit)).runs


async def test_pruning_deletes_ended_runs_by_age(store: Store, database_url: str) -> None:
    await history(store)
    assert await attempts_kept(database_url) == 1
    assert await prune(store, NOW, 100) == 0
    [kept] = await runs_of(store, statuses=[RunStatus.QUEUED])
    gone = [run for run in await runs_of(store) if run.id != kept.id]
    assert await prune(store, NOW + SECOND, 100) == 2
    assert await prune(store, NOW + HOUR, 100) == 1
    assert await runs_of(store) == [kept]
    assert len(gone) == 3
    assert await attempts_kept(database_url) == 0


async def attempts_kept(url: str) -> int:
    attempts = Tables("postgresql" if "postgresql" in url else "sqlite").attempts
    async with application(url) as connection:
        counted = await connection.execute(sa.select(sa.func.count()).select_from(attempts))
        return int(counted.scalar_one())


async def test_pruning_keeps_open_runs_of_any_age(store: Store) -> None:
    offer = await online(store, slots=2)
    await queue_up(store, 3, cursor=Cursor())
    running, waiting = await store.queue.claim(offer, NOW)
    await store.queue.finish([retried(waiting)])
    assert await prune(store, NOW + 9999 * DAY, 100) == 0
    assert len(await runs_of(store)) == 3
    await store.queue.finish([succeeded(running, NOW)])
    assert await prune(store, NOW + DAY, 100) == 1


async def test_pruning_changes_neither_counters_nor_roll_ups_nor_cursors(store: Store) -> None:
    await history(store)
    schedules = [await store.schedules.get(ACME, key) for key in ("worked", "fired")]
    days = [await store.schedules.days(ACME, each.id, date.min) for each in schedules if each]
    assert await prune(store, NOW + HOUR, 100) == 3
    assert [await store.schedules.get(ACME, key) for key in ("worked", "fired")] == schedules
    assert [
        await store.schedules.days(ACME, each.id, date.min) for each in schedules if each
    ] == days
    assert (await fire(store, NOW + HOUR)).schedules == 0


async def test_pruning_is_bounded_and_takes_the_oldest_first(store: Store) -> None:
    offer = await online(store)
    await queue_up(store, 5, cursor=Cursor())
    claimed = await store.queue.claim(offer, NOW)
    await store.queue.finish([succeeded(run) for run in claimed])
    before = await runs_of(store)
    assert [await prune(store, NOW + DAY, 2) for _ in range(2)] == [2, 2]
    assert await runs_of(store) == before[:1]
    assert await prune(store, NOW + DAY, 2) == 1


async def test_concurrent_pruners_delete_each_run_once(store: Store, another: Another) -> None:
    offer = await online(store, slots=20)
    await queue_up(store, 20, cursor=Cursor())
    await store.queue.finish([succeeded(run) for run in await store.queue.claim(offer, NOW)])
    kept = await add(store, ACME, "nightly")
    stores = [store, another(), another()]
    deleted = await together(*(prune(each, NOW + DAY, 20) for each in stores))
    assert sum(deleted) == 20
    assert ids(await runs_of(store)) == {kept.id}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_prune_leaves_alone_what_somebody_else_holds(
    store: Store, database_url: str
) -> None:
    offer = await online(store)
    await queue_up(store, 5, cursor=Cursor())
    claimed = await store.queue.claim(offer, NOW)
    await store.queue.finish([succeeded(run) for run in claimed])
    async with application(database_url) as theirs, theirs.begin():
        await theirs.execute(sa.text("SELECT FROM tickwright.runs LIMIT 2 FOR UPDATE"))
        assert await prune(store, NOW + DAY, 10) == 3
    assert await prune(store, NOW + DAY, 10) == 2


async def test_a_prune_during_a_finish_takes_no_run_from_it(store: Store, another: Another) -> None:
    second = another()
    for number in range(4):
        await queue_up(store, key=f"k{number}", cursor=Cursor())
        [run] = await store.queue.claim(await online(store), NOW)
        _, accepted = await together(
            prune(second, NOW + DAY, 10), store.queue.finish([retried(begun(run))])
        )
        assert accepted == {run.id}
        assert (await run_of(store, run)).attempt == 2


async def test_a_store_answers(store: Store) -> None:
    await store.upkeep.ping()
