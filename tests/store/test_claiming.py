"""The queue contract, first half: which runs a worker gets, and when."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from tickwright.model.run import Claimed, Gate, RunStatus
from tickwright.model.schedule import Cursor
from tickwright.model.scope import Scope, tenant
from tickwright.model.worker import WorkerStatus
from tickwright.store.base import Offer, Store

from .conftest import Another
from .support import (
    ACME,
    DAY,
    HOUR,
    LEASE,
    MINUTE,
    NOW,
    OTHER,
    SCOPES,
    SECOND,
    add,
    begun,
    create,
    ids,
    online,
    put_job,
    queue_up,
    retried,
    run_of,
    runs_of,
    schedule,
    succeeded,
)


def by_tenant(claimed: list[Claimed]) -> dict[str, int]:
    return dict(Counter(run.scope.key for run in claimed))


async def backlog(store: Store, **counts: int) -> None:
    """So many ready runs per tenant."""
    for name, count in counts.items():
        await queue_up(store, count, scope=tenant(name), cursor=Cursor())


async def test_a_claimed_run_carries_all_that_executing_it_needs(store: Store) -> None:
    await put_job(store, timeout=HOUR)
    made = await create(store, schedule())
    run = await add(store, ACME, made.key, triggered_by="ada", payload={"x": [1]})
    await put_job(store, timeout=MINUTE, queue="moved")
    offer = await online(store)
    [claimed] = await store.queue.claim(offer, NOW)
    assert (claimed.id, claimed.scope, claimed.cause) == (run.id, ACME, run.cause)
    assert (claimed.schedule_id, claimed.schedule_key) == (made.id, made.key)
    assert (claimed.target, claimed.payload) == (made.target, {"x": [1]})
    assert (claimed.nominal_at, claimed.run_at, claimed.job_key) == (NOW, NOW, "report")
    assert (claimed.attempt, claimed.lease_token, claimed.lost_count) == (1, 1, 0)
    assert (claimed.triggered_by, claimed.worker_id) == ("ada", offer.worker_id)
    assert claimed.started_at is None
    assert claimed.policy.timeout == MINUTE
    stored = await run_of(store, claimed)
    assert (stored.status, stored.worker_id) == (RunStatus.RUNNING, offer.worker_id)
    assert await store.queue.claim(offer, NOW) == []


async def test_a_worker_gets_at_most_its_slots(store: Store) -> None:
    offer = await online(store, slots=3)
    await backlog(store, acme=2, other=9)
    assert len(await store.queue.claim(offer, NOW)) == 3
    assert await store.queue.claim(Offer(offer.worker_id, ("default",), ("work",), 0), NOW) == []


@pytest.mark.parametrize("slots", [1, 10])
async def test_within_a_tenant_priority_comes_first_then_the_earlier_run(
    store: Store, slots: int
) -> None:
    offer = await online(store, slots=slots)
    for priority, moments in ((5, (2, 1)), (9, (4, 3)), (1, (0,))):
        await put_job(store, f"p{priority}", priority=priority)
        await create(store, schedule(f"p{priority}", job_key=f"p{priority}"))
        for moment in moments:
            await add(store, ACME, f"p{priority}", NOW + moment * SECOND)
    got: list[Claimed] = []
    while claimed := await store.queue.claim(offer, NOW):
        got += claimed
    order = [(run.schedule_key, (run.run_at - NOW) // SECOND) for run in got]
    assert order == [("p9", 3), ("p9", 4), ("p5", 1), ("p5", 2), ("p1", 0)]


async def test_a_claim_lists_tenants_in_turn_and_each_in_its_order(store: Store) -> None:
    offer = await online(store, slots=6)
    await backlog(store, a=3, B=3, c=3)
    for expected in ("B" * 2 + "a" * 2 + "c" * 2, "B" + "a" + "c"):
        claimed = await store.queue.claim(offer, NOW)
        assert "".join(run.scope.key for run in claimed) == expected
        for name in "aBc":
            moments = [run.run_at for run in claimed if run.scope.key == name]
            assert moments == sorted(moments)


async def test_a_worker_gets_only_what_it_serves(store: Store) -> None:
    await put_job(store, "mail", queue="mail")
    await create(
        store,
        schedule("ours"),
        schedule("our-mail", job_key="mail"),
        schedule("else", target={"type": "handler", "name": "else"}),
        schedule("http", target={"type": "http", "service": "email"}),
    )
    for key in ("ours", "our-mail", "else", "http"):
        await add(store, ACME, key)

    async def served(queues: tuple[str, ...], handlers: tuple[str, ...]) -> set[str | None]:
        offer = await online(store, queues=queues, handlers=handlers)
        return {run.schedule_key for run in await store.queue.claim(offer, NOW)}

    assert await served((), ("work", "else")) == set()
    assert await served(("nothing",), ("work",)) == set()
    assert await served(("default",), ()) == {"http"}
    assert await served(("default", "mail"), ("work",)) == {"ours", "our-mail"}
    assert await served(("mail", "default"), ("x", "else")) == {"else"}


async def test_tenants_get_equal_shares_of_uneven_backlogs(store: Store) -> None:
    offer = await online(store, slots=6)
    await backlog(store, big=30, mid=3, small=3)
    assert by_tenant(await store.queue.claim(offer, NOW)) == {"big": 2, "mid": 2, "small": 2}
    assert by_tenant(await store.queue.claim(offer, NOW)) == {"big": 4, "mid": 1, "small": 1}
    assert by_tenant(await store.queue.claim(offer, NOW)) == {"big": 6}


async def test_what_one_tenant_leaves_of_its_share_others_get(store: Store) -> None:
    offer = await online(store, slots=10)
    await backlog(store, one=1, three=9, two=9)
    claimed = by_tenant(await store.queue.claim(offer, NOW))
    assert claimed["one"] == 1
    assert sum(claimed.values()) == 10
    assert min(claimed["two"], claimed["three"]) >= 4


async def test_a_single_slot_goes_to_each_tenant_in_turn(store: Store) -> None:
    offer = await online(store, slots=1)
    await backlog(store, a=9, b=3, c=3)
    order = [(await store.queue.claim(offer, NOW))[0].scope.key for _ in range(10)]
    assert "".join(order) == "abcabcabca"


async def test_a_tenant_that_comes_later_does_not_wait_for_the_backlog(store: Store) -> None:
    offer = await online(store, slots=1)
    await backlog(store, b=9)
    await store.queue.claim(offer, NOW)
    await backlog(store, a=1, c=1)
    order = [(await store.queue.claim(offer, NOW))[0].scope.key for _ in range(4)]
    assert "".join(order) == "cabb"


async def test_with_fewer_slots_than_tenants_everybody_gets_its_turn(store: Store) -> None:
    offer = await online(store, slots=2)
    await backlog(store, a=9, b=2, c=2, d=2, e=2)
    claimed = [run for _ in range(5) for run in await store.queue.claim(offer, NOW)]
    assert by_tenant(claimed) == {"a": 2, "b": 2, "c": 2, "d": 2, "e": 2}


async def test_every_kind_of_scope_is_a_lane_of_its_own(store: Store) -> None:
    offer = await online(store, slots=4)
    for scope in SCOPES:
        await queue_up(store, 4, scope=scope, cursor=Cursor())
    assert by_tenant(await store.queue.claim(offer, NOW)) == {scope.key: 1 for scope in SCOPES}


@pytest.mark.parametrize("slots", [1, 4])
async def test_work_that_nobody_here_serves_does_not_starve_other_tenants(
    store: Store, slots: int
) -> None:
    offer = await online(store, slots=slots)
    for name in ("a", "b", "c", "y"):
        made = schedule(scope=tenant(name), target={"type": "handler", "name": "else"})
        await create(store, made)
        await add(store, made.scope, made.key)
    await backlog(store, m=4, n=1)
    got: list[Claimed] = []
    for _ in range(5 // slots):
        got += await store.queue.claim(offer, NOW)
    assert len(got) == 5 // slots * slots
    assert set(by_tenant(got)) == {"m", "n"}


async def test_eight_claimers_never_share_a_run(store: Store, another: Another) -> None:
    tenants: dict[str, int] = {"a": 30, "b": 10, "c": 8}
    await backlog(store, **tenants)
    stores = [store, another(), another(), another()]

    async def claim_all(worker: Store) -> list[Claimed]:
        offer = await online(worker, slots=3)
        got: list[Claimed] = []
        while claimed := await worker.queue.claim(offer, NOW):
            got += claimed
        return got

    shares = await asyncio.gather(*(claim_all(stores[n % 4]) for n in range(8)))
    claimed = [run for share in shares for run in share]
    assert by_tenant(claimed) == tenants
    assert len(ids(claimed)) == len(claimed)
    assert {run.lease_token for run in claimed} == {1}
    holders = {run.id: run.worker_id for run in claimed}
    for name in tenants:
        stored = await runs_of(store, tenant(name))
        assert {run.id: run.worker_id for run in stored}.items() <= holders.items()


@pytest.mark.parametrize(
    "state",
    [
        {"lease_until": NOW - SECOND},
        {"lease_until": NOW},
        {"status": WorkerStatus.OFFLINE},
        {"status": WorkerStatus.DRAINING},
    ],
    ids=["dead", "just dead", "offline", "draining"],
)
async def test_only_a_worker_with_a_live_lease_gets_work(
    store: Store, state: dict[str, Any]
) -> None:
    await backlog(store, acme=2)
    assert await store.queue.claim(await online(store, **state), NOW) == []
    unknown = Offer(UUID(int=1), ("default",), ("work",), 5)
    assert await store.queue.claim(unknown, NOW) == []
    assert {run.status for run in await runs_of(store)} == {RunStatus.QUEUED}
    assert len(await store.queue.claim(await online(store), NOW)) == 2


async def test_a_run_behind_a_gate_waits_until_the_gate_is_lifted(store: Store) -> None:
    offer = await online(store, lease_until=NOW + DAY)
    await backlog(store, acme=2)
    first, second = await store.queue.claim(offer, NOW)
    await store.queue.finish([retried(first, delay=MINUTE), retried(second, delay=HOUR)])
    assert await store.queue.claim(offer, NOW + DAY / 2) == []
    assert (await run_of(store, first)).gate is Gate.TIME
    assert await store.queue.lift(NOW + MINUTE - SECOND) == 0
    assert await store.queue.lift(NOW + MINUTE) == 1
    assert (await run_of(store, first)).gate is None
    assert ids(await store.queue.claim(offer, NOW + MINUTE)) == {first.id}
    assert await store.queue.lift(NOW + HOUR) == 1
    assert ids(await store.queue.claim(offer, NOW + HOUR)) == {second.id}
    assert await store.queue.lift(NOW + DAY) == 0


async def test_concurrent_lifts_open_each_gate_once(store: Store, another: Another) -> None:
    offer = await online(store, slots=20)
    await backlog(store, acme=20)
    await store.queue.finish([retried(run) for run in await store.queue.claim(offer, NOW)])
    stores = [store, another(), another()]
    lifted = await asyncio.gather(*(each.queue.lift(NOW + MINUTE) for each in stores))
    assert sum(lifted) == 20


async def test_a_next_try_is_a_new_lease(store: Store) -> None:
    offer = await online(store)
    await backlog(store, acme=1)
    [first] = await store.queue.claim(offer, NOW)
    await store.queue.finish([retried(begun(first), delay=SECOND)])
    await store.queue.lift(NOW + SECOND)
    [second] = await store.queue.claim(offer, NOW + SECOND)
    assert (second.id, second.attempt, second.lease_token) == (first.id, 2, 2)
    assert (second.run_at, second.nominal_at) == (NOW + SECOND, first.nominal_at)
    assert second.started_at is None
    assert second.idempotency_key == first.idempotency_key
    assert (await run_of(store, second)).started_at is None


async def test_ended_and_cancelled_runs_are_not_handed_out(store: Store) -> None:
    offer = await online(store, slots=1)
    await backlog(store, acme=2)
    [claimed] = await store.queue.claim(offer, NOW)
    await store.queue.finish([succeeded(claimed)])
    [waiting] = await runs_of(store, statuses=[RunStatus.QUEUED])
    await store.runs.cancel(ACME, waiting.id, now=NOW)
    assert await store.queue.claim(offer, NOW) == []


async def test_a_worker_that_dies_gets_nothing_more(store: Store) -> None:
    offer = await online(store, slots=1)
    await backlog(store, acme=1, other=1)
    assert len(await store.queue.claim(offer, NOW + LEASE - SECOND)) == 1
    assert await store.queue.claim(offer, NOW + LEASE) == []


async def test_what_a_worker_holds_is_told_as_it_was_claimed(store: Store) -> None:
    offer, other = await online(store, slots=3), await online(store)
    await backlog(store, acme=4)
    done, back, kept = await store.queue.claim(offer, NOW)
    [theirs] = await store.queue.claim(other, NOW)
    await store.queue.started([begun(kept, NOW + SECOND)])
    await store.queue.finish([succeeded(done)])
    await store.queue.release([back], NOW)
    assert await store.queue.held(offer.worker_id) == [kept]
    assert await store.queue.held(other.worker_id) == [theirs]
    assert await store.queue.held(UUID(int=1)) == []


async def test_the_queue_outlives_the_schedule_that_filled_it(store: Store) -> None:
    """What was queued by hand before a deletion that keeps runs is still executed."""
    offer = await online(store)
    made: tuple[Scope, str] = (OTHER, "nightly")
    await queue_up(store, scope=OTHER)
    from .support import edit

    await edit(store, *made, deleted_at=NOW, cursor=Cursor())
    [claimed] = await store.queue.claim(offer, NOW)
    assert claimed.schedule_key == "nightly"
    assert await store.queue.finish([succeeded(claimed)]) == {claimed.id}
