"""What is due is decided before a schedule is changed, in the transaction that changes it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest

from tickwright import every
from tickwright.engine.planner import plan_or_park
from tickwright.model.errors import VersionConflict
from tickwright.model.plan import Due, Plan
from tickwright.model.run import RunStatus
from tickwright.model.schedule import Cursor, Overlap, Schedule, ScheduleStatus
from tickwright.store.base import Edit, Settle, Store

from .support import (
    ACME,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    application,
    change,
    create,
    edit,
    online,
    put_job,
    queue_up,
    read,
    retried,
    run_of,
    runs_of,
    schedule,
    until_blocked,
)

HOURLY = every("1h", anchor=NOW - DAY).to_json()


def at_once(due: Due) -> Plan:
    return plan_or_park(due, NOW)


SETTLE = Settle(NOW, at_once)


def renaming(current: Schedule | None) -> Edit:
    assert current is not None
    after = replace(current, name="renamed")
    return Edit(after, change(after, "update"))


async def test_an_edit_finds_everything_due_decided(store: Store) -> None:
    await put_job(store, queue="slow", priority=7)
    due = schedule(trigger=HOURLY, cursor=Cursor(NOW - 2 * HOUR), overlap=Overlap.ALLOW)
    await create(store, due)
    written = await store.schedules.write(ACME, due.key, renaming, settle=SETTLE)
    assert written is not None
    assert written.cursor == Cursor(NOW + HOUR, decided_through=NOW, fired_count=1)
    assert (await read(store)).cursor == written.cursor
    fired, missed = await runs_of(store)
    assert (fired.status, fired.nominal_at, fired.queue, fired.priority) == (
        RunStatus.QUEUED,
        NOW,
        "slow",
        7,
    )
    assert (fired.payload, fired.target) == (due.payload, due.target)
    assert (missed.status, missed.nominal_at, missed.count) == (
        RunStatus.MISSED,
        NOW - 2 * HOUR,
        2,
    )


async def test_what_was_due_stays_decided_when_nothing_is_changed(store: Store) -> None:
    due = await create(store, schedule(trigger=HOURLY, cursor=Cursor(NOW)))
    written = await store.schedules.write(ACME, due.key, lambda _: None, settle=SETTLE)
    assert written is not None
    assert written.cursor.next_run_at == NOW + HOUR
    assert (await read(store)).cursor == written.cursor
    assert len(await runs_of(store)) == 1


async def test_a_refused_edit_decides_nothing(store: Store) -> None:
    due = await create(store, schedule(trigger=HOURLY, cursor=Cursor(NOW)))

    def refuse(_: Schedule | None) -> Edit:
        raise VersionConflict("another version")

    with pytest.raises(VersionConflict):
        await store.schedules.write(ACME, due.key, refuse, settle=SETTLE)
    assert (await read(store)).cursor == due.cursor
    assert await runs_of(store) == []


async def test_an_instant_that_has_its_run_gets_no_second_one(store: Store) -> None:
    made = await queue_up(store, trigger=HOURLY, cursor=Cursor(NOW - HOUR))
    before = await runs_of(store)
    instant = before[0].nominal_at

    def again(due: Due) -> Plan:
        plan = at_once(due)
        return replace(plan, decisions=[replace(plan.decisions[0], nominal_at=instant)])

    await store.schedules.write(ACME, made.key, renaming, settle=Settle(NOW, again))
    assert await runs_of(store) == before


async def test_an_open_run_is_seen_under_overlap_skip(store: Store) -> None:
    made = await queue_up(store, trigger=HOURLY, cursor=Cursor(NOW), overlap=Overlap.SKIP)
    await store.schedules.write(ACME, made.key, renaming, settle=SETTLE)
    assert {(run.status, run.reason) for run in await runs_of(store)} == {
        (RunStatus.QUEUED, None),
        (RunStatus.SKIPPED, "overlap"),
    }


async def test_runs_cancelled_while_they_wait_are_counted_in_the_day(store: Store) -> None:
    made = await queue_up(store, 3)
    [one, *_] = await runs_of(store)
    await store.runs.cancel(ACME, one.id, now=NOW)
    await edit(store, ACME, made.key, "cancel", status=ScheduleStatus.CANCELLED)
    [day] = await store.schedules.days(ACME, made.id, date.min)
    assert (day.day, day.cancelled, day.succeeded, day.failed) == (NOW.date(), 3, 0, 0)


@pytest.mark.parametrize("ended", [{"status": ScheduleStatus.CANCELLED}, {"deleted_at": NOW}])
async def test_a_run_whose_schedule_ended_gets_no_other_try(
    store: Store, ended: dict[str, object]
) -> None:
    offer = await online(store)
    made = await queue_up(store, 2)
    again, back = await store.queue.claim(offer, NOW)
    await edit(store, ACME, made.key, "cancel" if "status" in ended else "delete", **ended)
    await store.queue.finish([retried(again)])
    await store.queue.release([back], NOW)
    runs = [await run_of(store, run) for run in (again, back)]
    assert {run.status for run in runs} == {RunStatus.CANCELLED}
    assert {run.gate for run in runs} == {None}
    assert await store.queue.claim(offer, NOW + DAY) == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_retry_and_a_cancellation_at_once_leave_nothing_queued(
    store: Store, database_url: str
) -> None:
    """On SQLite writers take turns anyway."""
    offer = await online(store)
    made = await queue_up(store)
    [run] = await store.queue.claim(offer, NOW)

    def cancel(current: Schedule | None) -> Edit:
        assert current is not None
        after = replace(current, status=ScheduleStatus.CANCELLED)
        return Edit(after, change(after, "cancel"), cancel_queued=True)

    async with application(database_url) as theirs, theirs.begin():
        await store.schedules.write(ACME, made.key, cancel, connection=theirs)
        retry = asyncio.create_task(store.queue.finish([retried(run, delay=timedelta(0))]))
        await until_blocked(theirs)
    await retry
    assert (await run_of(store, run)).status is RunStatus.CANCELLED
    assert await store.queue.claim(offer, NOW + MINUTE) == []
