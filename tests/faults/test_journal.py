"""The journal holds every committed change of a row and no other, in both dialects alike."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from tests.databases import migrate
from tests.faults.judge.history import Entry
from tests.faults.world import journal
from tickwright import Scheduler, every, tenant
from tickwright.model.clock import SystemClock
from tickwright.model.errors import Conflict

ACME = tenant("acme")


@pytest.fixture
async def journaled_url(bare_database_url: str) -> str:
    await migrate(bare_database_url)
    await journal.install(bare_database_url)
    return bare_database_url


async def lived_through(url: str) -> tuple[str, list[Entry], dict[str, list[dict[str, Any]]]]:
    """What the journal says of a schedule that fired once or twice and was paused."""
    ran = asyncio.Event()
    scheduler = Scheduler(url)

    @scheduler.handler("work")
    async def work(_tenant: str | None, payload: dict[str, Any]) -> dict[str, Any]:
        ran.set()
        return payload

    async with scheduler:
        made = await scheduler.create_schedule(
            ACME, "work", every("1s"), key="often", payload={"n": [1, None]}
        )
        await asyncio.wait_for(ran.wait(), 10)
        await scheduler.pause_schedule(ACME, "often", reason="enough")
    return made.id.hex, *await journal.read(url)


async def test_the_journal_tells_each_step_of_a_run_in_order(journaled_url: str) -> None:
    began = (await SystemClock().now()).timestamp()
    schedule, entries, tables = await lived_through(journaled_url)
    ended = (await SystemClock().now()).timestamp()
    runs = [entry for entry in entries if entry.table == "runs"]
    first = runs[0].new
    assert first is not None
    assert (runs[0].old, first["schedule_id"], first["payload"]) == (
        None,
        schedule,
        {"n": [1, None]},
    )
    steps = [entry for entry in runs if entry.new and entry.new["id"] == first["id"]]
    assert [s.new["status"] for s in steps if s.new][-1] == "succeeded"
    for before, after in pairwise(steps):
        assert after.old == before.new
        assert before.at <= after.at
    assert began <= first["nominal_at"] <= first["run_at"] <= steps[0].at <= ended
    assert steps[-1].new in tables["runs"]


async def test_replaying_the_journal_gives_the_tables(journaled_url: str) -> None:
    _, entries, tables = await lived_through(journaled_url)
    assert {entry.table for entry in entries} == set(journal.WATCHED) - {"attempts"}
    for name in journal.WATCHED:
        rows: list[dict[str, Any]] = []
        for entry in entries:
            if entry.table == name:
                if entry.old is not None:
                    rows.remove(entry.old)
                if entry.new is not None:
                    rows.append(entry.new)
        assert sorted(rows, key=str) == sorted(tables[name], key=str)


async def test_what_was_rolled_back_is_not_in_the_journal(journaled_url: str) -> None:
    scheduler = Scheduler(journaled_url)
    async with scheduler:
        await scheduler.create_schedule(ACME, "work", every("1h"), key="once")
        with pytest.raises(Conflict):
            await scheduler.create_schedule(ACME, "work", every("1h"), key="once")
    entries, _ = await journal.read(journaled_url)
    assert [entry.table for entry in entries].count("schedules") == 1
