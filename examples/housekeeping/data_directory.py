"""The base directory: every path a job is given lies inside it, whatever the settings say."""

from __future__ import annotations

from pathlib import Path

from .contract import Refused


class DataDirectory:
    """Turns the paths in settings into real ones; links and `..` are resolved before the check."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def path(self, name: str) -> Path:
        try:
            path = (self.root / name).resolve()
        except (OSError, RuntimeError, ValueError) as unusable:
            raise Refused(f"{name!r} is not a usable path: {unusable}") from unusable
        if not path.is_relative_to(self.root):
            raise Refused(f"{name!r} leads out of the data directory")
        return path

    def file(self, name: str) -> Path:
        path = self.path(name)
        if not path.is_file():
            raise Refused(f"{name!r} is not a file in the data directory")
        return path

    def directory(self, name: str) -> Path:
        path = self.path(name)
        if not path.is_dir():
            raise Refused(f"{name!r} is not a directory in the data directory")
        return path

    def output(self, name: str) -> Path:
        """Like `directory`, but made when it is missing."""
        path = self.path(name)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as blocked:
            raise Refused(f"{name!r} cannot be a directory: a file is in the way") from blocked
        return path
