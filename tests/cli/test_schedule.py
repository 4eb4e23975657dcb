"""`tickwright schedule …`."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.cli.conftest import Cli


def test_a_cron_rule(cli: Cli) -> None:
    made = cli.create("report", "--cron", "0 9 * * 1", "--tz", "Europe/Berlin", "--key", "weekly")
    assert str(UUID(made["id"])) == made["id"]
    assert (made["key"], made["jobKey"]) == ("weekly", "report")
    assert made["trigger"] == {
        "type": "cron",
        "expression": "0 9 * * 1",
        "timezone": "Europe/Berlin",
    }
    assert (made["status"], made["health"], made["version"]) == ("active", "no_handler", 1)
    assert made["nextRunAt"].endswith("Z")
    assert made["target"] == {"type": "handler", "name": "report"}
    assert made["createdBy"].startswith("cli")


def test_a_cron_rule_without_a_zone_has_the_default_one(cli: Cli) -> None:
    words = ("schedule", "create", "report", "--cron", "0 9 * * 1")
    assert cli.json(*words)["trigger"]["timezone"] == "UTC"
    assert cli.json(*words, DEFAULT_TZ="Asia/Tokyo")["trigger"]["timezone"] == "Asia/Tokyo"


def test_an_interval(cli: Cli) -> None:
    made = cli.create("report", "--every", "15m")
    assert made["trigger"]["every"] == "15m"
    assert made["key"].startswith("report-")


def test_a_single_time(cli: Cli) -> None:
    made = cli.create("report", "--at", "2100-01-01T09:00:00+01:00")
    assert made["nextRunAt"] == "2100-01-01T08:00:00Z"
    assert "past" in cli.refused(2, "schedule", "create", "report", "--at", "2020-01-01T00:00:00Z")
    past = cli.create("report", "--at", "2020-01-01T00:00:00Z", "--run-past")
    assert past["nextRunAt"] == "2020-01-01T00:00:00Z"


def test_a_single_time_on_the_clock_of_a_zone(cli: Cli) -> None:
    at = ("report", "--at", "2100-03-28T02:30:00", "--tz", "Europe/Berlin")
    assert cli.create(*at)["nextRunAt"] == "2100-03-28T01:00:00Z"
    shifted = cli.create(*at, "--dst-gap", "shift")
    assert shifted["nextRunAt"] == "2100-03-28T01:30:00Z"
    assert shifted["trigger"]["at"] == "2100-03-28T02:30:00"


def test_a_recurrence_rule(cli: Cli) -> None:
    rule = ("--rrule", "FREQ=MONTHLY;BYMONTHDAY=-1", "--start", "2100-01-31T09:00:00")
    made = cli.create("report", *rule, "--tz", "Europe/Berlin")
    assert made["nextRunAt"] == "2100-01-31T08:00:00Z"
    assert made["triggerText"].startswith("every month on the last day")


def test_a_trigger_as_on_the_wire(cli: Cli) -> None:
    trigger = '{"type": "cron", "expression": "0 0 31 * *", "monthEnd": "clamp"}'
    made = cli.create("report", "--trigger", trigger, "--tz", "UTC")
    assert made["trigger"]["monthEnd"] == "clamp"


def test_everything_that_can_be_said(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_URL", "http://127.0.0.1:9")
    target = '{"type": "http", "service": "mail", "endpoint": "/hook"}'
    made = cli.create(
        *("report", "--every", "1h", "--key", "all", "--payload", '{"a": 1}', "--target", target),
        *("--name", "Name", "--description", "Words", "--category", "kind", "--max-runs", "3"),
        *("--starts-at", "2099-01-01T00:00:00Z", "--ends-at", "2100-01-01T00:00:00Z"),
        *("--misfire", "skip", "--overlap", "allow", "--paused"),
    )
    assert made["payload"] == {"a": 1}
    assert made["target"]["service"] == "mail"
    assert (made["name"], made["description"], made["category"]) == ("Name", "Words", "kind")
    assert (made["startsAt"], made["endsAt"]) == ("2099-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
    assert (made["maxRuns"], made["misfire"], made["overlap"]) == (3, "skip", "allow")
    assert (made["status"], made["enabled"], made["nextRunAt"]) == ("paused", False, None)


def test_scopes_are_kept_apart(cli: Cli) -> None:
    made = cli.create("report", "--key", "same", "--tenant", "acme", "--organization", "north")
    assert made["scope"] == {
        "type": "organization",
        "tenantId": "acme",
        "organizationId": "north",
    }
    assert cli.create("report", "--key", "same", "--system")["scope"]["type"] == "system"
    assert cli.create("report", "--key", "same")["scope"]["tenantId"] == "default"


def test_a_taken_key_is_a_conflict(cli: Cli) -> None:
    cli.create("report", "--key", "daily")
    words = ("schedule", "create", "report", "--every", "1d", "--key", "daily")
    assert "daily" in cli.refused(4, *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "trigger: needs one of --cron, --every, --at, --rrule and --trigger"),
        (("--cron", "0 9 * * 1", "--every", "1d"), "trigger: takes only one of"),
        (("--every", "1d", "--tz", "Europe/Berlin"), "tz: goes with rules on the clock of a zone"),
        (("--every", "1d", "--dst-gap", "skip"), "dst-gap: goes with rules on the clock of a zone"),
        (("--cron", "0 9 * * 1", "--dst-gap", "x"), "trigger.dstGap: "),
        (("--cron", "0 9 * * 1", "--dst-overlap", "x"), "trigger.dstOverlap: "),
        (("--rrule", "FREQ=DAILY"), "trigger.start: "),
        (("--rrule", "FREQ=NEVER", "--start", "2100-01-31T09:00:00"), "trigger.rule: "),
        (("--every", "1d", "--start", "2100-01-31T09:00:00"), "start: goes with --rrule only"),
        (("--trigger", "[]"), "trigger: must be a JSON object"),
        (("--trigger", "{}"), "trigger.type: "),
        (("--cron", "61 9 * * 1"), "trigger.expression: "),
        (("--cron", ""), "trigger.expression: "),
        (("--cron", "0 9 * * 1", "--tz", "Mars/Olympus"), "trigger.timezone: "),
        (("--every", "soon"), "trigger.every: "),
        (("--every", "0s"), "trigger.every: "),
        (("--at", "tomorrow"), "trigger.at: "),
        (("--at", "2100-01-01T09:00:00"), "trigger.at: "),
        (("--every", "1d", "--payload", "[]"), "payload: must be a JSON object"),
        (("--every", "1d", "--payload", "{'a': 1}"), "payload: is not JSON: "),
        (("--every", "1d", "--target", '{"type": "smoke"}'), "target.type: "),
        (("--every", "1d", "--starts-at", "soon"), "startsAt: "),
        (("--every", "1d", "--key", "a/b"), "key: "),
        (("--every", "1d", "--max-runs", "0"), "maxRuns: "),
    ],
)
def test_bad_input_is_2(cli: Cli, words: tuple[str, ...], said: str) -> None:
    assert cli.refused(2, "schedule", "create", "report", *words).startswith(said)
    assert cli.json("list")["pagination"]["total"] == 0


@pytest.mark.parametrize("words", [("--misfire", "maybe"), ("--overlap", "x"), ("--max-runs", "x")])
def test_words_that_do_not_exist_are_2(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli("schedule", "create", "report", "--every", "1d", *words).exit_code == 2


def test_showing_finds_by_key_and_by_id(cli: Cli) -> None:
    made = cli.create("report", "--key", "daily")
    assert cli.json("schedule", "show", "daily") == made
    assert cli.json("schedule", "show", made["id"]) == made
    shown = cli.ok("schedule", "show", "daily")
    assert f"Id        {made['id']}\n" in shown
    assert "Rule      every day\n" in shown


def test_updating_changes_what_is_named(cli: Cli) -> None:
    cli.create("report", "--key", "daily", "--name", "Old", "--payload", '{"a": 1}')
    after = cli.json("schedule", "update", "daily", "--name", "New", "--every", "2h")
    assert (after["name"], after["trigger"]["every"], after["payload"]) == ("New", "2h", {"a": 1})
    assert after["version"] == 2


def test_clearing_takes_a_value_away(cli: Cli) -> None:
    cli.create("report", "--key", "daily", "--name", "Old", "--max-runs", "3")
    after = cli.json("schedule", "update", "daily", "--clear", "name", "--clear", "max-runs")
    assert (after["name"], after["maxRuns"]) == (None, None)
    assert cli("schedule", "update", "daily", "--clear", "payload").exit_code == 2


def test_an_update_of_another_version_is_a_conflict(cli: Cli) -> None:
    cli.create("report", "--key", "daily")
    words = ("schedule", "update", "daily", "--name", "x", "--version", "7")
    assert "version 7 was expected" in cli.refused(4, *words)


def test_an_update_that_names_nothing_is_2(cli: Cli) -> None:
    cli.create("report", "--key", "daily")
    assert "nothing to change" in cli.refused(2, "schedule", "update", "daily")


def test_pausing_and_resuming(cli: Cli) -> None:
    cli.create("report", "--key", "daily")
    paused = cli.json("schedule", "pause", "daily", "--reason", "holidays")
    assert (paused["status"], paused["statusReason"]) == ("paused", "holidays")
    assert paused["nextRunAt"] is None
    resumed = cli.json("schedule", "resume", "daily")
    assert (resumed["status"], resumed["statusReason"]) == ("active", None)
    assert resumed["nextRunAt"] is not None


def test_cancelling_is_for_good(cli: Cli) -> None:
    cli.create("report", "--key", "daily")
    cancelled = cli.json("schedule", "cancel", "daily", "--reason", "gone")
    assert (cancelled["status"], cancelled["statusReason"]) == ("cancelled", "gone")
    assert "cancelled" in cli.refused(4, "schedule", "resume", "daily")


def test_deleting_frees_the_key(cli: Cli) -> None:
    cli.create("report", "--key", "daily")
    assert cli.ok("schedule", "delete", "daily") == "Deleted daily.\n"
    assert cli.refused(3, "schedule", "show", "daily")
    cli.create("report", "--key", "daily")
    assert cli.json("schedule", "delete", "daily")["key"] == "daily"


def test_a_schedule_that_denies_starts_by_hand(cli: Cli) -> None:
    made = cli.create("report", "--key", "nightly", "--no-allow-manual")
    assert made["allowManual"] is False
    assert "By hand   not allowed\n" in cli.ok("schedule", "show", "nightly")
    assert "does not allow starts by hand" in cli.refused(4, "run", "nightly", "--no-wait")
    assert cli.json("schedule", "update", "nightly", "--allow-manual")["allowManual"] is True
    assert cli.json("run", "nightly", "--no-wait")["status"] == "queued"


def test_when_it_may_happen_is_said_and_given_up(cli: Cli) -> None:
    cli.ok("calendar", "create", "office")
    made = cli.create(
        *("report", "--cron", "0 9 * * *", "--key", "daily", "--calendar", "office"),
        *("--on-closed", "next", "--window", "08:00-18:00", "--jitter", "5m"),
    )
    assert made["calendars"] == ["office"]
    assert (made["onClosed"], made["window"], made["jitter"]) == ("next", "08:00-18:00", "5m")
    shown = cli.ok("schedule", "show", "daily")
    assert "Calendars  office (closed: next)\n" in shown
    assert "Window     08:00-18:00 (outside: skip)\n" in shown
    assert "Jitter     up to 5m\n" in shown
    changes = ("--calendar", "none", "--window", "none", "--jitter", "0s")
    after = cli.json("schedule", "update", "daily", *changes)
    assert (after["calendars"], after["window"], after["jitter"]) == ([], None, "0s")
