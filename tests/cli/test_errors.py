"""Errors: one line, the exit code that belongs to it, and no traceback unless asked for."""

from __future__ import annotations

import pytest
import typer

from tests.cli.conftest import AWAY, Cli
from tickwright.bootstrap import Scheduler
from tickwright.cli.command import reported
from tickwright.model.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    NotPossible,
    StoreUnavailable,
    TickwrightError,
    VersionConflict,
)

READING = [
    ("list",),
    ("run", "daily"),
    ("schedule", "show", "daily"),
    ("schedule", "create", "report", "--every", "1d"),
    ("schedule", "update", "daily", "--name", "x"),
    ("schedule", "pause", "daily"),
    ("schedule", "resume", "daily"),
    ("schedule", "cancel", "daily"),
    ("schedule", "delete", "daily"),
    ("db", "upgrade"),
]
NEED_A_SCHEDULE = [words for words in READING if "daily" in words]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_without_the_database_the_code_is_5(cli: Cli, words: tuple[str, ...]) -> None:
    said = cli.refused(5, *words, "--database-url", AWAY)
    assert "PostgreSQL cannot be reached" in said
    assert "secret" not in said


@pytest.mark.parametrize("words", NEED_A_SCHEDULE, ids=" ".join)
def test_an_unknown_schedule_is_3(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli.refused(3, *words) == "there is no schedule daily"


@pytest.mark.parametrize("words", NEED_A_SCHEDULE, ids=" ".join)
def test_another_tenants_schedule_is_unknown(cli: Cli, words: tuple[str, ...]) -> None:
    cli.create("report", "--key", "daily", "--tenant", "acme")
    assert cli.refused(3, *words) == "there is no schedule daily"


def test_a_schema_that_is_not_current_is_4(cli: Cli, tmp_path: object) -> None:
    fresh = f"sqlite:///{tmp_path}/fresh.db"
    said = cli.refused(4, "list", "--database-url", fresh, TICKWRIGHT_AUTO_MIGRATE="0")
    assert "tickwright db upgrade" in said


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (("list", "--database-url", "nonsense"), {}, "databaseUrl: is not a database URL"),
        (("list", "--database-url", "mysql://x/y"), {}, "databaseUrl: 'mysql' is none of"),
        (("list", "--system", "--tenant", "acme"), {}, "system: does not go with --tenant"),
        (("list", "--tenant", ""), {}, "tenantId: "),
        (("list", "--tenant", "a/b"), {}, "tenantId: "),
        (("list",), {"TICKWRIGHT_SLOTS": "many"}, "TICKWRIGHT_SLOTS: "),
        (("list",), {"TICKWRIGHT_LOG_LEVEL": "loud"}, "logLevel: must be one of"),
    ],
)
def test_bad_input_is_2(
    cli: Cli, words: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    assert said in cli.refused(2, *words, **environment)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TickwrightError("x"), 1),
        (RuntimeError("x"), 1),
        (InvalidInput("field", "reason"), 2),
        (NotFound(), 3),
        (Conflict(), 4),
        (VersionConflict(), 4),
        (NotPossible(), 4),
        (StoreUnavailable(), 5),
        (KeyboardInterrupt(), 130),
        (typer.Exit(124), 124),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_of_error_has_its_code(error: BaseException, code: int) -> None:
    with pytest.raises(typer.Exit) as raised, reported(debug=False):
        raise error
    assert raised.value.exit_code == code


def test_a_broken_pipe_is_nobodys_error() -> None:
    with pytest.raises(BrokenPipeError), reported(debug=False):
        raise BrokenPipeError


def test_only_the_first_line_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), reported(debug=False):
        raise StoreUnavailable("it is away\n[SQL: select secret from safe]")
    assert capsys.readouterr().err == "error: it is away\n"


async def _defect(self: Scheduler) -> None:
    raise ZeroDivisionError("a defect")


def test_a_defect_is_one_line_too(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scheduler, "open", _defect)
    said = cli.refused(1, "list")
    assert said == "unexpected ZeroDivisionError: a defect (--debug shows where)"


def test_debug_lets_the_traceback_through(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(cli("schedule", "show", "nothing", "--debug").exception, NotFound)
    monkeypatch.setattr(Scheduler, "open", _defect)
    assert isinstance(cli("list", "--debug").exception, ZeroDivisionError)
