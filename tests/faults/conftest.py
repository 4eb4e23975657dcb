"""Engine processes that end with their test, and what they logged when it failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.faults.engines", "tests.faults.ledger")

from tests.faults.engines import Engine  # noqa: E402 - its assertions are rewritten first

StartEngine = Callable[..., Engine]
_LOGGED_LINES = 60


@pytest.fixture
def start_engine(tmp_path: Path) -> Iterator[StartEngine]:
    """Starts engines on a database: `start_engine(url, lease_seconds=5)`."""
    engines: list[Engine] = []

    def start(url: str, **settings: Any) -> Engine:
        engines.append(Engine(url, tmp_path, f"engine-{len(engines) + 1}", **settings))
        return engines[-1]

    yield start
    for engine in engines:
        engine.end()
        last = "\n".join(engine.log.splitlines()[-_LOGGED_LINES:])
        print(f"--- {engine.name}, pid {engine.pid} ---\n{last}")
