"""From a database URL to a store."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.store import open_store
from tickwright.testing import FakeClock

from .support import ACME, NOW, create, fire, online, schedule, succeeded


@pytest.mark.parametrize(
    "text", ["", "nonsense", "mysql://localhost/x", "sqlite", "://", "oracle://x"]
)
def test_a_url_of_no_known_database_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="databaseUrl"):
        open_store(text)


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("sqlite:///x.db", "sqlite"),
        ("sqlite+aiosqlite:///x.db", "sqlite"),
        ("sqlite://", "sqlite"),
        ("postgres://u:p@h/d", "postgresql"),
        ("postgresql://u:p@h/d", "postgresql"),
        ("postgresql+asyncpg://u:p@h/d?ssl=require", "postgresql"),
        ("postgresql+psycopg://u:p@h/d", "postgresql"),
    ],
)
async def test_urls_are_understood_as_people_write_them(text: str, dialect: str) -> None:
    store = open_store(text)
    assert store.dialect == dialect
    await store.close()


async def test_opening_makes_the_folder_of_the_file(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/deep/er/x.db")
    await store.open()
    await store.upkeep.migrate()
    await store.close()
    assert (tmp_path / "deep/er/x.db").exists()


async def test_a_database_in_memory_works_like_any_other() -> None:
    store = open_store("sqlite://")
    await store.open()
    await store.upkeep.migrate()
    offer = await online(store)
    await create(store, schedule())
    fired = await fire(store, offer=offer)
    assert len(await store.queue.finish([succeeded(run) for run in fired.claimed])) == 1
    counts = await asyncio.gather(*(store.schedules.count() for _ in range(4)))
    assert counts == [1, 1, 1, 1]
    assert await store.schedules.get(ACME, "nightly") is not None
    await store.close()


async def test_a_clock_that_is_given_replaces_the_stores_own(database_url: str) -> None:
    store = open_store(database_url, clock=FakeClock(NOW))
    assert await store.clock.now() == NOW
    await store.close()


async def test_the_stores_own_clock_tells_the_real_time_in_utc(database_url: str) -> None:
    store = open_store(database_url)
    before = datetime.now(UTC)  # noqa: TID251 - compared with the real one
    told = await store.clock.now()
    await store.close()
    assert told.tzinfo is UTC
    assert abs(told - before) < timedelta(seconds=30)
