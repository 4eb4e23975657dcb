"""What the package promises to outsiders stays as it is, and stays cheap to import."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import tickwright
from tickwright.service.scheduler import Scheduler

NAMES = [
    "SYSTEM",
    "Ambiguity",
    "Backoff",
    "BackoffKind",
    "Cancel",
    "Conflict",
    "Discard",
    "InvalidInput",
    "ManualDenied",
    "NotFound",
    "NotPossible",
    "Policy",
    "Rate",
    "Retry",
    "RunContext",
    "Scheduler",
    "Scope",
    "Snooze",
    "StoreUnavailable",
    "SyncScheduler",
    "TickwrightError",
    "VersionConflict",
    "at",
    "cron",
    "every",
    "organization",
    "rrule",
    "tenant",
]


def test_the_public_names_are_these() -> None:
    assert sorted(tickwright.__all__) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(tickwright, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        getattr(tickwright, "nonsense")  # noqa: B009 - the name is unknown on purpose


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ["sqlalchemy", "pydantic", "aiohttp", "fastapi", "asyncpg", "cronsim", "typer"]
    heavy += ["holidays", "icalendar", "dateutil", "yaml"]
    check = f"import sys, tickwright; print([m for m in {heavy!r} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_scope_comes_first_in_every_call_that_touches_somebodys_data() -> None:
    unscoped = {
        "handler", "register_handler", "on_run_start", "on_run_end", "open", "start",
        "start_patiently", "stop", "migrate", "status", "health", "workers",
    }  # fmt: skip
    for name, method in inspect.getmembers(Scheduler, inspect.isfunction):
        if name.startswith("_") or name in unscoped:
            continue
        assert list(inspect.signature(method).parameters)[1] == "scope", name


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(tickwright.__file__).parent / "py.typed").exists()
