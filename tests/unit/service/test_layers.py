"""The two layers behind a schedule: what was registered, and what somebody overrode."""

from __future__ import annotations

from tickwright.service.layers import (
    in_force,
    overridden,
    registered_layer,
    same_rule,
    wants_enabled,
    with_layers,
)
from tickwright.triggers.interval import every

from .support import NIGHTLY, WHOLE, created, wishes

TARGET = {"type": "handler", "name": "report"}
REGISTERED = registered_layer(NIGHTLY, wishes(max_runs=3), TARGET)


def test_a_registration_states_every_group_completely() -> None:
    layer = registered_layer(NIGHTLY, wishes(max_runs=3), TARGET)
    assert layer == {
        "trigger": {
            "trigger": NIGHTLY.to_json(),
            "starts_at": None,
            "ends_at": None,
            "calendars": [],
            "on_closed": "skip",
            "window": None,
            "outside_window": "skip",
            "jitter": "0s",
        },
        "target": {"target": TARGET, "payload": {}},
        "policy": {
            "max_runs": 3,
            "misfire": "fire_once",
            "overlap": "skip",
            "overlap_limit": 1,
            "allow_manual": True,
        },
        "status": {"enabled": True},
    }


def test_an_overridden_group_is_in_force_as_a_whole() -> None:
    override = {"policy": {"max_runs": None, "misfire": "skip", "overlap": "allow"}}
    effective = in_force(REGISTERED, override)
    assert effective["policy"] == override["policy"]
    assert {name: effective[name] for name in ("trigger", "target", "status")} == {
        name: REGISTERED[name] for name in ("trigger", "target", "status")
    }


def test_a_schedule_follows_its_layers() -> None:
    override = {"policy": {"max_runs": 9, "misfire": "skip", "overlap": "allow"}}
    schedule = with_layers(created(), REGISTERED, override)
    assert (schedule.max_runs, schedule.misfire.value, schedule.overlap.value) == (
        9,
        "skip",
        "allow",
    )
    assert (schedule.registered, schedule.override) == (REGISTERED, override)


def test_moments_survive_their_way_through_a_layer() -> None:
    layer = registered_layer(NIGHTLY, wishes(starts_at=WHOLE, ends_at=WHOLE), TARGET)
    assert layer["trigger"]["starts_at"] == "2026-03-02T09:00:00Z"
    schedule = with_layers(created(), layer, {})
    assert (schedule.starts_at, schedule.ends_at) == (WHOLE, WHOLE)


def test_an_edit_that_touches_no_group_overrides_none() -> None:
    assert overridden(created(), wishes(name="x"), None) == {}


def test_enabled_is_asked_of_the_override_first() -> None:
    assert wants_enabled(REGISTERED, {}) is True
    assert wants_enabled(REGISTERED, {"status": {"enabled": False}}) is False
    off = registered_layer(NIGHTLY, wishes(enabled=False), TARGET)
    assert wants_enabled(off, {}) is False
    assert wants_enabled(off, {"status": {"enabled": True}}) is True


def test_two_rules_are_the_same_when_only_the_filled_in_anchor_differs() -> None:
    hourly = every("1h")
    anchored = every("1h", anchor=WHOLE).to_json()
    assert same_rule(hourly.to_json(), anchored)
    assert not same_rule(hourly.to_json(), every("2h").to_json())
