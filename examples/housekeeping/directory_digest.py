"""Job `directory-digest`: which files were added, changed or removed since the last run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePath

from .contract import JobResult, Settings
from .data_directory import DataDirectory
from .files import list_files, replace_json


class DigestSettings(Settings):
    directory: str
    output: str


def digest_directory(config: Mapping[str, object], data: DataDirectory, now: datetime) -> JobResult:
    """Writes `changes.json` before `manifest.json`: a crash repeats changes, it loses none."""
    settings = DigestSettings.read(config)
    directory, output = data.directory(settings.directory), data.output(settings.output)
    manifest = output / "manifest.json"
    before: dict[str, str] = json.loads(manifest.read_text()) if manifest.exists() else {}
    found, unreadable = digests(directory, without=output)
    after = found | {name: before[name] for name in before if is_within(name, unreadable)}
    changes = {
        "added": sorted(after.keys() - before.keys()),
        "changed": sorted(name for name in after if before.get(name, after[name]) != after[name]),
        "removed": sorted(before.keys() - after.keys()),
    }
    report = changes | {"comparedAt": now.isoformat(), "unreadable": unreadable}
    replace_json(output / "changes.json", report)
    replace_json(manifest, after)
    counts = {kind: len(names) for kind, names in changes.items()}
    return JobResult.counted(len(found), len(unreadable), **counts)


def digests(directory: Path, without: Path) -> tuple[dict[str, str], list[str]]:
    names, unreadable = list_files(directory, without)
    found: dict[str, str] = {}
    for name in names:
        try:
            with (directory / name).open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            continue
        except OSError:
            unreadable.append(name)
    return found, unreadable


def is_within(name: str, places: list[str]) -> bool:
    return any(PurePath(name).is_relative_to(place) for place in places)
