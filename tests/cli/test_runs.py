"""`tickwright runs …`."""

from __future__ import annotations

from uuid import UUID, uuid4

from tests.cli.conftest import Cli
from tickwright.service.sync import SyncScheduler


def made(cli: Cli) -> str:
    """A run that waits for a worker."""
    cli.create("report", "--every", "1h", "--key", "hourly")
    run: str = cli.json("run", "hourly", "--no-wait")["id"]
    return run


def test_runs_are_listed_and_shown(cli: Cli) -> None:
    run = made(cli)
    assert [each["id"] for each in cli.json("runs", "list")["data"]] == [run]
    assert cli.json("runs", "list", "--schedule", "hourly", "--status", "dead")["data"] == []
    assert cli.json("runs", "show", run)["status"] == "queued"
    shown = cli.ok("runs", "show", run)
    assert f"Run       {run}\n" in shown
    assert "Schedule  hourly\n" in shown
    assert run in cli.ok("runs", "list")


def test_a_cancelled_run_is_repeated(cli: Cli) -> None:
    run = made(cli)
    assert "has not ended" in cli.refused(4, "runs", "retry", run)
    assert "cancelled (cancelled)" in cli.ok("runs", "cancel", run)
    again = cli.json("runs", "retry", run, "--payload", '{"a": 1}')
    assert (again["replayOf"], again["payload"], again["cause"]) == (run, {"a": 1}, "replay")
    assert f"Repeats   {run}\n" in cli.ok("runs", "show", again["id"])
    assert str(UUID(again["id"])) != run


def test_what_is_not_there_is_3(cli: Cli) -> None:
    unknown = str(uuid4())
    for command in ("show", "retry", "cancel"):
        cli.refused(3, "runs", command, unknown)
    cli.refused(3, "runs", "list", "--schedule", "unknown")
    assert cli("runs", "show", "no-id").exit_code == 2


def test_what_has_ended_otherwise_cannot_be_cancelled(cli: Cli, engine: SyncScheduler) -> None:
    cli.create("report", "--every", "1h", "--key", "hourly")
    run = cli.json("run", "hourly", "--wait")
    assert run["status"] == "succeeded"
    assert "succeeded already" in cli.refused(4, "runs", "cancel", run["id"])
