"""Words, tables and logs as people and machines get them."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from tickwright.cli import logs
from tickwright.cli.output import console, print_table
from tickwright.cli.wording import away, moment_in_words, rule_in_words
from tickwright.model.errors import InvalidInput

NOW = datetime(2040, 1, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(0), "now"),
        (timedelta(milliseconds=900), "now"),
        (timedelta(seconds=1), "in 1 s"),
        (timedelta(seconds=119), "in 1 min"),
        (timedelta(hours=23, minutes=59), "in 23 h"),
        (timedelta(days=400), "in 400 d"),
        (timedelta(minutes=-5), "5 min ago"),
    ],
)
def test_distances_in_words(distance: timedelta, words: str) -> None:
    assert away(NOW + distance, NOW) == words


def test_a_moment_is_told_on_the_local_clock() -> None:
    local = NOW.astimezone()
    assert moment_in_words(NOW, NOW) == f"{local:%Y-%m-%d %H:%M:%S} (now)"
    assert moment_in_words(None, NOW) == "-"


def test_a_rule_that_cannot_be_read_is_named() -> None:
    assert rule_in_words({"type": "sundial"}) == "sundial (cannot be read)"


def test_a_narrow_terminal_does_not_break_what_must_stay_whole() -> None:
    file = io.StringIO()
    out = Console(file=file, force_terminal=True, width=40, no_color=True)
    print_table(out, ("KEY", "RULE"), [("a-key-of-20-letters-", "word " * 20)], whole=("KEY",))
    lines = file.getvalue().splitlines()
    assert len(lines) > 2
    assert any("a-key-of-20-letters-" in line for line in lines)


def test_without_a_terminal_there_is_no_width() -> None:
    assert console().width > 10_000


def test_logs_are_json_lines_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("info")
    logging.getLogger("tickwright.test").info("%d things", 3, extra={"run": "r1"})
    logging.getLogger("alembic.runtime").info("talk")
    line = json.loads(capsys.readouterr().err)
    assert line["message"] == "3 things"
    assert (line["level"], line["logger"], line["run"]) == ("info", "tickwright.test", "r1")
    assert line["timestamp"].endswith("Z")


def test_an_exception_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    try:
        raise ValueError("boom")
    except ValueError:
        logging.getLogger("tickwright.test").exception("it failed")
    line = json.loads(capsys.readouterr().err)
    assert "ValueError: boom" in line["exception"]


def test_one_off_commands_log_problems_only(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", only_problems=True)
    logging.getLogger("tickwright.test").info("chatter")
    logging.getLogger("tickwright.test").warning("trouble")
    assert json.loads(capsys.readouterr().err)["message"] == "trouble"
    logs.configure("debug", only_problems=True)
    logging.getLogger("tickwright.test").debug("detail")
    assert json.loads(capsys.readouterr().err)["message"] == "detail"


def test_on_a_terminal_logs_are_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    logs.configure("info")
    logging.getLogger("tickwright.test").info("coloured")
    monkeypatch.setenv("NO_COLOR", "1")
    logs.configure("info")
    logging.getLogger("tickwright.test").info("plain")
    coloured, plain = terminal.getvalue().splitlines()
    assert "\x1b[" in coloured
    assert "\x1b[" not in plain
    assert "plain" in plain


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(InvalidInput, match="logLevel"):
        logs.configure("loud")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True
