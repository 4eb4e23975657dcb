"""Triggers come from their wire shape through one door, and whatever is wrong is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import tickwright.triggers as triggers
from tickwright.model.errors import InvalidInput
from tickwright.triggers import Trigger, TriggerError, known_kinds, trigger_from_json
from tickwright.triggers.cron import cron
from tickwright.triggers.interval import every
from tickwright.triggers.one_shot import at
from tickwright.triggers.rrule import rrule

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)

WIRE = [
    (
        {"type": "cron", "expression": "0 9 * * 1", "timezone": "Europe/Berlin"},
        cron("0 9 * * 1", tz="Europe/Berlin"),
    ),
    ({"type": "interval", "every": "15m"}, every("15m")),
    (
        {"type": "interval", "every": "1h30m", "anchor": "2026-03-01T00:00:00Z"},
        every("90m", anchor=MOMENT),
    ),
    ({"type": "one_shot", "at": "2026-03-01T00:00:00Z"}, at(MOMENT)),
    (
        {
            "type": "rrule",
            "rule": "FREQ=MONTHLY;BYMONTHDAY=-1",
            "start": "2026-01-31T09:00:00",
            "timezone": "Europe/Berlin",
        },
        rrule(
            "FREQ=MONTHLY;BYMONTHDAY=-1",
            start=datetime.fromisoformat("2026-01-31T09:00"),
            tz="Europe/Berlin",
        ),
    ),
]


@pytest.mark.parametrize(("data", "trigger"), WIRE)
def test_the_wire_shape_of_each_kind(data: dict[str, Any], trigger: Trigger) -> None:
    assert trigger_from_json(data) == trigger
    assert trigger.to_json() == data


@pytest.mark.parametrize(("data", "trigger"), WIRE)
def test_every_trigger_keeps_the_contract(data: dict[str, Any], trigger: Trigger) -> None:
    assert isinstance(trigger, Trigger)
    assert trigger.kind == data["type"]
    assert trigger.recurring is (trigger.kind != "one_shot")
    assert {trigger: 1}[trigger_from_json(data)] == 1
    assert trigger.anchored(MOMENT).anchored(MOMENT) == trigger.anchored(MOMENT)


@pytest.mark.parametrize(("data", "trigger"), WIRE)
def test_no_trigger_can_be_changed(data: dict[str, Any], trigger: Any) -> None:
    for field in fields(trigger):
        with pytest.raises(FrozenInstanceError):
            setattr(trigger, field.name, None)
    assert trigger.to_json() == data


def test_cron_without_a_zone_means_utc() -> None:
    assert trigger_from_json({"type": "cron", "expression": "0 9 * * 1"}) == cron("0 9 * * 1")


def test_triggers_without_anchor_anchor_to_themselves() -> None:
    for trigger in (cron("0 9 * * 1"), at(MOMENT), every("1d", anchor=MOMENT)):
        assert trigger.anchored(MOMENT) is trigger


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "trigger.type"),
        ({"expression": "0 9 * * *"}, "trigger.type"),
        ({"type": None}, "trigger.type"),
        ({"type": 5}, "trigger.type"),
        ({"type": ["cron"]}, "trigger.type"),
        ({"type": ""}, "trigger.type"),
        ({"type": "Cron"}, "trigger.type"),
        ({"type": "x" * 5_000}, "trigger.type"),
        ({"type": "cron"}, "trigger.expression"),
        ({"type": "cron", "expression": "0 9 * * *", "tz": "UTC"}, "trigger.tz"),
        ({"type": "cron", "expression": "0 9 * * *", "timezone": None}, "trigger.timezone"),
        ({"type": "interval"}, "trigger.every"),
        ({"type": "interval", "every": "1h", "expression": "*"}, "trigger.expression"),
        ({"type": "interval", "every": "1h", "anchor": None}, "trigger.anchor"),
        ({"type": "interval", "every": "1h", "anchor": "yesterday"}, "trigger.anchor"),
        ({"type": "interval", "every": "1h", "anchor": "2026-03-01T00:00:00"}, "trigger.anchor"),
        ({"type": "rrule"}, "trigger.rule"),
        ({"type": "rrule", "rule": "FREQ=DAILY"}, "trigger.start"),
        ({"type": "one_shot"}, "trigger.at"),
        ({"type": "one_shot", "at": "2026-03-01T00:00:00Z", "every": "1h"}, "trigger.every"),
        (None, "trigger"),
        ([], "trigger"),
        ("cron", "trigger"),
        (5, "trigger"),
    ],
)
def test_a_bad_wire_shape_names_the_field(data: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        trigger_from_json(data)
    assert refusal.value.field == field
    assert len(refusal.value.reason) < 200


def test_an_unknown_field_is_named_safely() -> None:
    with pytest.raises(InvalidInput) as refusal:
        trigger_from_json({"type": "cron", "expression": "* * * * *", "\x00\n" + "x" * 9_000: 1})
    assert refusal.value.field.isprintable()
    assert len(refusal.value.field) < 80


def test_an_unknown_type_is_told_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="cron, interval, one_shot, rrule"):
        trigger_from_json({"type": "moonphase"})


def test_a_trigger_refuses_the_wire_shape_of_another() -> None:
    with pytest.raises(InvalidInput) as refusal:
        type(cron("* * * * *")).from_json({"type": "interval", "expression": "* * * * *"})
    assert refusal.value.field == "trigger.type"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory on the path, in which a distribution is looked for afresh."""
    monkeypatch.syspath_prepend(str(tmp_path))
    triggers._outside.cache_clear()
    triggers._load.cache_clear()
    yield tmp_path
    triggers._outside.cache_clear()
    triggers._load.cache_clear()


def install(path: Path, kind: str, target: str) -> None:
    metadata = path / f"{kind}_outside-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {kind}-outside\n")
    (metadata / "entry_points.txt").write_text(f"[tickwright.triggers]\n{kind} = {target}\n")


OUTSIDE = """
class Moonphase:
    kind = "moonphase"
    recurring = True

    @classmethod
    def from_json(cls, data):
        return cls()
"""


def test_an_outside_member_is_found_by_its_entry_point(installed: Path) -> None:
    install(installed, "moonphase", "moonphase_outside:Moonphase")
    (installed / "moonphase_outside.py").write_text(OUTSIDE)
    assert entry_points(group="tickwright.triggers", name="moonphase")
    assert type(trigger_from_json({"type": "moonphase"})).__name__ == "Moonphase"
    assert known_kinds() == ("cron", "interval", "one_shot", "rrule", "moonphase")


def test_an_outside_member_that_cannot_be_loaded_is_not_the_callers_fault(installed: Path) -> None:
    install(installed, "eclipse", "no_such_module:Eclipse")
    with pytest.raises(TriggerError, match="eclipse"):
        trigger_from_json({"type": "eclipse"})


def test_an_outside_member_of_another_kind_is_not_the_callers_fault(installed: Path) -> None:
    install(installed, "comet", "comet_outside:Moonphase")
    (installed / "comet_outside.py").write_text(OUTSIDE)
    with pytest.raises(TriggerError, match="another kind"):
        trigger_from_json({"type": "comet"})


def test_a_rule_without_a_zone_takes_the_one_it_is_given() -> None:
    given = {"type": "cron", "expression": "0 9 * * 1"}
    assert trigger_from_json(given, "Asia/Tokyo") == cron("0 9 * * 1", tz="Asia/Tokyo")
    assert trigger_from_json({**given, "timezone": "UTC"}, "Asia/Tokyo") == cron("0 9 * * 1")
    assert trigger_from_json({"type": "interval", "every": "15m"}, "Asia/Tokyo") == every("15m")


def test_an_outside_member_cannot_replace_one_of_ours(installed: Path) -> None:
    install(installed, "cron", "no_such_module:Cron")
    assert trigger_from_json({"type": "cron", "expression": "@daily"}) == cron("@daily")
    assert known_kinds() == ("cron", "interval", "one_shot", "rrule")


def test_importing_the_room_imports_no_member() -> None:
    code = (
        "import sys, tickwright.triggers; "
        "print({'cronsim', 'zoneinfo', 'importlib.metadata'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
