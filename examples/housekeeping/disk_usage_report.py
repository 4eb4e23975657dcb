"""Job `disk-usage-report`: files and bytes per sub-directory and file type."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import PurePath

from .contract import JobResult, Settings
from .data_directory import DataDirectory
from .files import list_files, replace_json


class ReportSettings(Settings):
    directory: str
    output: str


def report_disk_usage(
    config: Mapping[str, object], data: DataDirectory, now: datetime
) -> JobResult:
    """Writes `disk-usage.json` into the output directory; items are files seen."""
    settings = ReportSettings.read(config)
    directory, output = data.directory(settings.directory), data.output(settings.output)
    sizes, unreadable = list_files(directory, without=output)
    report = {
        "directory": settings.directory,
        "takenAt": now.isoformat(),
        "files": len(sizes),
        "bytes": sum(sizes.values()),
        "bySubdirectory": totals((first_folder(name), size) for name, size in sizes.items()),
        "byType": totals((file_type(name), size) for name, size in sizes.items()),
        "unreadable": unreadable,
    }
    replace_json(output / "disk-usage.json", report)
    return JobResult.counted(len(sizes), len(unreadable), bytes=report["bytes"])


def totals(sizes: Iterable[tuple[str, int]]) -> dict[str, dict[str, int]]:
    groups: dict[str, dict[str, int]] = defaultdict(lambda: {"files": 0, "bytes": 0})
    for group, size in sizes:
        groups[group]["files"] += 1
        groups[group]["bytes"] += size
    return dict(groups)


def first_folder(name: str) -> str:
    folder, slash, _ = name.partition("/")
    return folder if slash else "."


def file_type(name: str) -> str:
    return PurePath(name).suffix.lower() or "(none)"
