"""Habits of the contracts: who asks comes first, the present is always handed in."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.resources import files
from typing import Any, get_type_hints

import pytest

from tickwright.store import base
from tickwright.store.statements import load

USER_FACING = (base.Schedules, base.Jobs, base.Calendars, base.Runs, base.Reports, base.Changes)
ENGINE_FACING = (base.Firing, base.Queue, base.Reporting, base.Workers, base.Upkeep)

# A figure for the health page, told without saying whose they are; and what the engine asks.
WITHOUT_SCOPE = {"Schedules.count", "Schedules.tripped", "Schedules.timed"}
# What these do does not depend on the time: endings and starts carry the moments they happened.
WITHOUT_NOW = {
    "Firing.next_due",
    "Queue.started",
    "Queue.finish",
    "Queue.held",
    "Reporting.save",
    "Workers.register",
    "Workers.mark",
    "Workers.all",
    "Upkeep.migrate",
    "Upkeep.schema_is_current",
    "Upkeep.ping",
    "Upkeep.prune_excess",
    "Workers.forget",
}


def methods(contracts: tuple[type, ...]) -> Iterator[tuple[str, Callable[..., Any]]]:
    for contract in contracts:
        for name, member in vars(contract).items():
            if not name.startswith("_") and inspect.isfunction(member):
                yield f"{contract.__name__}.{name}", member


def test_every_user_facing_method_takes_the_scope_first() -> None:
    for name, method in methods(USER_FACING):
        first = list(inspect.signature(method).parameters)[1:2]
        assert (first == ["scope"]) is (name not in WITHOUT_SCOPE), name


def test_every_engine_facing_method_that_depends_on_the_time_takes_now() -> None:
    for name, method in methods(ENGINE_FACING):
        assert ("now" in inspect.signature(method).parameters) is (name not in WITHOUT_NOW), name


def test_the_present_is_always_called_now() -> None:
    for name, method in methods(USER_FACING + ENGINE_FACING):
        hints = get_type_hints(method, vars(base) | {"AsyncConnection": object})
        moments = {key for key, hint in hints.items() if hint is datetime and key != "return"}
        assert moments <= {"now", "until", "before"}, name


def test_every_method_waits_for_the_database() -> None:
    for name, method in methods(USER_FACING + ENGINE_FACING):
        assert inspect.iscoroutinefunction(method), name


def test_a_contract_stays_narrow() -> None:
    for contract in USER_FACING + ENGINE_FACING:
        assert len(list(methods((contract,)))) < 12


def test_the_store_bundles_every_contract() -> None:
    hints = get_type_hints(base.Store)
    assert set(USER_FACING + ENGINE_FACING) <= set(hints.values())


def sources() -> Iterator[tuple[str, str]]:
    pending = [files("tickwright.store")]
    while pending:
        for entry in pending.pop().iterdir():
            if entry.is_dir() and entry.name != "__pycache__":
                pending.append(entry)
            elif entry.name.endswith((".py", ".sql")):
                yield entry.name, entry.read_text(encoding="utf-8")


def test_no_store_reads_a_clock_to_decide() -> None:
    """The database's own clock is read in one place, for those who then hand it in."""
    clock = re.compile(
        r"datetime\.now|utcnow|time\.time|monotonic\(|CURRENT_TIMESTAMP|\bnow\(\)|'now'", re.I
    )
    for name, text in sources():
        found = [hit for hit in clock.findall(text) if hit != "now()"]
        assert found == [], name
    reading = [text for _, text in sources() if "clock_timestamp" in text]
    assert len(reading) == 1


# What one dialect does in one statement takes the other several, or none at all.
APART = {
    "postgres": {"complete", "lock_limits", "notify"},
    "sqlite": {"over", "end_schedules", "end_cursors", "open_rates", "runs_by_id"},
}


def test_both_dialects_hold_statements_for_the_same_purposes() -> None:
    statements = {name: set(load(f"tickwright.store.{name}")) for name in APART}
    assert all(APART[name] <= statements[name] for name in APART)
    assert statements["postgres"] - APART["postgres"] == statements["sqlite"] - APART["sqlite"]


@pytest.mark.parametrize("dialect", APART)
def test_every_statement_is_used_and_every_used_one_exists(dialect: str) -> None:
    package = files(f"tickwright.store.{dialect}")
    code = package.joinpath("hot.py").read_text(encoding="utf-8")
    quoted = set(re.findall(r'"(\w+)"', code))
    assert set(load(f"tickwright.store.{dialect}")) <= quoted


@pytest.mark.parametrize("dialect", APART)
def test_no_statement_is_named_twice(dialect: str) -> None:
    text = files(f"tickwright.store.{dialect}").joinpath("hot.sql").read_text(encoding="utf-8")
    names = re.findall(r"^-- name: (\w+)$", text, re.MULTILINE)
    assert len(names) == len(set(names)) == text.count("-- name:")
