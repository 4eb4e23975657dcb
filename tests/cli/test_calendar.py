"""`tickwright calendar …`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//y//EN
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20991224
SUMMARY:Inventory
END:VEVENT
END:VCALENDAR
"""
SAID = (
    *("--tz", "Europe/Berlin", "--weekdays", "mon,tue,wed,sat", "--holidays", "DE-BY"),
    *("--holidays", "AT", "--closed", "2040-12-24..2040-12-31=Works holiday"),
    *("--closed", "2040-06-01", "--open", "2040-12-02", "--name", "Munich"),
    *("--freeze", "2040-12-20T18:00..2041-01-04T06:00 = Ice", "--description", "Both sites"),
)


def test_everything_that_can_be_said(cli: Cli) -> None:
    made = cli.json("calendar", "create", "office", *SAID)
    assert (made["key"], made["timezone"], made["version"]) == ("office", "Europe/Berlin", 1)
    assert (made["name"], made["description"]) == ("Munich", "Both sites")
    assert made["weekdays"] == ["mon", "tue", "wed", "sat"]
    places = [(each["country"], each["subdivision"]) for each in made["holidays"]]
    assert places == [("DE", "BY"), ("AT", None)]
    said = [(each["kind"], each["from"], each["to"], each["name"]) for each in made["exceptions"]]
    assert said == [
        ("closed", "2040-12-24", "2040-12-31", "Works holiday"),
        ("closed", "2040-06-01", "2040-06-01", None),
        ("open", "2040-12-02", "2040-12-02", None),
        ("freeze", "2040-12-20T18:00", "2041-01-04T06:00", "Ice"),
    ]
    assert cli.json("calendar", "show", "office") == made
    shown = cli.ok("calendar", "show", "office")
    assert "Holidays     DE-BY, AT\n" in shown
    assert "Week         mon tue wed sat\n" in shown
    assert "Exceptions   closed 2040-12-24..2040-12-31 Works holiday\n" in shown
    assert "             freeze 2040-12-20T18:00..2041-01-04T06:00 Ice\n" in shown


def test_long_lists_are_cut(cli: Cli) -> None:
    days = [word for n in range(1, 26) for word in ("--closed", f"2040-01-{n:02}")]
    cli.ok("calendar", "create", "office", *days)
    assert "and 5 more; --json has all" in cli.ok("calendar", "show", "office")


def test_updating_changes_what_is_named_and_adds_exceptions(cli: Cli) -> None:
    made = cli.json("calendar", "create", "office", *SAID)
    after = cli.json("calendar", "update", "office", "--tz", "Asia/Tokyo", "--holidays", "none")
    assert (after["timezone"], after["holidays"], after["version"]) == ("Asia/Tokyo", [], 2)
    assert after["exceptions"] == made["exceptions"]
    more = cli.json("calendar", "update", "office", "--closed", "2041-06-01")
    assert [each["from"] for each in more["exceptions"]][-1] == "2041-06-01"
    assert len(more["exceptions"]) == 5
    only = cli.json("calendar", "update", "office", "--no-exceptions", "--closed", "2041-06-01")
    assert [each["from"] for each in only["exceptions"]] == ["2041-06-01"]
    assert cli.json("calendar", "update", "office", "--no-exceptions")["exceptions"] == []
    stale = ("calendar", "update", "office", "--closed", "2041-06-02", "--version", "1")
    assert "version" in cli.refused(4, *stale)
    cli.refused(2, "calendar", "update", "office")


def test_a_file_is_what_options_add_to(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "office.yaml"
    text = "timezone: Europe/Oslo\nholidays:\n- country: NO\nexceptions:\n- from: 2040-12-24\n"
    file.write_text(text)
    made = cli.json("calendar", "create", "office", "--file", str(file), "--closed", "2040-12-25")
    assert (made["timezone"], made["holidays"][0]["country"]) == ("Europe/Oslo", "NO")
    assert [each["from"] for each in made["exceptions"]] == ["2040-12-24", "2040-12-25"]
    file = tmp_path / "office.json"
    file.write_text(json.dumps({"exceptions": [{"from": "2041-01-01"}]}))
    after = cli.json("calendar", "update", "office", "--file", str(file), "--closed", "2041-01-02")
    assert [each["from"] for each in after["exceptions"]] == ["2041-01-01", "2041-01-02"]
    assert after["timezone"] == "Europe/Oslo"


def test_days_are_told_with_their_reasons(cli: Cli) -> None:
    cli.ok("calendar", "create", "office", "--freeze", "2040-01-09T12:00..2040-01-09T13:00=Ice")
    span = ("--from", "2040-01-06", "--to", "2040-01-09")
    days = cli.json("calendar", "days", "office", *span)["data"]
    assert [(each["open"], each["reason"], each["partly"]) for each in days] == [
        (True, None, None),
        (False, "Saturday", None),
        (False, "Sunday", None),
        (True, None, "Ice"),
    ]
    shown = cli.ok("calendar", "days", "office", *span).splitlines()
    assert [line.split() for line in shown] == [
        ["DATE", "DAY", "OPEN", "WHY"],
        ["2040-01-06", "Fri", "yes"],
        ["2040-01-07", "Sat", "no", "Saturday"],
        ["2040-01-08", "Sun", "no", "Sunday"],
        ["2040-01-09", "Mon", "partly", "Ice"],
    ]
    assert len(cli.json("calendar", "days", "office")["data"]) == 31
    assert cli("calendar", "days", "office", *span).stderr == ""
    cli.ok("calendar", "create", "colombo", "--holidays", "LK")
    assert cli.json("calendar", "days", "colombo")["knownUntil"] == "2026-12-31"
    assert "ends on 2026-12-31" in cli("calendar", "days", "colombo", *span).stderr
    assert "to: " in cli.refused(2, "calendar", "days", "office", "--to", "2999-01-01")
    assert "from: " in cli.refused(2, "calendar", "days", "office", "--from", "2040-01-01T10:00")


def test_events_of_a_file_become_exceptions(cli: Cli, tmp_path: Path) -> None:
    cli.ok("calendar", "create", "office", "--closed", "2040-06-01")
    file = tmp_path / "events.ics"
    file.write_text(ICS)
    after = cli.json("calendar", "import", "office", str(file))
    event = {"kind": "closed", "from": "2099-12-24", "to": "2099-12-24", "name": "Inventory"}
    assert (len(after["exceptions"]), after["exceptions"][-1]) == (2, event)
    only = cli.json("calendar", "import", "office", str(file), "--kind", "freeze", "--replace")
    assert only["exceptions"] == [event | {"kind": "freeze"}]
    missing = str(tmp_path / "missing.ics")
    assert "file: cannot be read" in cli.refused(2, "calendar", "import", "office", missing)
    file.write_text("hello")
    assert "ics: is no iCalendar file" in cli.refused(2, "calendar", "import", "office", str(file))
    cli.refused(3, "calendar", "import", "plant", str(file))


def test_listing_sharing_and_deleting(cli: Cli) -> None:
    cli.ok("calendar", "create", "plant", "--holidays", "DE-BY", "--system")
    cli.ok("calendar", "create", "office", "--weekdays", "mon")
    assert [each["key"] for each in cli.json("calendar", "list")["data"]] == ["office", "plant"]
    listed = [line.split() for line in cli.ok("calendar", "list").splitlines()]
    assert listed[1] == ["office", "default", "UTC", "mon", "none", "0"]
    assert listed[2][:2] == ["plant", "*"]
    assert "1 of 2" in cli("calendar", "list", "--limit", "1").stderr
    assert "shared" in cli.refused(4, "calendar", "delete", "plant")
    assert cli.ok("calendar", "delete", "plant", "--system") == "Deleted plant.\n"
    cli.refused(3, "calendar", "show", "plant")
    cli.refused(3, "calendar", "delete", "plant")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tz", "Mars/Base"), "timezone: "),
        (("--weekdays", "none"), "weekdays: "),
        (("--weekdays", "mon,someday"), "weekdays.1: "),
        (("--holidays", "UK"), "did you mean GB?"),
        (("--holidays", "DE-XX"), "holidays.0.subdivision: "),
        (("--closed", "24.12.2026"), "exceptions.0.from: "),
        (("--closed", "2026-12-24..2026-12-23"), "exceptions.0.to: "),
        (("--file", "missing.yaml"), "file: cannot be read"),
    ],
)
def test_bad_input_is_2(cli: Cli, words: tuple[str, ...], said: str) -> None:
    assert said in cli.refused(2, "calendar", "create", "office", *words)


def test_a_file_that_says_nothing_is_2(cli: Cli, tmp_path: Path) -> None:
    for name, text in (("a.yaml", "a: ["), ("a.json", "{"), ("b.json", "[]"), ("b.yaml", "x")):
        (tmp_path / name).write_text(text)
        said = cli.refused(2, "calendar", "create", "office", "--file", str(tmp_path / name))
        assert said.startswith("file: ")


def test_a_key_is_created_once(cli: Cli) -> None:
    cli.ok("calendar", "create", "office")
    cli.refused(4, "calendar", "create", "office")
