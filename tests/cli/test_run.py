"""`tickwright run`."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from tests.cli.conftest import Cli
from tickwright.model.job import Policy
from tickwright.model.scope import tenant
from tickwright.service.sync import SyncScheduler

DEFAULT = tenant("default")


@pytest.mark.usefixtures("engine")
def test_it_waits_for_the_result(cli: Cli) -> None:
    cli.create("report", "--key", "daily", "--payload", '{"a": 1}')
    shown = cli.ok("run", "daily")
    assert "Status    succeeded" in shown
    assert 'Result    {"tenant": "default", "got": {"a": 1}}' in shown


@pytest.mark.usefixtures("engine")
def test_json_is_the_run_as_it_ended(cli: Cli) -> None:
    made = cli.create("report", "--key", "daily")
    run = cli.json("run", made["id"], "--payload", '{"b": 2}')
    assert str(UUID(run["id"])) == run["id"]
    assert (run["status"], run["cause"]) == ("succeeded", "manual")
    assert run["scheduleId"] == made["id"]
    assert run["result"] == {"tenant": "default", "got": {"b": 2}}
    assert run["triggeredBy"].startswith("cli")


def test_a_failed_run_is_1(cli: Cli, engine: SyncScheduler) -> None:
    engine.define_job(DEFAULT, "broken", Policy(max_attempts=1))
    cli.create("broken", "--key", "daily")
    result = cli("run", "daily", "--json")
    assert result.exit_code == 1
    run = json.loads(result.stdout)
    assert run["status"] == "dead"
    assert "it broke" in run["error"]
    assert "Error     ValueError: it broke\n" in cli("run", "daily").stdout


def test_without_a_worker_it_is_queued(cli: Cli) -> None:
    cli.create("report", "--key", "daily")
    result = cli("run", "daily")
    assert result.exit_code == 0
    assert "Status  queued" in result.stdout
    assert result.stderr == "queued: no worker that serves it is online\n"


@pytest.mark.usefixtures("engine")
def test_a_worker_that_does_not_serve_it_is_none(cli: Cli) -> None:
    cli.create("other", "--key", "daily")
    result = cli("run", "daily")
    assert result.exit_code == 0
    assert result.stderr == "queued: no worker that serves it is online\n"


def test_waiting_can_be_left_out(cli: Cli, engine: SyncScheduler) -> None:
    cli.create("report", "--key", "daily")
    result = cli("run", "daily", "--no-wait", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    made = engine.get_run(DEFAULT, UUID(json.loads(result.stdout)["id"]))
    assert made.schedule_key == "daily"


def test_waiting_too_long_is_124(cli: Cli) -> None:
    cli.create("report", "--key", "daily")
    result = cli("run", "daily", "--wait", "--timeout", "0.01", "--json")
    assert result.exit_code == 124
    assert json.loads(result.stdout)["status"] == "queued"
    assert result.stderr == "error: the run has not ended within 0.01 s; it goes on\n"


def test_an_open_run_is_a_conflict(cli: Cli) -> None:
    cli.create("report", "--key", "daily")
    cli.ok("run", "daily")
    assert cli.refused(4, "run", "daily")


def test_a_paused_schedule_needs_force(cli: Cli) -> None:
    cli.create("report", "--key", "daily", "--paused")
    assert "force" in cli.refused(4, "run", "daily")
    assert cli.json("run", "daily", "--force")["status"] == "queued"


def test_a_cancelled_schedule_never_runs(cli: Cli) -> None:
    cli.create("report", "--key", "daily")
    cli.ok("schedule", "cancel", "daily")
    assert "cancelled" in cli.refused(4, "run", "daily", "--force")


@pytest.mark.parametrize("payload", ["{", "[1]", "1", '{"a": NaN}', "[" * 100_000])
def test_a_payload_that_is_no_json_object_is_2(cli: Cli, payload: str) -> None:
    cli.create("report", "--key", "daily")
    assert cli.refused(2, "run", "daily", "--payload", payload).startswith("payload: ")


@pytest.mark.parametrize("timeout", ["-1", "soon", "nan", "1e99"])
def test_a_timeout_that_is_none_is_2(cli: Cli, timeout: str) -> None:
    cli.create("report", "--key", "daily")
    assert cli("run", "daily", "--timeout", timeout).exit_code == 2
