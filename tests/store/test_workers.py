"""The workers contract: one renewed lease per process, and what it learns while it renews."""

from __future__ import annotations

from dataclasses import replace

from tickwright.model.schedule import Cursor
from tickwright.model.worker import Worker, WorkerStatus
from tickwright.store.base import Offer, Store

from .conftest import Another
from .support import (
    ACME,
    DAY,
    LEASE,
    NOW,
    SECOND,
    ids,
    lost,
    online,
    queue_up,
    succeeded,
    together,
    worker,
)


async def registered(store: Store, **changes: object) -> Worker:
    made = worker(**changes)
    await store.workers.register(made)
    return made


async def test_a_worker_is_read_back_as_it_registered(store: Store) -> None:
    made = worker(
        name="größe",
        host="h" * 200,
        queues=("default", "mail"),
        handlers=("b", "a", "ä"),
        slots=64,
        running=3,
        status=WorkerStatus.DRAINING,
    )
    await store.workers.register(made)
    assert await store.workers.all() == [made]


async def test_the_newest_worker_comes_first(store: Store) -> None:
    made = [await registered(store) for _ in range(3)]
    assert await store.workers.all() == made[::-1]


async def test_a_beat_renews_the_lease_and_tells_what_the_worker_does(store: Store) -> None:
    made = await registered(store)
    bystander = await registered(store)
    beating = replace(made, running=4, handlers=("work", "new"), status=WorkerStatus.DRAINING)
    at = NOW + 20 * SECOND
    assert await store.workers.beat(beating, at, LEASE) == []
    assert await store.workers.all() == [
        bystander,
        replace(beating, heartbeat_at=at, lease_until=at + LEASE),
    ]


async def test_a_beat_brings_back_what_was_asked_to_cancel(store: Store) -> None:
    mine = await registered(store, slots=3)
    offer = await online(store)
    await queue_up(store, 5, cursor=Cursor())
    ours = await store.queue.claim(Offer(mine.id, ("default",), ("work",), 3), NOW)
    theirs = await store.queue.claim(offer, NOW)
    for run in (ours[0], ours[1], theirs[0]):
        await store.runs.cancel(ACME, run.id, now=NOW)
    await store.queue.finish([succeeded(ours[1])])
    asked = await store.workers.beat(mine, NOW + SECOND, LEASE)
    assert asked is not None
    assert list(asked) == [ours[0].id]
    assert ids(theirs)


async def test_an_offline_worker_is_told_that_nothing_is_its_own(store: Store) -> None:
    made = await registered(store)
    await store.workers.mark(made.id, WorkerStatus.OFFLINE)
    assert await store.workers.beat(made, NOW + SECOND, LEASE) is None
    assert await store.workers.all() == [replace(made, status=WorkerStatus.OFFLINE)]


async def test_a_worker_nobody_knows_is_told_the_same(store: Store) -> None:
    assert await store.workers.beat(worker(), NOW, LEASE) is None
    assert await store.workers.all() == []


async def test_a_late_worker_that_nobody_declared_offline_may_still_renew(store: Store) -> None:
    made = await registered(store)
    assert await store.workers.beat(made, NOW + DAY, LEASE) == []
    assert await store.workers.expire(NOW + DAY) == []


async def test_marking_changes_the_status_alone(store: Store) -> None:
    made = await registered(store)
    await store.workers.mark(made.id, WorkerStatus.DRAINING)
    assert await store.workers.all() == [replace(made, status=WorkerStatus.DRAINING)]


async def test_workers_whose_lease_is_over_are_declared_offline_once(store: Store) -> None:
    silent = await registered(store, lease_until=NOW - SECOND)
    ending = await registered(store, lease_until=NOW, status=WorkerStatus.DRAINING)
    live = await registered(store, lease_until=NOW + SECOND)
    gone = await registered(store, lease_until=NOW - DAY, status=WorkerStatus.OFFLINE)
    expired = await store.workers.expire(NOW)
    assert {each.id for each in expired} == {silent.id, ending.id}
    assert {each.status for each in expired} == {WorkerStatus.OFFLINE}
    assert await store.workers.expire(NOW) == []
    status = {each.id: each.status for each in await store.workers.all()}
    assert status[live.id] is WorkerStatus.ONLINE
    assert status[gone.id] is WorkerStatus.OFFLINE


async def test_of_concurrent_expirers_one_tells_of_each_worker(
    store: Store, another: Another
) -> None:
    made = [await registered(store) for _ in range(6)]
    stores = [store, another(), another()]
    told = await together(*(each.workers.expire(NOW + DAY) for each in stores))
    assert sorted(each.id for share in told for each in share) == sorted(w.id for w in made)


async def test_a_declared_worker_cannot_come_back_with_its_runs(store: Store) -> None:
    """Declared offline, robbed, woken: the beat says no, and so does every result."""
    offer = await online(store)
    await queue_up(store, cursor=Cursor())
    [run] = await store.queue.claim(offer, NOW)
    [silent] = await store.workers.expire(NOW + DAY)
    assert len(await store.queue.rescue(NOW + DAY, 10, lost)) == 1
    assert await store.workers.beat(silent, NOW + DAY, LEASE) is None
    assert await store.queue.finish([succeeded(run)]) == set()
    assert await store.queue.claim(offer, NOW + DAY) == []


async def test_served_handlers_are_those_of_live_workers(store: Store) -> None:
    await registered(store, handlers=("a", "b"))
    await registered(store, handlers=("b", "c"))
    await registered(store, handlers=())
    await registered(store, handlers=("late",), lease_until=NOW)
    await registered(store, handlers=("off",), status=WorkerStatus.OFFLINE)
    await registered(store, handlers=("ends",), status=WorkerStatus.DRAINING)
    assert await store.workers.handlers(NOW) == {"a", "b", "c"}
    assert await store.workers.handlers(NOW + LEASE) == set()
