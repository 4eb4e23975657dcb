"""Many runs at once, each treated as it would be alone."""

from __future__ import annotations

from tickwright.model.run import Cause, Run, RunStatus
from tickwright.model.schedule import Overlap
from tickwright.store.base import NewRun, Store
from tickwright.store.database import new_id
from tickwright.store.queries import RunQuery

from .conftest import Another
from .support import (
    ACME,
    NOW,
    SECOND,
    add,
    begun,
    create,
    dead,
    ids,
    online,
    queue_up,
    runs_of,
    schedule,
    succeeded,
    together,
)

REPLAY = NewRun(Cause.REPLAY)


async def dead_runs(store: Store, count: int, key: str = "nightly") -> list[Run]:
    await queue_up(store, count, key=key)
    claimed = await store.queue.claim(await online(store, slots=count), NOW)
    await store.queue.finish([dead(begun(run)) for run in claimed])
    return sorted(await runs_of(store, statuses=[RunStatus.DEAD]), key=lambda run: run.id)


async def test_matching_runs_come_oldest_first_and_bounded(store: Store) -> None:
    await create(store, schedule())
    made = [await add(store, ACME, "nightly", NOW - n * SECOND) for n in range(4)]
    assert await store.runs.matching(ACME, RunQuery(), 3) == [run.id for run in made[:3]]
    assert await store.runs.matching(ACME, RunQuery(job_key="other"), 3) == []


async def test_queued_runs_are_cancelled_and_running_ones_asked_to_stop(store: Store) -> None:
    offer = await online(store, slots=2)
    await queue_up(store, 4)
    running, ended = await store.queue.claim(offer, NOW)
    await store.queue.finish([succeeded(begun(ended))])
    everything = [run.id for run in await runs_of(store)]
    unknown = new_id()
    refused = await store.runs.cancel_all(ACME, [*everything, unknown], now=NOW)
    assert refused == {
        ended.id: "the run has succeeded already",
        unknown: "there is no such run any more",
    }
    by_status = {run.status: run for run in await runs_of(store)}
    assert by_status[RunStatus.RUNNING].id == running.id
    assert by_status[RunStatus.RUNNING].cancel_requested_at == NOW
    assert len(await runs_of(store, statuses=[RunStatus.CANCELLED])) == 2
    [day] = await store.schedules.days(ACME, by_status[RunStatus.CANCELLED].schedule_id, NOW.date())  # type: ignore[arg-type]
    assert (day.cancelled, day.succeeded) == (2, 1)


async def test_a_line_moves_on_when_what_it_waited_for_is_cancelled(store: Store) -> None:
    await create(store, schedule(overlap=Overlap.QUEUE, overlap_limit=5))
    first, second, third = [await add(store, ACME, "nightly") for _ in range(3)]
    await store.runs.cancel_all(ACME, [first.id, second.id], now=NOW)
    [claimed] = await store.queue.claim(await online(store), NOW)
    assert claimed.id == third.id


async def test_ended_runs_are_repeated(store: Store) -> None:
    old = await dead_runs(store, 45)
    assert await store.runs.replay_all(ACME, [run.id for run in old], REPLAY, now=NOW) == {}
    new = await runs_of(store, statuses=[RunStatus.QUEUED])
    assert {run.replay_of for run in new} == ids(old)
    assert len(new) == 45


async def test_one_request_repeats_each_run_once(store: Store, another: Another) -> None:
    old = [run.id for run in await dead_runs(store, 25)]
    asked = NewRun(Cause.REPLAY, request_key="again")
    stores = [store, another(), another()]
    answers = await together(
        *(each.runs.replay_all(ACME, old, asked, now=NOW) for each in stores * 2)
    )
    assert answers == [{}] * 6
    assert len(await runs_of(store, statuses=[RunStatus.QUEUED])) == 25
    other = NewRun(Cause.REPLAY, request_key="and again")
    await store.runs.replay_all(ACME, old, other, now=NOW)
    assert len(await runs_of(store, statuses=[RunStatus.QUEUED])) == 50


async def test_what_cannot_be_repeated_says_why_and_keeps_nothing_from_the_others(
    store: Store,
) -> None:
    first = await dead_runs(store, 2, "one")
    await create(store, schedule("single", overlap=Overlap.SKIP))
    waiting = await add(store, ACME, "single")
    refused = await store.runs.replay_all(
        ACME, [first[0].id, waiting.id, first[1].id], REPLAY, now=NOW
    )
    assert refused == {waiting.id: "the run is queued: it has not ended"}
    assert {run.replay_of for run in await runs_of(store)} == {None, *ids(first)}


async def test_the_overlap_policy_holds_for_each(store: Store) -> None:
    await create(store, schedule("single", overlap=Overlap.SKIP))
    offer = await online(store)
    for _ in range(3):
        await add(store, ACME, "single")
        [claimed] = await store.queue.claim(offer, NOW)
        await store.queue.finish([dead(begun(claimed))])
    old = await store.runs.matching(ACME, RunQuery(), 10)
    refused = await store.runs.replay_all(ACME, old, REPLAY, now=NOW)
    assert refused == dict.fromkeys(old[1:], "an earlier run of this schedule is still open")
