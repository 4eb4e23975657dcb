"""Limits of a job: what runs at once, and how often something begins."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tickwright.engine.planner import plan_or_park
from tickwright.model.job import Policy, Rate
from tickwright.model.plan import Due, Plan
from tickwright.model.run import Cause, Claimed, Gate, RunStatus
from tickwright.model.schedule import Cursor, Overlap
from tickwright.model.scope import Scope, tenant
from tickwright.store.base import NewRun, Offer, Store, Work
from tickwright.store.runs import SqlRuns

from .conftest import Another
from .support import (
    ACME,
    LEASE,
    MINUTE,
    NORTH,
    NOW,
    OTHER,
    SECOND,
    begun,
    create,
    fire,
    lost,
    online,
    put_job,
    queue_up,
    retried,
    run_of,
    runs_of,
    schedule,
    succeeded,
    together,
)

RULE = {"type": "interval", "every": "1m", "anchor": "2040-01-02T09:00:00Z"}


async def claim(store: Store, offer: Offer, now: datetime = NOW) -> list[Claimed]:
    return await store.queue.claim(offer, now)


async def start(store: Store, job: str = "report", scope: Scope = ACME, **payload: Any) -> None:
    work = Work(job, {"type": "handler", "name": "work"}, "work")
    await store.runs.start(scope, work, NewRun(Cause.MANUAL, payload=payload), now=NOW)


async def running(store: Store, scope: Scope = ACME) -> int:
    return len(await runs_of(store, scope, statuses=[RunStatus.RUNNING]))


def in_line(due: Due) -> Plan:
    """As the engine plans by the schedule's overlap policy."""
    return plan_or_park(due, due.next_run_at)


async def let_slip(store: Store) -> None:
    """Make the queued runs as they are when their maker knows of no limit."""
    assert isinstance(store.runs, SqlRuns)
    database = store.runs._database
    async with database.write() as c:
        await c.execute(sa.update(database.tables.runs).values(gate=None, limit_key=None))


async def test_no_more_runs_of_a_job_execute_at_once_than_it_allows(store: Store) -> None:
    await put_job(store, concurrency=3)
    await queue_up(store, 10)
    offer = await online(store)
    first = await claim(store, offer)
    assert len(first) == 3
    assert await claim(store, offer) == []
    await store.queue.finish([succeeded(begun(first[0]))])
    assert len(await claim(store, offer)) == 1
    assert await running(store) == 3


async def test_what_waits_for_room_says_so(store: Store) -> None:
    await put_job(store, concurrency=1)
    await queue_up(store, 2)
    await claim(store, await online(store))
    gates = Counter(run.gate for run in await runs_of(store) if run.status is RunStatus.QUEUED)
    assert gates == {Gate.LIMIT: 1}


async def test_a_limit_by_key_holds_for_each_value_by_itself(store: Store) -> None:
    await put_job(store, key_concurrency=1, concurrency_key="customer.id")
    for customer in (7, 7, "seven", None, 7, "seven"):
        await start(store, customer={"id": customer})
    await start(store)
    claimed = await claim(store, await online(store))
    keys = Counter(run.limit_key for run in claimed)
    assert keys == {"7": 1, "seven": 1, "": 1}


async def test_a_key_too_long_to_be_kept_still_tells_values_apart(store: Store) -> None:
    await put_job(store, key_concurrency=1, concurrency_key="name")
    for name in ("x" * 5000, "x" * 5000, "x" * 4999 + "y"):
        await start(store, name=name)
    assert len(await claim(store, await online(store))) == 2


async def test_a_limit_by_tenant_counts_all_that_its_tenant_runs(store: Store) -> None:
    await put_job(store, "report", tenant_concurrency=3)
    await put_job(store, "report", NORTH, tenant_concurrency=3)
    await put_job(store, "report", OTHER, tenant_concurrency=3)
    offer = await online(store)
    await start(store, "free")
    assert len(await claim(store, offer)) == 1
    for scope in (ACME, NORTH, OTHER):
        for _ in range(4):
            await start(store, scope=scope)
    claimed = await claim(store, offer)
    by_tenant = Counter(run.scope.tenant_id for run in claimed)
    assert by_tenant == {"acme": 2, "other": 3}


async def test_all_limits_of_a_job_hold_together(store: Store) -> None:
    await put_job(store, concurrency=3, key_concurrency=2, concurrency_key="c")
    for value in "aaaabbbb":
        await start(store, c=value)
    keys = Counter(run.limit_key for run in await claim(store, await online(store)))
    assert sorted(keys.values()) == [1, 2]


async def test_higher_priority_goes_first_among_what_waits_for_room(store: Store) -> None:
    await put_job(store, concurrency=1)
    await queue_up(store, 2)
    await put_job(store, concurrency=1, priority=9)
    await queue_up(store, 1, key="urgent")
    [first] = await claim(store, await online(store))
    assert first.schedule_key == "urgent"


async def test_priority_is_strict_between_limited_and_unlimited_runs(store: Store) -> None:
    """What could go and was not claimed waits for its limit again."""
    await put_job(store, "limited", concurrency=5, priority=3)
    await queue_up(store, 5, key="limited", job_key="limited")
    await queue_up(store, 2, key="free", job_key="free")
    offer = await online(store, slots=3)
    claimed = await claim(store, offer)
    assert [run.job_key for run in claimed] == ["free", "free", "limited"]
    waiting = await runs_of(store, statuses=[RunStatus.QUEUED])
    assert Counter(run.gate for run in waiting) == {Gate.LIMIT: 4}


async def test_a_worker_gets_only_what_it_serves_of_what_waits(store: Store) -> None:
    await put_job(store, concurrency=2)
    await queue_up(store, 3, target={"type": "handler", "name": "elsewhere"})
    await queue_up(store, 3, key="here")
    claimed = await claim(store, await online(store))
    assert [run.schedule_key for run in claimed] == ["here", "here"]


async def test_a_limited_run_is_not_born_claimed(store: Store) -> None:
    await put_job(store, concurrency=1)
    offer = await online(store)
    await create(store, schedule("a"), schedule("b"))
    fired = await fire(store, offer=offer)
    assert (len(fired.claimed), fired.queued) == (0, 2)
    assert len(await claim(store, offer)) == 1


async def test_a_run_made_before_its_job_had_limits_follows_them(store: Store) -> None:
    await queue_up(store, 5, payload={"c": "a"})
    offer = await online(store, slots=2)
    assert len(await claim(store, offer)) == 2
    await put_job(store, concurrency=3, key_concurrency=3, concurrency_key="c")
    another = await online(store)
    assert [run.limit_key for run in await claim(store, another)] == ["a"]
    assert await running(store) == 3


async def test_giving_up_a_limit_lets_all_go(store: Store) -> None:
    await put_job(store, concurrency=1)
    await queue_up(store, 5)
    offer = await online(store)
    await claim(store, offer)
    await put_job(store)
    assert len(await claim(store, offer)) == 4


async def test_a_run_that_came_in_between_does_not_slip_past_a_new_limit(store: Store) -> None:
    """Its maker had read the policy before the limit was there."""
    await put_job(store, concurrency=1)
    await queue_up(store, 3)
    await let_slip(store)
    offer = await online(store)
    assert len(await claim(store, offer)) == 0
    assert len(await claim(store, offer)) == 1


async def test_a_retry_waits_for_room_again(store: Store) -> None:
    await put_job(store, concurrency=1)
    await queue_up(store, 2)
    offer = await online(store)
    [first] = await claim(store, offer)
    await store.queue.finish([retried(begun(first))])
    [second] = await claim(store, offer)
    assert second.id != first.id
    later = NOW + 2 * MINUTE
    assert await store.queue.lift(later) == 1
    assert (await run_of(store, first)).gate is Gate.LIMIT
    assert await claim(store, offer, later) == []


async def test_what_is_handed_back_waits_for_room_again(store: Store) -> None:
    await put_job(store, concurrency=2)
    await queue_up(store, 4)
    offer = await online(store)
    claimed = await claim(store, offer)
    await store.queue.release(claimed, NOW)
    assert {run.gate for run in await runs_of(store)} == {Gate.LIMIT}
    assert len(await claim(store, offer)) == 2


async def test_a_lost_run_gives_its_room_back(store: Store) -> None:
    await put_job(store, concurrency=1)
    await queue_up(store, 2)
    gone = await online(store)
    [run] = await claim(store, gone)
    late = NOW + 2 * LEASE
    alive = await online(store, lease_until=late + LEASE)
    await store.workers.expire(late)
    assert await claim(store, alive, late) == []
    assert len(await store.queue.rescue(late, 10, lost)) == 1
    assert len(await claim(store, alive, late)) == 1
    assert await running(store) == 1
    assert (await run_of(store, run)).lost_count == 1


async def test_a_run_in_line_waits_for_room_after_it(store: Store) -> None:
    await put_job(store, concurrency=1)
    await queue_up(store, 1, key="busy")
    offer = await online(store)
    [busy] = await claim(store, offer)
    await create(store, schedule("line", trigger=RULE, overlap=Overlap.QUEUE))
    await fire(store, NOW, in_line)
    await fire(store, NOW + MINUTE, in_line)
    gates = [run.gate for run in await runs_of(store) if run.schedule_key == "line"]
    assert gates == [Gate.OVERLAP, Gate.LIMIT]
    await store.queue.finish([succeeded(begun(busy))])
    [first] = await claim(store, offer)
    await store.queue.finish([succeeded(begun(first))])
    line = await runs_of(store, statuses=[RunStatus.QUEUED])
    assert [run.gate for run in line] == [Gate.LIMIT]
    assert len(await claim(store, offer)) == 1


async def test_more_groups_than_one_look_sees_all_get_their_turn(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwright.store.limits._WINDOW", 3)
    await put_job(store, key_concurrency=1, concurrency_key="c")
    for value in range(10):
        await start(store, c=value)
        await start(store, c=value)
    offer = await online(store, slots=100)
    claimed: list[Claimed] = []
    for _ in range(8):
        claimed += await claim(store, offer)
    assert Counter(run.limit_key for run in claimed) == {str(n): 1 for n in range(10)}


async def test_tenants_share_the_slots_for_limited_runs(store: Store) -> None:
    for name in ("big", "small"):
        await put_job(store, scope=tenant(name), concurrency=50)
    await queue_up(store, 40, scope=tenant("big"), cursor=Cursor())
    await queue_up(store, 2, scope=tenant("small"), cursor=Cursor())
    claimed = await claim(store, await online(store, slots=10))
    assert Counter(run.scope.key for run in claimed) == {"big": 8, "small": 2}


# Rates


async def test_no_more_begin_in_any_period_than_the_rate_allows(store: Store) -> None:
    await put_job(store, rate=Rate(3, 10 * SECOND))
    await queue_up(store, 20)
    offer = await online(store, slots=100, lease_until=NOW + 10 * MINUTE)
    begins: list[datetime] = []
    for step in range(60):
        now = NOW + step * SECOND
        await store.queue.lift(now)
        claimed = await claim(store, offer, now)
        begins += [now] * len(claimed)
        await store.queue.finish([succeeded(begun(run, now), now) for run in claimed])
    assert len(begins) >= 15
    for at in begins:
        assert sum(at <= other < at + 10 * SECOND for other in begins) <= 3


async def test_a_rate_tells_when_it_opens(store: Store) -> None:
    await put_job(store, rate=Rate(1, 10 * SECOND))
    await queue_up(store, 2, cursor=Cursor())
    offer = await online(store, lease_until=NOW + 10 * MINUTE)
    assert len(await claim(store, offer)) == 1
    opens = await store.firing.next_due()
    assert opens is not None
    assert 10 * SECOND <= opens - NOW <= 10.3 * SECOND
    assert await store.queue.lift(opens - SECOND) == 0
    assert await store.queue.lift(opens) == 1
    assert await store.firing.next_due() is None
    assert len(await claim(store, offer, opens)) == 1


async def test_a_rate_by_key_holds_for_each_value_by_itself(store: Store) -> None:
    await put_job(store, rate=Rate(1, MINUTE, by_key=True), concurrency_key="c")
    for value in "aab":
        await start(store, c=value)
    claimed = await claim(store, await online(store))
    assert Counter(run.limit_key for run in claimed) == {"a": 1, "b": 1}


async def test_only_what_is_claimed_counts_towards_a_rate(store: Store) -> None:
    await put_job(store, rate=Rate(5, MINUTE))
    await queue_up(store, 5)
    one = await online(store, slots=1)
    assert len(await claim(store, one)) == 1
    assert len(await claim(store, await online(store, slots=10))) == 4


async def test_a_shorter_period_opens_sooner(store: Store) -> None:
    await put_job(store, rate=Rate(1, timedelta(days=1)))
    await queue_up(store, 2)
    offer = await online(store, lease_until=NOW + 10 * MINUTE)
    await claim(store, offer)
    await put_job(store, rate=Rate(1, SECOND))
    await claim(store, offer)
    assert len(await claim(store, offer, NOW + 2 * SECOND)) == 1


async def test_what_is_remembered_of_a_rate_is_forgotten_when_it_no_longer_counts(
    store: Store,
) -> None:
    await put_job(store, rate=Rate(1, MINUTE))
    await queue_up(store, 3, cursor=Cursor())
    offer = await online(store, lease_until=NOW + timedelta(days=1))
    assert len(await claim(store, offer)) == 1
    await store.upkeep.prune_old(NOW + 10 * SECOND, timedelta(days=7), 10, None)
    assert await claim(store, offer, NOW + 20 * SECOND) == []
    later = NOW + timedelta(hours=2)
    await store.upkeep.prune_old(later, timedelta(days=7), 10, None)
    assert await store.firing.next_due() is None
    assert len(await claim(store, offer, later)) == 1


# Several at once


async def test_eight_claimers_at_once_never_exceed_a_limit(store: Store, another: Another) -> None:
    """Each claims, works and ends runs of all kinds of limits; what runs is counted all along."""
    chance = random.Random(7)
    await put_job(store, "job", concurrency=3)
    await put_job(store, "key", key_concurrency=1, concurrency_key="c")
    await put_job(store, "tenant", tenant_concurrency=7)
    await put_job(store, "rate", rate=Rate(20, timedelta(hours=1)))
    for n in range(120):
        job = ("job", "key", "tenant", "rate")[n % 4]
        await start(store, job, c=chance.choice("abc"))
    under_way: Counter[str] = Counter()
    begun_by_rate = 0

    async def work(mine: Store) -> None:
        nonlocal begun_by_rate
        offer = await online(store, slots=4)
        idle = 0
        while idle < 6:
            claimed = await claim(mine, offer)
            idle = 0 if claimed else idle + 1
            for run in claimed:
                under_way[_label(run)] += 1
                begun_by_rate += run.job_key == "rate"
            assert under_way["job"] <= 3
            assert all(under_way[f"key:{c}"] <= 1 for c in "abc")
            assert under_way["tenant"] <= 7
            await asyncio.sleep(0)
            for run in claimed:
                under_way[_label(run)] -= 1
            await mine.queue.finish([succeeded(begun(run)) for run in claimed])

    claimers = [another() if store.dialect == "postgresql" else store for _ in range(8)]
    await together(*(work(each) for each in claimers))
    left = Counter(r.job_key for r in await runs_of(store) if r.status is RunStatus.QUEUED)
    assert left == {"rate": 10}
    assert begun_by_rate == 20


def _label(run: Claimed) -> str:
    return f"key:{run.limit_key}" if run.job_key == "key" else run.job_key


async def test_a_policy_without_limits_marks_nothing(store: Store) -> None:
    await put_job(store, priority=9)
    await queue_up(store, 1)
    [run] = await runs_of(store)
    assert (run.limit_key, run.gate, Policy(priority=9).limited) == (None, None, False)
