"""The schedules contract: writing by decision, and who sees what."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta, timezone
from uuid import UUID

import pytest

from tickwright.model.errors import Conflict, VersionConflict
from tickwright.model.run import RunStatus
from tickwright.model.schedule import Cursor, Misfire, Overlap, Schedule, ScheduleStatus, Stats
from tickwright.store.answers import DayStats
from tickwright.store.base import Edit, Store
from tickwright.store.queries import ScheduleQuery

from .conftest import Another
from .support import (
    ACME,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    OTHER,
    SCOPES,
    SECOND,
    add,
    application,
    begun,
    create,
    creating,
    delete,
    edit,
    fire,
    ids,
    online,
    queue_up,
    read,
    run_of,
    runs_of,
    schedule,
    succeeded,
    together,
    until_blocked,
)

FULL = schedule(
    "full/größe 100%",
    trigger={"type": "cron", "expression": "0 9 * * 1", "timezone": "Europe/Berlin"},
    target={"type": "http", "service": "email", "body": {"deep": [1, 2.5, None, True, "😀"]}},
    payload={"a": {"b": []}},
    starts_at=NOW,
    ends_at=NOW + DAY,
    max_runs=2**40,
    misfire=Misfire.SKIP,
    overlap=Overlap.SKIP,
    status=ScheduleStatus.PAUSED,
    status_reason="holidays",
    name="Größe",
    description="line\nline",
    category="reports",
    source="module",
    created_by="ada",
    metadata={"owner": "ops"},
    registered={"trigger": {"type": "cron"}},
    override={"status": {"status": "paused"}},
    version=7,
    created_at=NOW + timedelta(microseconds=1),
    cursor=Cursor(
        NOW + timedelta(microseconds=999_999), NOW - SECOND, 12, spent=True, parked="cannot"
    ),
)


@pytest.mark.parametrize("ref", [FULL.key, FULL.id], ids=["key", "id"])
async def test_a_schedule_is_read_back_as_it_was_written(store: Store, ref: str | UUID) -> None:
    await create(store, FULL)
    assert await store.schedules.get(ACME, ref) == FULL


async def test_a_new_schedule_has_counted_nothing(store: Store) -> None:
    made = await create(store, schedule())
    assert (await read(store, made.key)).stats == Stats()


async def test_moments_of_any_zone_are_read_back_in_utc(store: Store) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    made = await create(store, schedule(starts_at=there))
    starts_at = (await read(store, made.key)).starts_at
    assert starts_at == NOW
    assert starts_at.utcoffset() == timedelta(0)


async def test_no_edit_creates_nothing(store: Store) -> None:
    assert await store.schedules.write(ACME, "nightly", lambda _: None) is None
    assert await store.schedules.count() == 0
    assert (await store.changes.find(ACME, 10, 0)).total == 0


async def test_no_edit_changes_nothing_and_answers_what_is_stored(store: Store) -> None:
    made = await create(store, schedule())
    assert await store.schedules.write(ACME, made.key, lambda _: None) == made
    assert (await store.changes.find(ACME, 10, 0)).total == 1


async def test_a_decision_that_raises_writes_nothing(store: Store) -> None:
    made = await create(store, schedule())

    def decide(_: Schedule | None) -> Edit:
        raise VersionConflict

    with pytest.raises(VersionConflict):
        await store.schedules.write(ACME, made.key, decide)
    assert await read(store, made.key) == made


async def test_an_edit_writes_configuration_cursor_and_change(store: Store) -> None:
    made = await create(store, schedule())
    cursor = Cursor(NOW + HOUR, NOW, 4, spent=True, parked="no")
    edited = await edit(store, ACME, made.key, name="Night", cursor=cursor)
    assert edited == await read(store, made.key)
    assert (edited.name, edited.cursor, edited.version) == ("Night", cursor, 2)
    newest, oldest = (await store.changes.find(ACME, 10, 0)).items
    assert (newest.action, newest.resource_id) == ("update", made.id)
    assert oldest.action == "create"


async def test_an_edit_leaves_counters_alone(store: Store) -> None:
    offer = await online(store)
    await queue_up(store)
    await store.queue.finish([succeeded(run) for run in await store.queue.claim(offer, NOW)])
    before = await read(store, "nightly")
    assert before.stats.run_count == 1
    await edit(store, ACME, "nightly", stats=Stats())
    assert (await read(store, "nightly")).stats == before.stats


async def test_concurrent_edits_all_count(store: Store, another: Another) -> None:
    await create(store, schedule())
    stores = [store, another(), another()]
    await together(*(edit(each, ACME, "nightly") for each in stores * 4))
    assert (await read(store, "nightly")).version == 13
    assert (await store.changes.find(ACME, 20, 0)).total == 13


async def test_of_concurrent_creates_of_one_key_one_wins(store: Store, another: Another) -> None:
    stores = [store, another(), another()] * 3
    news = [schedule() for _ in stores]
    answers = await together(
        *(
            each.schedules.write(ACME, "nightly", creating(new))
            for each, new in zip(stores, news, strict=True)
        )
    )
    won = await read(store, "nightly")
    assert won.id in ids(news)
    assert all(answer is not None and answer.id == won.id for answer in answers)
    assert await store.schedules.count() == 1
    assert (await store.changes.find(ACME, 20, 0)).total == 1


async def test_the_loser_of_a_create_is_asked_again_with_the_winner(
    store: Store, database_url: str
) -> None:
    winner = schedule()
    asked: list[Schedule | None] = []

    def decide(current: Schedule | None) -> Edit | None:
        asked.append(current)
        return creating(schedule())(current)

    async with application(database_url) as theirs, theirs.begin():
        await store.schedules.write(ACME, "nightly", creating(winner), connection=theirs)
        loser = asyncio.create_task(store.schedules.write(ACME, "nightly", decide))
        await until_blocked(theirs)
    assert await loser == winner
    assert asked[-1] == winner


async def test_a_write_joins_the_callers_transaction(store: Store, database_url: str) -> None:
    new = schedule()
    async with application(database_url) as theirs, theirs.begin():
        await store.schedules.write(ACME, new.key, creating(new), connection=theirs)
        assert await store.schedules.get(ACME, new.key) is None
    assert await store.schedules.get(ACME, new.key) == new


async def test_a_write_rolls_back_with_the_callers_transaction(
    store: Store, database_url: str
) -> None:
    new = schedule()
    async with application(database_url) as theirs, theirs.begin() as transaction:
        await store.schedules.write(ACME, new.key, creating(new), connection=theirs)
        await transaction.rollback()
    assert await store.schedules.count() == 0
    assert (await store.changes.find(ACME, 10, 0)).total == 0


async def test_a_taken_key_is_a_conflict_on_the_callers_connection(
    store: Store, database_url: str
) -> None:
    """The caller's transaction cannot be begun anew behind his back."""
    made = await create(store, schedule())
    new = schedule(made.key)
    async with application(database_url) as theirs:
        with pytest.raises(Conflict):
            async with theirs.begin():
                await store.schedules.write(ACME, new.id, creating(new), connection=theirs)
    assert await read(store, made.key) == made


async def test_cancelling_takes_its_queued_runs_along(store: Store) -> None:
    offer = await online(store, slots=1)
    made = await queue_up(store, 3)
    bystander = await queue_up(store, key="weekly")
    [running] = await store.queue.claim(offer, NOW)
    await edit(store, ACME, made.key, "cancel", status=ScheduleStatus.CANCELLED)
    runs = await runs_of(store, schedule_id=made.id)
    over = [run for run in runs if run.status is RunStatus.CANCELLED]
    assert (len(runs), len(over)) == (3, 2)
    assert {run.reason for run in over} == {"schedule cancel"}
    assert {run.finished_at for run in over} == {NOW}
    assert (await run_of(store, running)).status is RunStatus.RUNNING
    assert [r.status for r in await runs_of(store, schedule_id=bystander.id)] == [RunStatus.QUEUED]


async def test_a_deleted_schedule_is_gone(store: Store) -> None:
    made = await create(store, schedule())
    await delete(store, ACME, made.key)
    assert await store.schedules.get(ACME, made.key) is None
    assert await store.schedules.get(ACME, made.id) is None
    assert (await store.schedules.find(ACME, ScheduleQuery())).total == 0
    assert await store.schedules.armed(ACME) == {}
    assert await store.schedules.count() == 0


async def test_the_key_of_a_deleted_schedule_is_free_again(store: Store) -> None:
    old = await create(store, schedule())
    for _ in range(2):
        await delete(store, ACME, old.key)
        new = await create(store, schedule())
        assert await read(store, old.key) == new
    assert await store.schedules.count() == 1


async def test_one_key_may_live_in_every_scope(store: Store) -> None:
    made = {scope: await create(store, schedule("same", scope)) for scope in SCOPES}
    assert {scope: await store.schedules.get(scope, "same") for scope in SCOPES} == made
    assert await store.schedules.count() == len(SCOPES)


async def test_armed_tells_the_next_instants_of_the_scope(store: Store) -> None:
    await create(
        store,
        schedule("soon"),
        schedule("later", cursor=Cursor(NOW + DAY)),
        schedule("never", cursor=Cursor()),
        schedule("theirs", OTHER),
    )
    assert await store.schedules.armed(ACME) == {"soon": NOW, "later": NOW + DAY}


async def test_days_are_summed_by_utc_day_oldest_first(store: Store) -> None:
    offer = await online(store, lease_until=NOW + 9 * DAY)
    made = await create(store, schedule(cursor=Cursor()))
    for day in (2, 0, 1):
        at = NOW + day * DAY
        await add(store, ACME, made.key, at)
        [run] = await store.queue.claim(offer, at)
        await store.queue.finish([succeeded(begun(run, at), at + day * SECOND)])
    found = await store.schedules.days(ACME, made.id, date(2040, 1, 3))
    assert found == [
        DayStats(date(2040, 1, 3), 1, 0, 0, SECOND, 3, 2, 1),
        DayStats(date(2040, 1, 4), 1, 0, 0, 2 * SECOND, 3, 2, 1),
    ]


async def test_a_paused_schedule_keeps_its_cursor_out_of_firing(store: Store) -> None:
    await create(store, schedule(cursor=Cursor(None, NOW)))
    assert (await fire(store, NOW + DAY)).schedules == 0
    assert (await read(store, "nightly")).cursor == Cursor(None, NOW)


async def test_an_edit_waits_for_a_firing_and_keeps_what_it_moved(
    store: Store, another: Another
) -> None:
    await create(store, schedule())
    second = another()
    for minute in range(5):
        await together(
            *(edit(second, ACME, "nightly") for _ in range(2)),
            fire(store, NOW + minute * MINUTE),
        )
    while (await fire(store, NOW + 4 * MINUTE)).schedules:
        """A firing leaves a schedule that is being edited to the next one."""
    stored = await read(store, "nightly")
    runs = await runs_of(store, schedule_id=stored.id)
    assert stored.version == 11
    assert stored.cursor.fired_count == len(runs) == 5
