"""What every room's tests share: a clock that stands still, and stores of both dialects."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests import databases
from tests.databases import PostgresServer
from tickwright.store import open_store
from tickwright.store.base import Store
from tickwright.testing import FakeClock

# Ids carry the real time, and pruning compares it with the clock: later than any real clock.
START = datetime(2040, 1, 2, 9, 0, tzinfo=UTC)
DIALECTS = ("sqlite", "postgresql")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with databases.postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "tickwright.db"
    asyncio.run(databases.migrate(databases.sqlite_url(path)))
    return path


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database of this test's own, migrated and empty."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite file of this test's own, migrated and empty."""
    return databases.sqlite_url(Path(shutil.copy(sqlite_template, tmp_path / "tickwright.db")))


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of this test's own in either dialect, migrated and empty."""
    fixture = "postgres_url" if request.param == "postgresql" else "sqlite_url"
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture(params=DIALECTS)
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of this test's own in either dialect, without any table."""
    if request.param == "sqlite":
        yield databases.sqlite_url(tmp_path / "bare.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(migrated=False) as url:
        yield url


@pytest.fixture
async def store(database_url: str, clock: FakeClock) -> AsyncIterator[Store]:
    """An open store of either dialect that goes by `clock`."""
    opened = open_store(database_url, clock=clock)
    await opened.open()
    yield opened
    await opened.close()
