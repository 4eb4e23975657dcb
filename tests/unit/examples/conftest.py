"""Puts the repository root on the path, so that `examples` is found however pytest is started."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from examples.housekeeping.data_directory import DataDirectory


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    root = tmp_path / "data"
    (root / "files").mkdir(parents=True)
    return DataDirectory(root)


@pytest.fixture
def bury() -> Callable[[Path], str]:
    """Makes a file whose path is too long to open; unlike `chmod` this also stops root."""

    def bury_below(directory: Path) -> str:
        limit = os.pathconf(directory, "PC_PATH_MAX")
        name = "d" * 200
        parts: list[str] = []
        here = os.open(directory, os.O_RDONLY)
        while len(str(directory)) + 201 * (len(parts) + 1) < limit - 1:
            os.mkdir(name, dir_fd=here)
            below = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
            parts.append(name)
        os.close(os.open("f" * 250, os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.close(here)
        return "/".join([*parts, "f" * 250])

    return bury_below
