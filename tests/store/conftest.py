"""Further stores on the database of the test, as other processes would open them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from tickwright.store import open_store
from tickwright.store.base import Store

Another = Callable[[], Store]


@pytest.fixture
async def another(store: Store, database_url: str) -> AsyncIterator[Another]:
    """Opens one more store on the database behind `store`."""
    opened: list[Store] = []

    def open_another() -> Store:
        opened.append(open_store(database_url, clock=store.clock))
        return opened[-1]

    yield open_another
    for each in opened:
        await each.close()
