"""The calendars contract: a scope's own, the system's for all, and only one's own written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tickwright.model.calendar import Calendar, definition_from_json
from tickwright.model.scope import SYSTEM, Scope
from tickwright.store.base import CalendarEdit, Store
from tickwright.store.database import new_id

from .conftest import Another
from .support import ACME, NORTH, OTHER, SCOPES, change, put_calendar, together, write_calendar

EVERYTHING: dict[str, Any] = {
    "name": "Bavaria ☃",
    "description": "Working days",
    "timezone": "Europe/Berlin",
    "weekdays": ["mon", "sun"],
    "holidays": [{"country": "DE", "subdivision": "BY", "categories": ["public"]}],
    "exceptions": [
        {"kind": "closed", "from": "2026-12-24", "to": "2026-12-31", "name": "Works holiday"},
        {"kind": "freeze", "from": "2026-12-20T18:00", "to": "2027-01-04T06:00:30"},
    ],
}


async def test_a_calendar_without_a_row_is_not_there(store: Store) -> None:
    assert await store.calendars.get(ACME, "office") is None
    assert await store.calendars.resolve(ACME, []) == {}


async def test_a_definition_is_read_back_as_it_was_written(store: Store) -> None:
    for key, definition in (("all", EVERYTHING), ("none", {})):
        made = Calendar(new_id(), ACME, key, definition_from_json(definition))
        assert await write_calendar(store, made) == made
        assert await store.calendars.get(ACME, key) == made


async def test_putting_again_replaces_it_and_keeps_the_id(store: Store) -> None:
    first = await put_calendar(store, timezone="Europe/Berlin")
    second = await put_calendar(store, timezone="Asia/Tokyo")
    assert (second.id, second.version) == (first.id, 2)
    assert await store.calendars.get(ACME, "office") == second
    changes = (await store.changes.find(ACME, 10, 0)).items
    assert [(each.resource_id, each.version) for each in changes] == [(first.id, 2), (first.id, 1)]


async def test_ones_own_comes_before_what_is_shared(store: Store) -> None:
    shared = await put_calendar(store, scope=SYSTEM)
    assert await store.calendars.get(ACME, "office") == shared
    own = await put_calendar(store, scope=ACME, timezone="Asia/Tokyo")
    only_shared = await put_calendar(store, "plant", SYSTEM)
    found = await store.calendars.resolve(ACME, ["office", "plant", "moon"])
    assert found == {"office": own, "plant": only_shared}
    for scope in (OTHER, NORTH, SYSTEM):
        assert await store.calendars.get(scope, "office") == shared


async def test_writing_a_shared_key_makes_ones_own(store: Store) -> None:
    shared = await put_calendar(store, scope=SYSTEM)
    own = await put_calendar(store, scope=ACME)
    assert own.id != shared.id
    assert await store.calendars.get(SYSTEM, "office") == shared


async def test_one_key_may_be_a_calendar_in_every_scope(store: Store) -> None:
    made = {scope: await put_calendar(store, scope=scope) for scope in (*SCOPES, SYSTEM)}
    assert {scope: await store.calendars.get(scope, "office") for scope in made} == made


async def test_concurrent_puts_of_a_new_key_all_succeed(store: Store, another: Another) -> None:
    stores = [store, another(), another()] * 2
    answers = await together(*(put_calendar(each) for each in stores))
    assert sorted(answer.version for answer in answers) == [1, 2, 3, 4, 5, 6]
    assert len({answer.id for answer in answers}) == 1


async def test_own_and_shared_are_found_in_the_order_of_their_keys(store: Store) -> None:
    kept: dict[str, Scope] = {"plant.b": ACME, "plant.a": SYSTEM, "office": ACME, "100%": SYSTEM}
    for key, scope in kept.items():
        await put_calendar(store, key, scope)
    await put_calendar(store, "plant.c", OTHER)
    await put_calendar(store, "office", SYSTEM)
    found = await store.calendars.find(ACME, 3, 1)
    assert [(each.key, each.scope) for each in found.items] == [
        *(("office", ACME), ("office", SYSTEM), ("plant.a", SYSTEM))
    ]
    assert found.total == 5
    assert [each.key for each in (await store.calendars.find(ACME, 9, 0, "PLANT.")).items] == [
        "plant.a",
        "plant.b",
    ]
    assert [each.key for each in (await store.calendars.find(ACME, 9, 0, "%")).items] == ["100%"]
    assert (await store.calendars.find(SYSTEM, 9, 0)).total == 3


async def test_a_deleted_calendar_is_gone_and_its_change_says_so(store: Store) -> None:
    made = await put_calendar(store)

    def gone(current: Calendar | None) -> CalendarEdit:
        assert current == made
        return CalendarEdit(made, replace(change(made, "delete"), after=None), deletes=True)

    assert await store.calendars.write(ACME, "office", gone) == made
    assert await store.calendars.get(ACME, "office") is None
    assert [each.action for each in (await store.changes.find(ACME, 1, 0)).items] == ["delete"]


async def test_nothing_is_written_when_nothing_is_wanted(store: Store) -> None:
    assert await store.calendars.write(ACME, "office", lambda current: None) is None
    made = await put_calendar(store)
    assert await store.calendars.write(ACME, "office", lambda current: None) == made
    assert (await store.changes.find(ACME, 10, 0)).total == 1
