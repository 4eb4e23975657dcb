from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from examples.housekeeping.sample_data import create_sample_data


def test_a_missing_directory_is_filled_with_files_and_a_database(tmp_path: Path) -> None:
    create_sample_data(tmp_path / "data")

    assert len(list((tmp_path / "data/files/letters").iterdir())) == 6
    with closing(sqlite3.connect(tmp_path / "data/databases/shop.db")) as shop:
        assert shop.execute("SELECT count(*) FROM orders").fetchone() == (24,)


def test_a_directory_with_anything_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()

    create_sample_data(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
