"""What the command line offers, and that saying so costs next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import Cli
from tickwright import cli as command_line
from tickwright.cli import calendar, job, runs, schedule

COMMANDS: list[tuple[str, ...]] = [
    (name,)
    for name in command_line.MEMBERS
    if name not in ("schedule", "job", "calendar", "runs", "db")
]
COMMANDS += [("schedule", name) for name in schedule.MEMBERS]
COMMANDS += [("job", name) for name in job.MEMBERS]
COMMANDS += [("calendar", name) for name in calendar.MEMBERS]
COMMANDS += [("runs", name) for name in runs.MEMBERS]
COMMANDS += [("db", "upgrade"), ("db", "status")]


def test_help_names_every_member(cli: Cli) -> None:
    shown = cli.ok("--help")
    for name in command_line.MEMBERS:
        assert f" {name} " in shown


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(cli: Cli, words: tuple[str, ...]) -> None:
    shown = cli.ok(*words, "--help")
    assert "--database-url" in shown
    assert "--debug" in shown


def test_the_version_is_told(cli: Cli) -> None:
    assert cli.ok("--version").startswith("tickwright ")


@pytest.mark.parametrize("words", [("nonsense",), ("schedule", "nonsense"), ("list", "--nonsense")])
def test_unknown_words_are_usage_errors(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli(*words).exit_code == 2


def test_help_loads_no_library_that_takes_long() -> None:
    slow = "sqlalchemy aiohttp alembic pydantic pydantic_settings fastapi uvicorn structlog asyncio"
    program = (
        "import sys; from tickwright.cli import build; build();"
        f"print([name for name in {slow.split()!r} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert answer.stdout.decode().strip() == "[]"
