"""`tickwright runs …`."""

from __future__ import annotations

import json
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
    for command in ("show", "logs", "retry", "cancel"):
        cli.refused(3, "runs", command, unknown)
    cli.refused(3, "runs", "logs", unknown, "--follow")
    cli.refused(3, "runs", "list", "--schedule", "unknown")
    assert cli("runs", "show", "no-id").exit_code == 2


def test_what_has_ended_otherwise_cannot_be_cancelled(cli: Cli, engine: SyncScheduler) -> None:
    cli.create("report", "--every", "1h", "--key", "hourly")
    run = cli.json("run", "hourly", "--wait")
    assert run["status"] == "succeeded"
    assert "succeeded already" in cli.refused(4, "runs", "cancel", run["id"])


def test_a_long_list_goes_on_where_it_ended(cli: Cli) -> None:
    cli.create("report", "--every", "1h", "--key", "hourly", "--overlap", "allow")
    made = [cli.json("run", "hourly", "--no-wait")["id"] for _ in range(3)]
    first = cli.json("runs", "list", "--limit", "2", "--sort", "createdAt")
    rest = cli.json("runs", "list", "--sort", "createdAt", "--cursor", first["nextCursor"])
    assert [run["id"] for run in first["data"] + rest["data"]] == made
    assert first["pagination"]["total"] == 3
    assert "2 of 3 runs; the next: --cursor" in cli("runs", "list", "--limit", "2").stderr
    assert "sort" in cli.refused(2, "runs", "list", "--sort", "runAt")


def test_all_that_match_are_cancelled_and_repeated_when_it_is_confirmed(cli: Cli) -> None:
    cli.create("report", "--every", "1h", "--key", "hourly", "--overlap", "allow")
    for _ in range(3):
        cli.json("run", "hourly", "--no-wait")
    words = ("runs", "cancel", "--status", "queued", "--job", "report")
    assert cli.ok(*words) == "3 matched, 0 done\n"
    assert "nothing was done; --yes does it" in cli(*words).stderr
    assert cli.json(*words, "--yes") == {"matched": 3, "done": 3, "refused": []}
    again = ("runs", "retry", "--status", "cancelled", "--yes", "--request-id", "monday")
    assert cli.ok(*again) == cli.ok(*again) == "3 matched, 3 done\n"
    assert len(cli.json("runs", "list", "--cause", "replay")["data"]) == 3


def test_what_is_refused_of_many_is_4(cli: Cli) -> None:
    cli.create("report", "--every", "1h", "--key", "hourly", "--overlap", "allow")
    for _ in range(2):
        cli.json("run", "hourly", "--no-wait")
    cli.ok("runs", "cancel", "--schedule", "hourly", "--yes")
    cli.ok("schedule", "update", "hourly", "--overlap", "skip")
    result = cli("runs", "retry", "--status", "cancelled", "--yes")
    assert (result.exit_code, result.stdout) == (4, "2 matched, 1 done\n")
    assert "still open" in result.stderr


def test_one_run_or_filters_but_not_both(cli: Cli) -> None:
    run = made(cli)
    for command in ("cancel", "retry"):
        assert "either" in cli.refused(2, "runs", command)
        assert "either" in cli.refused(2, "runs", command, run, "--job", "report")
    assert "one run" in cli.refused(2, "runs", "retry", "--job", "report", "--payload", "{}")


def talked(cli: Cli, lines: int = 0) -> str:
    """An ended run that told something."""
    cli.create("talks", "--every", "1h", "--key", "talks")
    done = cli.json("run", "talks", "--wait", "--payload", f'{{"lines": {lines}}}')
    assert done["status"] == "succeeded", done["error"]
    run: str = done["id"]
    return run


def test_a_run_shows_its_progress_and_last_lines(cli: Cli, engine: SyncScheduler) -> None:
    run = talked(cli, lines=9)
    shown = cli.ok("runs", "show", run)
    assert "Progress  50 of 200 (25 %), copying\N{REPLACEMENT CHARACTER}[31m\n" in shown
    assert " WARNING  first\N{REPLACEMENT CHARACTER}[31m\n    and second\n" in shown
    assert shown.endswith(" INFO     line 8\n")
    assert "\x1b" not in shown
    told = cli.json("runs", "show", run)
    assert (told["progress"]["done"], told["progress"]["total"]) == (50, 200)
    assert told["attempts"] == []
    assert cli.json("runs", "list")["data"][0]["id"] == run


def test_a_log_is_printed_and_followed(cli: Cli, engine: SyncScheduler) -> None:
    run = talked(cli, lines=3)
    shown = cli.ok("runs", "logs", run)
    assert [line.split(maxsplit=3)[-1] for line in shown.splitlines()][-2:] == ["line 1", "line 2"]
    assert cli.ok("runs", "logs", run, "--follow") == shown
    assert cli.ok("runs", "logs", run, "--limit", "1") == shown.splitlines()[-1] + "\n"
    assert cli.ok("runs", "logs", run, "--attempt", "2") == ""
    page = cli.json("runs", "logs", run, "--limit", "2")
    assert [line["text"] for line in page["data"]] == ["line 1", "line 2"]
    assert (page["next"], page["dropped"]) == (page["data"][-1]["seq"], 0)
    followed = cli.ok("runs", "logs", run, "--follow", "--json").splitlines()
    assert [json.loads(line)["level"] for line in followed] == ["warning", *["info"] * 3]


def test_it_says_how_many_lines_are_gone(cli: Cli, engine: SyncScheduler) -> None:
    run = talked(cli, lines=600)
    result = cli("runs", "logs", run, "--limit", "500")
    assert result.stdout.count("\n") == 500
    assert result.stderr == "101 older lines were let go of\n"
