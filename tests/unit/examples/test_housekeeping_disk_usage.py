from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from examples.housekeeping.contract import JobResult
from examples.housekeeping.data_directory import DataDirectory
from examples.housekeeping.disk_usage_report import report_disk_usage

CONFIG = {"directory": "files", "output": "reports"}


def write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def report_of(data: DataDirectory) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((data.root / "reports/disk-usage.json").read_text())
    return report


def test_files_and_bytes_are_summed_per_subdirectory_and_type(
    data: DataDirectory, now: datetime
) -> None:
    write(data.root / "files/top", 1)
    write(data.root / "files/letters/a.txt", 10)
    write(data.root / "files/letters/old/b.TXT", 20)
    write(data.root / "files/pictures/c.png", 300)

    result = report_disk_usage(CONFIG, data, now)

    assert result == JobResult.counted(4, 0, bytes=331)
    assert report_of(data) == {
        "directory": "files",
        "takenAt": "2026-03-01T12:30:00+00:00",
        "files": 4,
        "bytes": 331,
        "bySubdirectory": {
            ".": {"files": 1, "bytes": 1},
            "letters": {"files": 2, "bytes": 30},
            "pictures": {"files": 1, "bytes": 300},
        },
        "byType": {
            "(none)": {"files": 1, "bytes": 1},
            ".txt": {"files": 2, "bytes": 30},
            ".png": {"files": 1, "bytes": 300},
        },
        "unreadable": [],
    }


def test_the_report_does_not_count_itself(data: DataDirectory, now: datetime) -> None:
    write(data.root / "files/a.txt", 10)
    config = {"directory": ".", "output": "reports"}

    first = report_disk_usage(config, data, now)

    assert report_disk_usage(config, data, now) == first == JobResult.counted(1, 0, bytes=10)


def test_a_file_that_cannot_be_looked_at_counts_as_failed_and_is_named(
    data: DataDirectory, now: datetime, bury: Callable[[Path], str]
) -> None:
    write(data.root / "files/a.txt", 10)
    buried = bury(data.root / "files")

    result = report_disk_usage(CONFIG, data, now)

    assert (result.items_processed, result.items_succeeded, result.items_failed) == (2, 1, 1)
    assert report_of(data)["unreadable"] == [buried]


def test_links_are_neither_followed_nor_counted(
    data: DataDirectory, now: datetime, tmp_path: Path
) -> None:
    write(tmp_path / "outside/secret.txt", 1000)
    (data.root / "files/secret.txt").symlink_to(tmp_path / "outside/secret.txt")
    (data.root / "files/outside").symlink_to(tmp_path / "outside")

    assert report_disk_usage(CONFIG, data, now) == JobResult.counted(0, 0, bytes=0)
