"""Firing that claims at once: what fits the offer, and only when nothing older waits."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from tickwright.model.plan import Due, Plan
from tickwright.model.run import RunStatus
from tickwright.model.schedule import Cursor
from tickwright.model.worker import WorkerStatus
from tickwright.store.base import Offer, Store

from .conftest import Another
from .support import (
    ACME,
    DAY,
    HOUR,
    NOW,
    OTHER,
    create,
    due,
    fire,
    ids,
    online,
    put_job,
    queue_up,
    read,
    retried,
    runs_of,
    schedule,
    succeeded,
)


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
