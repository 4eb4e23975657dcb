"""Job `sqlite-backup`: a compressed copy of a database, kept once it was restored and checked."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import Field

from .contract import JobResult, Settings
from .data_directory import DataDirectory
from .files import remove_all_but_last


class BackupSettings(Settings):
    database: str
    output: str
    keep: int = Field(default=7, ge=1)


def back_up_sqlite(config: Mapping[str, object], data: DataDirectory, now: datetime) -> JobResult:
    """Adds `<database>-<time>.gz`, removes all but the newest `keep`; the item is the database."""
    settings = BackupSettings.read(config)
    database, output = data.file(settings.database), data.output(settings.output)
    backup = output / f"{database.name}-{now:%Y%m%dT%H%M%S.%fZ}.gz"
    with TemporaryDirectory(dir=output) as scratch:
        copy, packed, restored = (Path(scratch, name) for name in ("copy", "packed", "restored"))
        copy_database(database, copy)
        with copy.open("rb") as plain, gzip.open(packed, "wb") as target:
            shutil.copyfileobj(plain, target)
        with gzip.open(packed, "rb") as source, restored.open("wb") as plain_again:
            shutil.copyfileobj(source, plain_again)
        if (finding := integrity(restored)) != "ok":
            error = f"the copy of {settings.database} is damaged: {finding}"
            return JobResult(success=False, items_processed=1, items_failed=1, error=error)
        packed.replace(backup)
    backups = f"{escape(database.name)}-{'[0-9]' * 8}T*.gz"
    removed = remove_all_but_last(settings.keep, output, backups)
    return JobResult.counted(1, 0, backup=backup.name, removed=removed)


def copy_database(database: Path, copy: Path) -> None:
    with (
        closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def integrity(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        return str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
