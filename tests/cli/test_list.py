"""`tickwright list`."""

from __future__ import annotations

from tests.cli.conftest import Cli


def test_nothing_is_an_empty_list(cli: Cli) -> None:
    assert cli.json("list") == {
        "data": [],
        "pagination": {"page": 1, "pageSize": 50, "total": 0, "totalPages": 0},
    }


def test_schedules_come_with_their_rule_in_words(cli: Cli) -> None:
    cli.create("report", "--key", "weekly", "--cron", "0 9 * * 1", "--tz", "Europe/Berlin")
    header, row = cli.ok("list").splitlines()
    assert header.split() == ["KEY", "NAME", "JOB", "RULE", "NEXT", "RUN", "STATUS", "HEALTH"]
    assert row.startswith("weekly ")
    assert "At 09:00 on Monday (Europe/Berlin)" in row
    assert "(in " in row
    assert row.endswith("active  no_handler")


def test_the_next_to_run_comes_first_and_what_never_runs_last(cli: Cli) -> None:
    cli.create("report", "--key", "yearly", "--every", "365d")
    cli.create("report", "--key", "paused", "--every", "1h", "--paused")
    cli.create("report", "--key", "hourly", "--every", "1h")
    assert [each["key"] for each in cli.json("list")["data"]] == ["hourly", "yearly", "paused"]


def test_filters_narrow_the_list(cli: Cli) -> None:
    cli.create("report", "--key", "one", "--name", "Sales numbers")
    cli.create("report", "--key", "two", "--paused")
    cli.create("clean", "--key", "three")
    assert _keys(cli, "--status", "paused") == ["two"]
    assert _keys(cli, "--job", "clean") == ["three"]
    assert _keys(cli, "--search", "SALES") == ["one"]
    assert _keys(cli, "--search", "%") == []
    assert cli("list", "--status", "sleeping").exit_code == 2


def test_each_scope_has_its_own(cli: Cli) -> None:
    cli.create("report", "--key", "default")
    cli.create("report", "--key", "acme", "--tenant", "acme")
    cli.create("report", "--key", "north", "--tenant", "acme", "--organization", "north")
    cli.create("report", "--key", "system", "--system")
    assert _keys(cli) == ["default"]
    assert _keys(cli, "--tenant", "acme") == ["acme"]
    assert _keys(cli, "--tenant", "acme", "--organization", "north") == ["north"]
    assert _keys(cli, "--system") == ["system"]
    listed = cli.json("list", TICKWRIGHT_DEFAULT_TENANT="acme")["data"]
    assert [each["key"] for each in listed] == ["acme"]


def test_a_limit_says_what_it_leaves_out(cli: Cli) -> None:
    for number in range(3):
        cli.create("report", "--key", f"number-{number}")
    result = cli("list", "--limit", "2")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == "2 of 3 schedules; --limit shows more\n"
    assert cli.json("list", "--limit", "2")["pagination"]["totalPages"] == 2
    assert cli("list", "--limit", "0").exit_code == 2


def test_in_a_pipe_every_schedule_is_one_whole_line(cli: Cli) -> None:
    key = "k" * 255
    cli.create("report", "--key", key, "--name", "n" * 255)
    _, row = cli.ok("list", COLUMNS="40").splitlines()
    assert row.startswith(f"{key}  {'n' * 255}  report")


def test_names_cannot_steer_the_terminal(cli: Cli) -> None:
    cli.create("report", "--key", "evil", "--name", "\x1b[2J[red]x[/red]\nnew")
    row = cli.ok("list").splitlines()[1]
    assert "\x1b" not in row
    assert "\N{REPLACEMENT CHARACTER}[2J[red]x[/red]\N{REPLACEMENT CHARACTER}new" in row


def _keys(cli: Cli, *args: str) -> list[str]:
    return [each["key"] for each in cli.json("list", *args)["data"]]
