"""What becomes of runs whose worker is gone."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from tickwright.model.run import Claimed, Ending, RunStatus
from tickwright.model.schedule import Cursor, ScheduleStatus
from tickwright.model.worker import WorkerStatus
from tickwright.store.base import Store

from .conftest import Another
from .support import (
    ACME,
    HOUR,
    MINUTE,
    NOW,
    OTHER,
    SECOND,
    add,
    begun,
    create,
    dead,
    due,
    fire,
    ids,
    lost,
    online,
    queue_up,
    run_of,
    runs_of,
    schedule,
    stats_of,
    succeeded,
    together,
)


async def test_only_what_a_worker_without_a_lease_holds_is_rescued(store: Store) -> None:
    await queue_up(store, 4, cursor=Cursor())
    offers = [
        await online(store, slots=1, lease_until=NOW + MINUTE),
        await online(store, slots=1, lease_until=NOW + SECOND),
        await online(store, slots=1, lease_until=NOW + SECOND),
        await online(store, slots=1, lease_until=NOW + MINUTE),
    ]
    [live], [silent], [late], [gone] = [await store.queue.claim(o, NOW) for o in offers]
    await store.workers.mark(offers[3].worker_id, WorkerStatus.OFFLINE)
    await store.queue.finish([succeeded(late)])
    endings = await store.queue.rescue(NOW + 2 * SECOND, 10, lambda run: lost(run, NOW))
    assert {ending.run.id for ending in endings} == {silent.id, gone.id}
    assert (await run_of(store, live)).status is RunStatus.RUNNING
    for run in (silent, gone):
        stored = await run_of(store, run)
        assert (stored.status, stored.gate, stored.lost_count) == (RunStatus.QUEUED, None, 1)
        assert await store.queue.finish([succeeded(run)]) == set()
    assert await store.queue.finish([succeeded(live)]) == {live.id}


async def test_the_lease_is_over_at_its_very_end(store: Store) -> None:
    await queue_up(store, cursor=Cursor())
    offer = await online(store, lease_until=NOW + MINUTE)
    [run] = await store.queue.claim(offer, NOW)
    assert await store.queue.rescue(NOW + MINUTE - SECOND, 10, lost) == []
    assert len(await store.queue.rescue(NOW + MINUTE, 10, lost)) == 1
    assert (await run_of(store, run)).status is RunStatus.QUEUED


async def test_rescuing_costs_an_attempt_only_if_it_had_begun(store: Store) -> None:
    await queue_up(store, 2, cursor=Cursor())
    offer = await online(store)
    unstarted, started = await store.queue.claim(offer, NOW)
    await store.queue.started([begun(started, NOW + SECOND)])
    seen: dict[Any, datetime | None] = {}

    def end(run: Claimed) -> Ending:
        seen[run.id] = run.started_at
        return lost(run, NOW + HOUR)

    assert len(await store.queue.rescue(NOW + HOUR, 10, end)) == 2
    assert seen == {unstarted.id: None, started.id: NOW + SECOND}
    assert (await run_of(store, unstarted)).attempt == 1
    assert (await run_of(store, started)).attempt == 2
    assert await store.runs.attempts(ACME, unstarted.id) == []
    [attempt] = await store.runs.attempts(ACME, started.id)
    assert (attempt.outcome, attempt.worker_id) == ("lost", offer.worker_id)
    assert (attempt.started_at, attempt.finished_at) == (NOW + SECOND, NOW + HOUR)


async def test_a_rescue_may_end_a_run_for_good(store: Store) -> None:
    await queue_up(store, cursor=Cursor())
    [run] = await store.queue.claim(await online(store), NOW)
    [ending] = await store.queue.rescue(NOW + HOUR, 10, lambda r: dead(r, NOW + HOUR))
    assert (ending.run.id, ending.run.worker_id) == (run.id, run.worker_id)
    assert (await run_of(store, run)).status is RunStatus.DEAD
    assert (await stats_of(store)).failure_count == 1


async def test_a_rescue_is_bounded_and_goes_on(store: Store) -> None:
    await queue_up(store, 5, cursor=Cursor())
    await store.queue.claim(await online(store), NOW)
    rescued = [len(await store.queue.rescue(NOW + HOUR, 2, lost)) for _ in range(4)]
    assert rescued == [2, 2, 1, 0]


async def test_concurrent_rescuers_end_each_run_once(store: Store, another: Another) -> None:
    await queue_up(store, 20, cursor=Cursor())
    claimed = await store.queue.claim(await online(store, slots=20), NOW)
    stores = [store, another(), another(), another()]
    shares = await together(*(each.queue.rescue(NOW + HOUR, 20, lost) for each in stores))
    rescued = [ending.run.id for share in shares for ending in share]
    assert sorted(rescued) == sorted(ids(claimed))
    assert {run.lost_count for run in await runs_of(store)} == {1}


async def test_a_late_result_and_a_rescue_end_a_run_once(store: Store, another: Another) -> None:
    second = another()
    for number in range(6):
        await queue_up(store, key=f"k{number}", cursor=Cursor())
        [run] = await store.queue.claim(await online(store), NOW)
        rescued, finished = await asyncio.gather(
            second.queue.rescue(NOW + HOUR, 10, lambda r: dead(r, NOW + HOUR)),
            store.queue.finish([succeeded(run)]),
        )
        assert (len(rescued), len(finished)) in {(1, 0), (0, 1)}
        status = (await run_of(store, run)).status
        assert status is (RunStatus.DEAD if rescued else RunStatus.SUCCEEDED)
        assert (await stats_of(store, f"k{number}")).run_count == 1


async def test_a_sweep_ends_spent_schedules_whose_last_run_was_cancelled(store: Store) -> None:
    await create(store, schedule(), schedule(scope=OTHER))
    await fire(store, plan=due(spent=True))
    [run] = await runs_of(store)
    await store.runs.cancel(ACME, run.id, now=NOW)
    assert await store.queue.rescue(NOW + HOUR, 10, lost) == []
    ended = await store.schedules.get(ACME, "nightly")
    waiting = await store.schedules.get(OTHER, "nightly")
    assert ended is not None
    assert waiting is not None
    assert (ended.status, ended.updated_at) == (ScheduleStatus.COMPLETED, NOW + HOUR)
    assert waiting.status is ScheduleStatus.ACTIVE


async def test_manual_runs_in_between_keep_a_spent_schedule_open(store: Store) -> None:
    offer = await online(store)
    await create(store, schedule())
    fired = await fire(store, plan=due(spent=True), offer=offer)
    await add(store, ACME, "nightly")
    await store.queue.finish([succeeded(run) for run in fired.claimed])
    found = await store.schedules.get(ACME, "nightly")
    assert found is not None
    assert found.status is ScheduleStatus.ACTIVE
