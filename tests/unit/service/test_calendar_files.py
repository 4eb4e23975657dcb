"""Calendars from mounted files: followed when they change, and never in the way."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tickwright.bootstrap import Scheduler
from tickwright.model.calendar import Calendar, definition_to_json
from tickwright.model.errors import NotFound, StoreUnavailable
from tickwright.model.json import JsonObject
from tickwright.model.scope import SYSTEM, tenant
from tickwright.service.calendar_files import EVERY, MAX_FILES, CalendarFiles
from tickwright.testing import FakeClock, ManualScheduler

YAML = """
timezone: Europe/Oslo
weekdays: [mon, tue]
holidays:
- country: NO
exceptions:
- {kind: freeze, from: 2026-12-20T18:00, to: 2027-01-04T06:00, name: 2026}
"""
ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//y//EN
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20261224
SUMMARY:Inventory
END:VEVENT
END:VCALENDAR
"""
EVENT = {"kind": "closed", "from": "2026-12-24", "to": "2026-12-24", "name": "Inventory"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "calendars"
    made.mkdir()
    return made


@pytest.fixture
async def scheduler(folder: Path) -> AsyncIterator[ManualScheduler]:
    settings: dict[str, Any] = {"calendars_path": folder, "default_timezone": "Asia/Tokyo"}
    async with ManualScheduler(**settings) as started:
        yield started


async def said(scheduler: Scheduler, key: str) -> dict[str, Any]:
    return definition_to_json((await scheduler.get_calendar(tenant("acme"), key)).definition)


async def kept(scheduler: Scheduler) -> list[str]:
    return [each.key for each in (await scheduler.find_calendars(SYSTEM)).items]


async def test_files_of_each_kind_become_shared_calendars(
    scheduler: ManualScheduler, folder: Path
) -> None:
    (folder / "norway.yaml").write_text(YAML)
    (folder / "office.json").write_text(json.dumps({"weekdays": ["sun"], "name": "Office"}))
    (folder / "events.ics").write_text(ICS)
    (folder / "both.yml").write_text("weekdays: [mon]")
    (folder / "both.ics").write_text(ICS)
    (folder / "README.md").write_text("Not a calendar.")
    (folder / ".hidden.json").write_text("{}")
    await scheduler.tick()
    assert await kept(scheduler) == ["both", "events", "norway", "office"]
    norway = await said(scheduler, "norway")
    assert (norway["timezone"], norway["holidays"][0]["country"]) == ("Europe/Oslo", "NO")
    assert norway["exceptions"][0]["name"] == "2026"
    office = await said(scheduler, "office")
    assert (office["timezone"], office["weekdays"], office["name"]) == (
        *("Asia/Tokyo", ["sun"]),
        "Office",
    )
    events = await said(scheduler, "events")
    assert (len(events["weekdays"]), events["exceptions"]) == (7, [EVENT])
    both = await said(scheduler, "both")
    assert (both["weekdays"], both["exceptions"]) == (["mon"], [EVENT])
    changes = await scheduler.changes(SYSTEM)
    assert {(each.action, each.actor) for each in changes.items} == {("define", "file")}


async def test_only_what_changes_is_written(scheduler: ManualScheduler, folder: Path) -> None:
    (folder / "norway.yaml").write_text(YAML)
    (folder / "office.json").write_text("{}")
    await scheduler.tick()
    await scheduler.update_calendar(SYSTEM, "office", {"name": "By hand"})
    (folder / "norway.yaml").write_text(YAML + "name: Norge\n")
    await scheduler.tick()
    assert (await scheduler.get_calendar(SYSTEM, "norway")).version == 2
    assert (await said(scheduler, "office"))["name"] == "By hand"


async def test_a_folder_swapped_through_a_link_is_followed(
    scheduler: ManualScheduler, folder: Path
) -> None:
    """As Kubernetes updates a ConfigMap: every name is a link through `..data`."""

    def mount(version: str, text: str) -> None:
        (folder / version).mkdir()
        (folder / version / "office.yaml").write_text(text)
        (folder / "..new").symlink_to(version)
        (folder / "..new").rename(folder / "..data")

    mount("..2026_11_21", "name: One")
    (folder / "office.yaml").symlink_to(Path("..data", "office.yaml"))
    await scheduler.tick()
    assert (await said(scheduler, "office"))["name"] == "One"
    mount("..2026_11_22", "name: Two")
    await scheduler.tick()
    assert (await said(scheduler, "office"))["name"] == "Two"
    assert await kept(scheduler) == ["office"]


async def test_a_file_that_goes_takes_no_calendar_with_it(
    scheduler: ManualScheduler, folder: Path
) -> None:
    (folder / "office.yaml").write_text("name: One")
    await scheduler.tick()
    await scheduler.update_calendar(SYSTEM, "office", {"name": "By hand"})
    (folder / "office.yaml").unlink()
    await scheduler.tick()
    assert (await said(scheduler, "office"))["name"] == "By hand"
    (folder / "office.yaml").write_text("name: One")
    await scheduler.tick()
    assert (await said(scheduler, "office"))["name"] == "One"


async def test_a_bad_file_stops_no_other_and_is_told_once(
    scheduler: ManualScheduler, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {
        "broken.json": "{",
        "deep.json": "[" * 100_000,
        "list.yaml": "- a",
        "unclear.yaml": "a: [",
        "place.yaml": "holidays: [{country: XX}]",
        "closed.yaml": "weekdays: []",
        "no key!.json": "{}",
        "wordy.ics": "hello",
        "large.json": " " * 1_100_000,
        "two.json": "{}",
        "two.yaml": "{}",
    }
    for name, text in bad.items():
        (folder / name).write_text(text)
    (folder / "office.json").write_text("{}")
    with caplog.at_level(logging.ERROR, "tickwright.calendars"):
        await scheduler.tick()
        await scheduler.tick()
    assert await kept(scheduler) == ["office"]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len({name.partition(".")[0] for name in bad})
    assert any("place.yaml" in each and "holidays.0.country" in each for each in told)
    (folder / "place.yaml").write_text("holidays: [{country: NO}]")
    await scheduler.tick()
    assert await kept(scheduler) == ["office", "place"]


@pytest.mark.parametrize("name", ["later", "later.json"])
async def test_a_path_that_is_not_there_yet_is_waited_for(
    folder: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    path = folder / name
    async with ManualScheduler(calendars_path=path) as scheduler:
        with caplog.at_level(logging.ERROR, "tickwright.calendars"):
            await scheduler.tick()
            await scheduler.tick()
        assert len(caplog.records) == 1
        if path.suffix:
            path.write_text("{}")
        else:
            (folder / name).mkdir()
            (folder / name / "later.json").write_text("{}")
        await scheduler.tick()
        assert await kept(scheduler) == ["later"]


async def test_a_folder_of_too_many_files_is_not_read(
    scheduler: ManualScheduler, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(MAX_FILES + 1):
        (folder / f"{n}.json").touch()
    with caplog.at_level(logging.ERROR, "tickwright.calendars"):
        await scheduler.tick()
    assert "more than 1,000" in caplog.text
    assert await kept(scheduler) == []


async def test_a_single_file_may_be_mounted(tmp_path: Path) -> None:
    file = tmp_path / "office.json"
    file.write_text('{"name": "One"}')
    async with ManualScheduler(calendars_path=file) as scheduler:
        await scheduler.tick()
        assert (await said(scheduler, "office"))["name"] == "One"


async def test_a_started_scheduler_has_its_calendars(sqlite_url: str, folder: Path) -> None:
    (folder / "office.json").write_text("{}")
    scheduler = Scheduler(sqlite_url, calendars_path=str(folder))
    async with scheduler:
        assert await kept(scheduler) == ["office"]
        assert "calendars" in scheduler._runtime.loops
    async with Scheduler(sqlite_url) as other:
        assert "calendars" not in other._runtime.loops


async def test_a_database_that_is_away_is_tried_again(folder: Path, clock: FakeClock) -> None:
    (folder / "office.json").write_text("{}")
    answers: list[str] = []
    is_away = True

    async def define(key: str, definition: JsonObject) -> Calendar:
        if is_away:
            raise StoreUnavailable
        answers.append(key)
        raise NotFound

    async def today() -> Any:
        return (await clock.now()).date()

    files = CalendarFiles(folder, "UTC", define, today)
    with pytest.raises(StoreUnavailable):
        await files.tick()
    is_away = False
    assert await files.tick() == EVERY
    assert await files.tick() == EVERY
    assert answers == ["office"]
