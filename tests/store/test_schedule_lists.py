"""Lists of schedules: filters, literal search, pages that neither repeat nor lose a row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.model.schedule import Cursor, Schedule, ScheduleStatus
from tickwright.store.base import Store
from tickwright.store.queries import ScheduleQuery

from .support import (
    ACME,
    HOUR,
    NOW,
    OTHER,
    add,
    begun,
    create,
    online,
    schedule,
    succeeded,
)


async def keys(store: Store, **query: Any) -> list[str]:
    page = await store.schedules.find(ACME, ScheduleQuery(**query))
    return [found.key for found in page.items]


async def test_newest_come_first_unless_asked_otherwise(store: Store) -> None:
    await create(store, schedule("a"), schedule("b"), schedule("c"))
    assert await keys(store) == ["c", "b", "a"]
    assert await keys(store, order="createdAt") == ["a", "b", "c"]


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"status": ScheduleStatus.PAUSED}, ["paused"]),
    ({"job_key": "cleanup"}, ["cleanup"]),
    ({"category": "ops"}, ["cleanup", "ops"]),
    ({"category": "ops", "job_key": "cleanup"}, ["cleanup"]),
    ({"search": "PAU"}, ["paused"]),
    ({"search": "of files"}, ["cleanup"]),
    ({"search": "night"}, ["ops"]),
    ({"search": "night", "status": ScheduleStatus.PAUSED}, []),
    ({"search": ""}, ["cleanup", "ops", "paused"]),
]


async def test_filters_narrow_the_list(store: Store) -> None:
    await create(
        store,
        schedule("paused", status=ScheduleStatus.PAUSED),
        schedule("ops", category="ops", name="Nightly work"),
        schedule("cleanup", category="ops", job_key="cleanup", description="Removal of files"),
        schedule("paused", OTHER, status=ScheduleStatus.PAUSED, job_key="cleanup", category="ops"),
    )
    for query, found in FILTERS:
        page = await store.schedules.find(ACME, ScheduleQuery(order="key", **query))
        assert ([each.key for each in page.items], page.total) == (found, len(found)), query


async def test_search_takes_every_character_literally(store: Store) -> None:
    wild = ["%", "_", "/", "\\", "'", '"', "[a-z]", "*", "?", "\\%x", "/%x"]
    await create(store, schedule("plain"), *(schedule(f"({text})") for text in wild))
    for text in wild:
        expected = [f"({each})" for each in wild if text in each]
        assert await keys(store, search=text, order="createdAt") == expected, text


ORDERS: dict[str, tuple[list[str], list[str]]] = {
    "createdAt": (["first", "second", "third", "fourth"], []),
    "key": (["first", "fourth", "second", "third"], []),
    "name": (["third", "second", "first"], ["fourth"]),
    "nextRunAt": (["fourth", "third", "first"], ["second"]),
    "lastRunAt": (["second", "first"], ["third", "fourth"]),
}


async def four(store: Store) -> None:
    """Four schedules; each order has rows without a value or with the same one."""
    await create(
        store,
        schedule("first", name="c", cursor=Cursor(NOW + HOUR)),
        schedule("second", name="b", cursor=Cursor()),
        schedule("third", name="a", cursor=Cursor(NOW)),
        schedule("fourth", cursor=Cursor(NOW - HOUR)),
    )
    offer = await online(store, lease_until=NOW + 9 * HOUR)
    for key, at in (("second", NOW), ("first", NOW + HOUR)):
        await add(store, ACME, key, at)
        [run] = await store.queue.claim(offer, at)
        await store.queue.finish([succeeded(begun(run, at), at)])


async def test_lists_are_sorted_as_asked_and_rows_without_a_value_come_last(store: Store) -> None:
    await four(store)
    for order, (valued, without) in ORDERS.items():
        assert await keys(store, order=order) == valued + without
        assert await keys(store, order=f"-{order}") == valued[::-1] + without[::-1]


async def test_pages_of_equal_rows_hold_each_row_once(store: Store) -> None:
    made: list[Schedule] = [schedule(f"k{n}", name="same") for n in range(7)]
    await create(store, *made)
    for order in ("-nextRunAt", "nextRunAt", "name", "-createdAt"):
        expected = [each.key for each in (made[::-1] if order.startswith("-") else made)]
        assert await paged(store, order) == expected


async def paged(store: Store, order: str) -> list[str]:
    seen: list[str] = []
    for offset in range(0, 9, 3):
        query = ScheduleQuery(limit=3, offset=offset, order=order)
        page = await store.schedules.find(ACME, query)
        assert (page.total, page.has_more) == (7, offset < 6)
        assert (page.limit, page.offset) == (3, offset)
        seen += [found.key for found in page.items]
    return seen


async def test_an_unknown_order_is_refused(store: Store) -> None:
    for order in ("", "-", "id", "scope_key", "--key", "KEY", "key; DROP", "key,"):
        with pytest.raises(InvalidInput, match="sort"):
            await store.schedules.find(ACME, ScheduleQuery(order=order))


async def test_a_page_behind_the_end_is_empty_and_still_counts(store: Store) -> None:
    await create(store, schedule())
    page = await store.schedules.find(ACME, ScheduleQuery(offset=5))
    assert (page.items, page.total, page.has_more) == ([], 1, False)


async def test_a_list_shows_cursor_and_counters(store: Store) -> None:
    offer = await online(store)
    made = await create(store, schedule(cursor=Cursor(NOW, NOW - HOUR, 3)))
    await add(store, ACME, made.key)
    [run] = await store.queue.claim(offer, NOW)
    await store.queue.finish([succeeded(begun(run), NOW + timedelta(seconds=2))])
    [found] = (await store.schedules.find(ACME, ScheduleQuery())).items
    assert found == await store.schedules.get(ACME, made.key)
    assert found.cursor.fired_count == 3
    assert found.stats.last_duration == timedelta(seconds=2)
