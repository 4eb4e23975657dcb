from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from examples.housekeeping.contract import JobResult, Refused
from examples.housekeeping.data_directory import DataDirectory
from examples.housekeeping.sqlite_backup import back_up_sqlite

CONFIG = {"database": "shop.db", "output": "backups", "keep": 2}


@pytest.fixture
def shop(data: DataDirectory) -> Iterator[sqlite3.Connection]:
    """A database in use: its newest rows lie in the write-ahead log, not in the file."""
    with closing(sqlite3.connect(data.root / "shop.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE orders (item TEXT)")
        connection.executemany("INSERT INTO orders VALUES (?)", [(str(n),) for n in range(2000)])
        connection.commit()
        yield connection


def backups(data: DataDirectory) -> list[str]:
    return sorted(path.name for path in (data.root / "backups").iterdir())


def rows_in(backup: Path, scratch: Path) -> int:
    scratch.write_bytes(gzip.decompress(backup.read_bytes()))
    with closing(sqlite3.connect(scratch)) as connection:
        count: int = connection.execute("SELECT count(*) FROM orders").fetchone()[0]
    return count


def test_a_backup_holds_what_was_committed_and_nothing_more(
    data: DataDirectory, now: datetime, shop: sqlite3.Connection, tmp_path: Path
) -> None:
    shop.execute("INSERT INTO orders VALUES ('not committed')")

    result = back_up_sqlite(CONFIG, data, now)

    assert result == JobResult.counted(1, 0, backup="shop.db-20260301T123000.000000Z.gz", removed=0)
    assert backups(data) == ["shop.db-20260301T123000.000000Z.gz"]
    assert rows_in(data.root / "backups" / backups(data)[0], tmp_path / "restored") == 2000


@pytest.mark.usefixtures("shop")
def test_only_the_newest_backups_of_this_database_are_kept(
    data: DataDirectory, now: datetime
) -> None:
    strangers = ["other.db-20200101T000000.000000Z.gz", "shop.db-2-20200101T000000.000000Z.gz"]
    (data.root / "backups").mkdir()
    for stranger in strangers:
        (data.root / "backups" / stranger).touch()

    removed = [back_up_sqlite(CONFIG, data, now + timedelta(days=n)).metadata for n in range(4)]

    assert [found["removed"] for found in removed if found] == [0, 0, 1, 1]
    kept = ["shop.db-20260303T123000.000000Z.gz", "shop.db-20260304T123000.000000Z.gz"]
    assert backups(data) == sorted(strangers + kept)


def test_a_damaged_copy_fails_the_job_and_costs_no_older_backup(
    data: DataDirectory, now: datetime, shop: sqlite3.Connection
) -> None:
    config = CONFIG | {"keep": 1}
    back_up_sqlite(config, data, now)
    before = backups(data)
    shop.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shop.close()
    with (data.root / "shop.db").open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)

    result = back_up_sqlite(config, data, now + timedelta(days=1))

    assert not result.success
    assert (result.items_processed, result.items_succeeded, result.items_failed) == (1, 0, 1)
    assert result.error
    assert result.error.startswith("the copy of shop.db is damaged: ")
    assert backups(data) == before


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"keep": 0}, "keep: Input should be greater than or equal to 1"),
        ({"kept": 3}, "kept: Extra inputs are not permitted"),
        ({"database": "files"}, "'files' is not a file in the data directory"),
        ({"output": "shop.db"}, "'shop.db' cannot be a directory"),
    ],
)
def test_unusable_settings_are_refused_by_name(
    data: DataDirectory, now: datetime, setting: dict[str, object], reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        back_up_sqlite(CONFIG | setting, data, now)
