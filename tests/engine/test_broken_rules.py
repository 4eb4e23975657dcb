"""A schedule whose row is broken stops alone, says why, and can be mended."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from tickwright import cron, every
from tickwright.model.run import RunStatus
from tickwright.model.schedule import Health, ScheduleStatus
from tickwright.store.schema import Json, Tables
from tickwright.testing import FakeClock, ManualScheduler

from .support import ACME, DAY, HOUR, START, Work, listen, runs_of


async def write_rule(url: str, key: str, rule: Any) -> None:
    """Put a trigger into the row that no operation would let through."""
    parsed = make_url(url)
    driver = "asyncpg" if parsed.get_backend_name() == "postgresql" else "aiosqlite"
    tables = Tables(parsed.get_backend_name())
    engine = create_async_engine(parsed.set(drivername=f"{parsed.get_backend_name()}+{driver}"))
    try:
        async with engine.begin() as connection:
            await connection.execute(
                sa.update(tables.schedules)
                .where(tables.schedules.c.key == key)
                .values(trigger=sa.literal(rule, Json))
            )
    finally:
        await engine.dispose()


BROKEN = [
    {"type": "cron", "expression": "61 25 * * *", "timezone": "UTC"},
    {"type": "cron", "expression": "0 9 * * *", "timezone": "Mars/Base"},
    {"type": "interval", "every": "1h"},
    {"type": "no_such_trigger"},
    {"type": "one_shot", "at": "☃"},
    {},
    "nonsense",
    [1, 2],
    17,
]


async def test_broken_rules_are_parked_and_the_others_fire(
    database_url: str, clock: FakeClock, work: Work
) -> None:
    broken = {f"broken {number}": rule for number, rule in enumerate(BROKEN)}
    async with ManualScheduler(database_url, clock=clock) as scheduler:
        heard = listen(scheduler)
        scheduler.register_handler("report", work)
        for key in ("before", *broken, "after"):
            await scheduler.create_schedule(ACME, "report", every("1h"), key=key)
        for key, rule in broken.items():
            await write_rule(database_url, key, rule)
        await scheduler.advance(3 * HOUR)
        assert {call.schedule_key for call in work.calls} == {"before", "after"}
        assert len(work.calls) == 6
        told = {event.data["scheduleId"]: event for event in heard.of("schedule.parked")}
        assert len(heard.of("schedule.parked")) == len(broken)
        for key in broken:
            schedule = await scheduler.get_schedule(ACME, key)
            assert (schedule.status, schedule.next_run_at) == (ScheduleStatus.ACTIVE, None)
            assert schedule.cursor.parked
            assert await scheduler.health(schedule) == [Health.SPEC_ERROR]
            assert await runs_of(scheduler, key) == []
            event = told[str(schedule.id)]
            assert (event.scope, event.data["error"]) == (ACME, schedule.cursor.parked)


async def test_a_parked_schedule_is_mended_by_a_new_rule(
    scheduler: ManualScheduler, database_url: str, work: Work
) -> None:
    scheduler.register_handler("report", work)
    await scheduler.create_schedule(ACME, "report", every("1h"), key="broken")
    await write_rule(database_url, "broken", {"type": "cron", "expression": "x"})
    await scheduler.advance(2 * HOUR)
    mended = await scheduler.update_schedule(ACME, "broken", trigger=cron("0 * * * *"))
    assert (mended.cursor.parked, mended.next_run_at) == (None, START + 3 * HOUR)
    await scheduler.advance(HOUR)
    assert work.times == [START + 3 * HOUR]
    assert await scheduler.health(await scheduler.get_schedule(ACME, "broken")) == [Health.OK]


@pytest.mark.parametrize("way", ["pause", "cancel", "delete", "describe", "by hand", "register"])
async def test_a_parked_schedule_can_be_dealt_with_like_any_other(
    quick: ManualScheduler, sqlite_url: str, work: Work, way: str
) -> None:
    scheduler = quick
    scheduler.register_handler("report", work)
    await scheduler.register(ACME, "broken", "report", every("1h"))
    await write_rule(sqlite_url, "broken", {"type": "of a plugin that is gone"})
    await scheduler.advance(2 * HOUR)
    match way:
        case "pause":
            paused = await scheduler.pause_schedule(ACME, "broken")
            assert paused.status is ScheduleStatus.PAUSED
            resumed = await scheduler.resume_schedule(ACME, "broken")
            assert resumed.next_run_at == START + 3 * HOUR
        case "cancel":
            await scheduler.cancel_schedule(ACME, "broken")
        case "delete":
            await scheduler.delete_schedule(ACME, "broken")
        case "describe":
            mended = await scheduler.update_schedule(ACME, "broken", description="broken")
            assert mended.next_run_at == START + 3 * HOUR
        case "by hand":
            await scheduler.trigger_schedule(ACME, "broken")
            await scheduler.tick()
            assert [run.status for run in await runs_of(scheduler)] == [RunStatus.SUCCEEDED]
        case "register":
            mended = await scheduler.register(ACME, "broken", "report", every("1h"))
            assert mended.next_run_at == START + 3 * HOUR
    await scheduler.advance(DAY)
