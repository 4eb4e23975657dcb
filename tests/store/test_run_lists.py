"""Lists of runs in every order, page by page, while others add to them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.model.run import Cause, Run, RunStatus
from tickwright.store import run_lists
from tickwright.store.base import NewRun, Store
from tickwright.store.queries import RunQuery

from .support import (
    ACME,
    NOW,
    OTHER,
    SECOND,
    add,
    begun,
    create,
    ids,
    online,
    put_job,
    schedule,
    succeeded,
)


async def history(store: Store) -> list[Run]:
    """Five runs of one schedule: made in one order, due in another, ended in a third."""
    offer = await online(store)
    await create(store, schedule())
    due, ended = (3, 1, 4, 0, 2), (0, 2, 1, 4)
    made = [await add(store, ACME, "nightly", NOW - n * SECOND) for n in due]
    claimed = {run.id: run for run in await store.queue.claim(offer, NOW)}
    for run, after in zip(made, ended, strict=False):
        at = NOW + after * SECOND
        await store.queue.finish([succeeded(begun(claimed[run.id], at), at)])
    return made


async def pages(store: Store, **query: Any) -> list[list[Run]]:
    """Every page, by following the cursors."""
    found = []
    page = await store.runs.find(ACME, RunQuery(limit=2, **query))
    while True:
        found.append(page.items)
        if page.next_cursor is None:
            return found
        page = await store.runs.find(ACME, RunQuery(limit=2, cursor=page.next_cursor, **query))


ORDERS = {
    "createdAt": (0, 1, 2, 3, 4),
    "nominalAt": (2, 0, 4, 1, 3),
    "runAt": (2, 0, 4, 1, 3),
    "finishedAt": (0, 2, 1, 3, 4),
}


@pytest.mark.parametrize("order", ORDERS)
async def test_every_order_holds_from_page_to_page(store: Store, order: str) -> None:
    made = await history(store)
    wanted = [made[n].id for n in ORDERS[order]]
    of = made[0].schedule_id
    up = await pages(store, order=order, schedule_id=of)
    down = await pages(store, order=f"-{order}", schedule_id=of)
    assert [len(page) for page in up] == [2, 2, 1]
    assert [run.id for page in up for run in page] == wanted
    assert [run.id for page in down for run in page] == wanted[::-1]


async def test_by_default_the_newest_come_first_and_of_one_schedule_the_latest(
    store: Store,
) -> None:
    made = await history(store)
    plain = [run.id for page in await pages(store) for run in page]
    of_one = [
        run.id for page in await pages(store, schedule_id=made[0].schedule_id) for run in page
    ]
    assert plain == [run.id for run in made[::-1]]
    assert of_one == [made[n].id for n in ORDERS["nominalAt"][::-1]]


async def test_runs_of_the_same_moment_are_told_apart(store: Store) -> None:
    made = await create(store, schedule())
    added = [await add(store, ACME, "nightly") for _ in range(5)]
    for order in ("nominalAt", "runAt", "finishedAt"):
        found = await pages(store, order=order, schedule_id=made.id)
        assert [run.id for page in found for run in page] == [run.id for run in added]
        found = await pages(store, order=f"-{order}", schedule_id=made.id)
        assert [run.id for page in found for run in page] == [run.id for run in added[::-1]]


async def test_what_is_added_meanwhile_shifts_nothing(store: Store) -> None:
    made = await history(store)
    first = await store.runs.find(ACME, RunQuery(limit=2))
    await add(store, ACME, "nightly")
    second = await store.runs.find(ACME, RunQuery(limit=3, cursor=first.next_cursor))
    assert [run.id for run in first.items + second.items] == [run.id for run in made[::-1]]
    assert (second.next_cursor, second.has_more) == (None, False)


async def test_a_cursor_shows_no_other_scope(store: Store) -> None:
    await history(store)
    await create(store, schedule(scope=OTHER))
    theirs = await store.runs.find(ACME, RunQuery(limit=2, order="createdAt"))
    ours = await add(store, OTHER, "nightly")
    page = await store.runs.find(OTHER, RunQuery(order="createdAt", cursor=theirs.next_cursor))
    assert ids(page.items) == {ours.id}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "not a cursor",
        base64.urlsafe_b64encode(b"[1]").decode(),
        base64.urlsafe_b64encode(b'["-createdAt", null, 7]').decode(),
        base64.urlsafe_b64encode(b'["-createdAt", null, "x"]').decode(),
        base64.urlsafe_b64encode(b"[" * 300).decode(),
    ],
)
async def test_what_is_no_cursor_is_refused(store: Store, token: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await store.runs.find(ACME, RunQuery(cursor=token))
    assert refused.value.field == "cursor"


async def test_a_cursor_goes_with_its_order_and_without_a_page(store: Store) -> None:
    await history(store)
    cursor = (await store.runs.find(ACME, RunQuery(limit=1))).next_cursor
    with pytest.raises(InvalidInput, match="cursor: belongs to a list in the order -createdAt"):
        await store.runs.find(ACME, RunQuery(cursor=cursor, order="createdAt"))
    with pytest.raises(InvalidInput, match="cursor: does not go with a page"):
        await store.runs.find(ACME, RunQuery(cursor=cursor, offset=1))


async def test_orders_that_would_sort_a_whole_history_are_refused(store: Store) -> None:
    await history(store)
    for order in ("runAt", "-finishedAt", "-nominalAt"):
        for statuses in ((), (RunStatus.SUCCEEDED,), (RunStatus.QUEUED, RunStatus.DEAD)):
            with pytest.raises(InvalidInput) as refused:
                await store.runs.find(ACME, RunQuery(order=order, statuses=statuses))
            assert refused.value.field == "sort"
    with pytest.raises(InvalidInput, match="sort: 'id' is not one of"):
        await store.runs.find(ACME, RunQuery(order="id"))
    found = await store.runs.find(ACME, RunQuery(order="runAt", statuses=[RunStatus.RUNNING]))
    assert found.total == 1


async def test_a_long_list_is_counted_up_to_a_bound(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lists, "MOST_COUNTED", 3)
    made = await history(store)
    whole = await store.runs.find(ACME, RunQuery(limit=5))
    assert (whole.total, whole.exact) == (5, True)
    first = await store.runs.find(ACME, RunQuery(limit=2))
    assert (first.total, first.exact, first.has_more) == (3, False, True)
    deep = await store.runs.find(ACME, RunQuery(limit=1, offset=3))
    assert (deep.total, deep.exact, deep.has_more) == (5, False, True)
    of_one = await store.runs.find(ACME, RunQuery(limit=2, schedule_id=made[0].schedule_id))
    assert (of_one.total, of_one.exact) == (5, True)


async def test_further_filters(store: Store) -> None:
    await put_job(store, "slow", queue="slow")
    await create(store, schedule(), schedule("other", job_key="slow"))
    one, two = await add(store, ACME, "nightly"), await add(store, ACME, "other")
    await store.runs.cancel(ACME, one.id, now=NOW)
    again = await store.runs.replay(ACME, one.id, NewRun(Cause.REPLAY), now=NOW)
    assert again is not None
    for query, found in (
        ({"queue": "slow"}, {two.id}),
        ({"cause": Cause.REPLAY}, {again.id}),
        ({"cause": Cause.MANUAL}, {one.id, two.id}),
        ({"replay_of": one.id}, {again.id}),
        ({"replay_of": two.id}, set()),
    ):
        assert ids((await store.runs.find(ACME, RunQuery(**query))).items) == found
