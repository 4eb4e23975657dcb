"""Stores by dialect; `open_store` makes the one a database URL names."""

from __future__ import annotations

import importlib
from datetime import timedelta
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tickwright.model.clock import Clock, SystemClock
from tickwright.model.errors import InvalidInput
from tickwright.store.base import Store
from tickwright.store.calendars import SqlCalendars
from tickwright.store.changes import SqlChanges
from tickwright.store.firing import SqlFiring
from tickwright.store.jobs import SqlJobs
from tickwright.store.queue import SqlQueue
from tickwright.store.reports import SqlReports
from tickwright.store.runs import SqlRuns
from tickwright.store.schedules import SqlSchedules
from tickwright.store.upkeep import SqlUpkeep
from tickwright.store.workers import SqlWorkers

MEMBERS = {
    "sqlite": "tickwright.store.sqlite:Sqlite",
    "postgresql": "tickwright.store.postgres:Postgres",
    "postgres": "tickwright.store.postgres:Postgres",
}


def parse_url(text: str) -> URL:
    """The database URL, or InvalidInput saying which kinds there are."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise InvalidInput("databaseUrl", "is not a database URL") from None
    if url.get_backend_name() not in MEMBERS:
        raise InvalidInput(
            "databaseUrl", f"{url.get_backend_name()!r} is none of sqlite, postgresql"
        )
    return url


def open_store(
    text: str,
    *,
    clock: Clock | None = None,
    pool_size: int = 10,
    lease: timedelta = timedelta(seconds=45),
) -> Store:
    """The store behind a database URL; nothing is connected yet.

    `clock` replaces the store's own (the database's on PostgreSQL, the system's on SQLite).
    PostgreSQL ends what a process has begun when that stands still for half of the `lease` of
    workers, so that its locks hold up nobody when others take over.
    """
    url = parse_url(text)
    module, _, prefix = MEMBERS[url.get_backend_name()].partition(":")
    try:
        member = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InvalidInput(
            "databaseUrl", f"needs {error.name}: pip install 'tickwright[postgres]'"
        ) from error
    options: dict[str, Any] = {}
    if prefix == "Postgres":
        options = {"pool_size": pool_size, "lease": lease}
    database: Any = getattr(member, f"{prefix}Database")(url, **options)
    statements: Any = getattr(member, f"{prefix}Statements")()
    reports = SqlReports(database)
    own_clock: Clock = database if prefix == "Postgres" else SystemClock()
    return Store(
        schedules=SqlSchedules(database),
        jobs=SqlJobs(database),
        calendars=SqlCalendars(database),
        runs=SqlRuns(database),
        reports=reports,
        changes=SqlChanges(database),
        firing=SqlFiring(database, statements),
        queue=SqlQueue(database, statements),
        reporting=reports,
        workers=SqlWorkers(database),
        upkeep=SqlUpkeep(database),
        clock=clock or own_clock,
        watch=database.watch,
        open=database.open,
        close=database.close,
        dialect=database.dialect,
    )
