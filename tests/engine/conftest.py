"""Schedulers driven by hand: on both databases where storage matters, else on one file."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tickwright.testing import FakeClock, ManualScheduler

from .support import Heard, Work, listen


@pytest.fixture
async def scheduler(database_url: str, clock: FakeClock) -> AsyncIterator[ManualScheduler]:
    """On SQLite and on PostgreSQL."""
    async with ManualScheduler(database_url, clock=clock) as started:
        yield started


@pytest.fixture
async def quick(sqlite_url: str, clock: FakeClock) -> AsyncIterator[ManualScheduler]:
    """On SQLite only: what is tested does not depend on the database."""
    async with ManualScheduler(sqlite_url, clock=clock) as started:
        yield started


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def heard(quick: ManualScheduler) -> Heard:
    return listen(quick)
