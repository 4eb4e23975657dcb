"""Listing, replacing and expiring files; a reader never sees half a file."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4


class Listing(NamedTuple):
    """What lies below a directory, by name relative to it."""

    sizes: dict[str, int]
    unreadable: list[str]


def list_files(directory: Path, without: Path) -> Listing:
    """The regular files below `directory`, except those below `without`; links are not followed."""
    sizes: dict[str, int] = {}
    failures: list[OSError] = []
    for folder, folders, names in os.walk(directory, onerror=failures.append):
        folders[:] = [name for name in folders if Path(folder, name) != without]
        for path in (Path(folder, name) for name in names):
            try:
                status = path.lstat()
            except OSError as failure:
                failures.append(failure)
                continue
            if stat.S_ISREG(status.st_mode):
                sizes[path.relative_to(directory).as_posix()] = status.st_size
    unreadable = [
        Path(failure.filename).relative_to(directory).as_posix()
        for failure in failures
        if not isinstance(failure, FileNotFoundError)
    ]
    return Listing(sizes, unreadable)


def replace_json(path: Path, content: object) -> None:
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        draft.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def remove_all_but_last(keep: int, directory: Path, pattern: str) -> int:
    expired = sorted(directory.glob(pattern))[:-keep]
    for path in expired:
        path.unlink(missing_ok=True)
    return len(expired)
