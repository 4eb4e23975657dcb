"""Databases of the benchmark's own: each measurement gets a new one, and none is left behind."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.place import POSTGRES, Place
from tickwright import Scheduler

_EMPTY = "template0"


class Places:
    """Makes places; what they need is made at first use and removed by `close`."""

    def __init__(self, postgres_url: str, redis_url: str, sink_url: str) -> None:
        self._postgres_url = urlsplit(postgres_url)
        self._redis_url = redis_url
        self._sink_url = sink_url
        self._folder = Path(tempfile.mkdtemp(prefix="tickwright-bench-"))
        self._lock = asyncio.Lock()
        self._templates: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if POSTGRES in self._templates:
            await self._admin(f'DROP DATABASE IF EXISTS "{self._templates[POSTGRES]}" WITH (FORCE)')
        shutil.rmtree(self._folder, ignore_errors=True)

    @asynccontextmanager
    async def place(self, dialect: str, *, migrated: bool) -> AsyncIterator[Place]:
        """A database that belongs to the block alone, empty or with the tables of Tickwright."""
        name = f"tickwright_bench_{token_hex(6)}"
        async with self._lock:
            template = await self._template(dialect) if migrated else _EMPTY
            url = await self._make(dialect, name, template)
        try:
            admin = self._address("postgres") if dialect == POSTGRES else ""
            yield Place(dialect, url, admin, self._redis_url, name, self._sink_url)
        finally:
            if dialect == POSTGRES:
                await self._admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            else:
                for file in self._folder.glob(f"{name}*"):
                    file.unlink()

    async def settle(self) -> None:
        """Write down what the measurement before left in the server's memory."""
        with suppress(asyncpg.InsufficientPrivilegeError):
            await self._admin("CHECKPOINT")

    async def clear_redis(self, prefix: str) -> None:
        """Remove the keys that begin with the name of a place."""
        import redis.asyncio as redis

        async with redis.from_url(self._redis_url) as client:
            keys = [key async for key in client.scan_iter(f"{prefix}:*", count=10_000)]
            for start in range(0, len(keys), 1000):
                await client.unlink(*keys[start : start + 1000])

    async def postgres_version(self) -> str:
        """What the server calls itself; OSError when there is none."""
        connection = await asyncpg.connect(self._address("postgres"), timeout=5)
        try:
            return str(await connection.fetchval("SHOW server_version"))
        finally:
            await connection.close()

    async def _make(self, dialect: str, name: str, template: str) -> str:
        if dialect == POSTGRES:
            await self._admin(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
            return self._address(name)
        path = self._folder / f"{name}.db"
        if template != _EMPTY:
            shutil.copy(template, path)
        return f"sqlite:///{path}"

    async def _template(self, dialect: str) -> str:
        if dialect not in self._templates:
            name = f"tickwright_bench_{token_hex(6)}"
            url = await self._make(dialect, name, _EMPTY)
            self._templates[dialect] = (
                name if dialect == POSTGRES else url.removeprefix("sqlite:///")
            )
            scheduler = Scheduler(url)
            try:
                await scheduler.migrate()
            finally:
                await scheduler.stop()
        return self._templates[dialect]

    def _address(self, database: str) -> str:
        return urlunsplit(self._postgres_url._replace(path=f"/{database}"))

    async def _admin(self, statement: str) -> None:
        connection = await asyncpg.connect(self._address("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
