"""The changes contract: the audit trail, newest first."""

from __future__ import annotations

from dataclasses import replace

from tickwright.store.base import Edit, Store
from tickwright.store.database import new_id

from .support import ACME, NOW, OTHER, SECOND, change, create, edit, schedule


async def test_changes_are_told_newest_first_in_pages(store: Store) -> None:
    await create(store, schedule())
    for action in ("pause", "resume", "update"):
        await edit(store, ACME, "nightly", action)
    first = await store.changes.find(ACME, 3, 0)
    second = await store.changes.find(ACME, 3, 3)
    assert [each.action for each in first.items] == ["update", "resume", "pause"]
    assert [each.action for each in second.items] == ["create"]
    assert (first.total, first.has_more, second.has_more) == (4, True, False)


async def test_changes_of_one_resource_can_be_asked_for(store: Store) -> None:
    one = await create(store, schedule("one"))
    await create(store, schedule("two"))
    page = await store.changes.find(ACME, 10, 0, one.id)
    assert [each.resource_key for each in page.items] == ["one"]
    assert page.total == 1
    assert (await store.changes.find(ACME, 10, 0, new_id())).total == 0


async def test_a_change_is_read_back_as_it_was_recorded(store: Store) -> None:
    new = schedule(name="Größe")
    told = replace(
        change(new, "update", NOW + SECOND),
        actor=None,
        reason="the auditor's wish; --",
        before={"key": "old", "deep": {"list": [1, None, "x"]}},
        after={},
        version=4,
        id=new_id(),
    )
    await store.schedules.write(ACME, new.key, lambda _: Edit(new, told))
    assert (await store.changes.find(ACME, 10, 0)).items == [told]


async def test_nobody_sees_the_changes_of_another_scope(store: Store) -> None:
    theirs = await create(store, schedule(scope=OTHER))
    assert (await store.changes.find(ACME, 10, 0)).items == []
    assert (await store.changes.find(ACME, 10, 0, theirs.id)).total == 0
