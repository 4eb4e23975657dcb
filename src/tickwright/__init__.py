"""Tickwright: a multi-tenant, database-backed job scheduler.

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickwright.bootstrap import Scheduler
    from tickwright.model.errors import (
        Conflict,
        InvalidInput,
        ManualDenied,
        NotFound,
        NotPossible,
        StoreUnavailable,
        TickwrightError,
        VersionConflict,
    )
    from tickwright.model.job import Ambiguity, Backoff, BackoffKind, Policy, Rate
    from tickwright.model.scope import SYSTEM, Scope, organization, tenant
    from tickwright.model.verdict import Cancel, Discard, Retry, Snooze
    from tickwright.service.sync import SyncScheduler
    from tickwright.targets.context import RunContext
    from tickwright.triggers.cron import cron
    from tickwright.triggers.interval import every
    from tickwright.triggers.one_shot import at
    from tickwright.triggers.rrule import rrule

_HOMES = {
    "Scheduler": "tickwright.bootstrap",
    "SyncScheduler": "tickwright.service.sync",
    "RunContext": "tickwright.targets.context",
    "at": "tickwright.triggers.one_shot",
    "cron": "tickwright.triggers.cron",
    "every": "tickwright.triggers.interval",
    "rrule": "tickwright.triggers.rrule",
    **dict.fromkeys(("SYSTEM", "Scope", "organization", "tenant"), "tickwright.model.scope"),
    **dict.fromkeys(("Cancel", "Discard", "Retry", "Snooze"), "tickwright.model.verdict"),
    **dict.fromkeys(
        ("Ambiguity", "Backoff", "BackoffKind", "Policy", "Rate"), "tickwright.model.job"
    ),
    **dict.fromkeys(
        (
            "Conflict",
            "InvalidInput",
            "ManualDenied",
            "NotFound",
            "NotPossible",
            "StoreUnavailable",
            "TickwrightError",
            "VersionConflict",
        ),
        "tickwright.model.errors",
    ),
}

__all__ = [
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


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tickwright' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
