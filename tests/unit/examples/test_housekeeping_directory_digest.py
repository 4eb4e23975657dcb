from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from examples.housekeeping.contract import JobResult
from examples.housekeeping.data_directory import DataDirectory
from examples.housekeeping.directory_digest import digest_directory

CONFIG = {"directory": "files", "output": "reports"}


def written(data: DataDirectory, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((data.root / "reports" / name).read_text())
    return content


def test_the_first_run_adds_every_file_with_its_sha256(data: DataDirectory, now: datetime) -> None:
    (data.root / "files/letters").mkdir()
    (data.root / "files/letters/a.txt").write_bytes(b"Dear Ada")

    result = digest_directory(CONFIG, data, now)

    assert result == JobResult.counted(1, 0, added=1, changed=0, removed=0)
    digest = hashlib.sha256(b"Dear Ada").hexdigest()
    assert written(data, "manifest.json") == {"letters/a.txt": digest}


def test_later_runs_list_what_was_added_changed_and_removed(
    data: DataDirectory, now: datetime
) -> None:
    files = data.root / "files"
    for name in ("same", "edited", "gone"):
        (files / name).write_text("before")
    digest_directory(CONFIG, data, now)
    (files / "edited").write_text("after!")
    (files / "gone").unlink()
    (files / "new").write_text("before")

    result = digest_directory(CONFIG, data, now)

    assert result == JobResult.counted(3, 0, added=1, changed=1, removed=1)
    assert written(data, "changes.json") == {
        "added": ["new"],
        "changed": ["edited"],
        "removed": ["gone"],
        "unreadable": [],
        "comparedAt": "2026-03-01T12:30:00+00:00",
    }


def test_an_undisturbed_directory_has_no_changes_though_the_manifest_lies_in_it(
    data: DataDirectory, now: datetime
) -> None:
    (data.root / "files/a.txt").write_text("a")
    config = {"directory": ".", "output": "reports"}
    digest_directory(config, data, now)

    again = digest_directory(config, data, now)

    assert again == JobResult.counted(1, 0, added=0, changed=0, removed=0)


def test_an_unreadable_file_counts_as_failed_and_keeps_its_last_digest(
    data: DataDirectory, now: datetime, bury: Callable[[Path], str]
) -> None:
    (data.root / "files/a.txt").write_text("a")
    buried = bury(data.root / "files")
    data.output("reports").joinpath("manifest.json").write_text(json.dumps({buried: "0" * 64}))

    result = digest_directory(CONFIG, data, now)

    assert result == JobResult.counted(1, 1, added=1, changed=0, removed=0)
    assert written(data, "manifest.json")[buried] == "0" * 64
