"""Engine processes under test, watched through the journals they write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.faults.world.processes import Process, until

__all__ = ["Engine", "Line", "until"]

Line = dict[str, Any]


class Engine(Process):
    """One engine process, working on `url`; `settings` are Scheduler's."""

    def __init__(self, url: str, folder: Path, name: str, **settings: Any) -> None:
        self._journal = folder / f"{name}.jsonl"
        self._lines: list[Line] = []
        self._read = 0
        given = {"database_url": url, "journal": str(self._journal), **settings}
        super().__init__(name, ["-m", "tests.faults.engine_process", json.dumps(given)], folder)

    def journal(self, what: str) -> list[Line]:
        """The lines of that kind so far."""
        self._read_on()
        return [line for line in self._lines if line["what"] == what]

    def runs(self, what: str = "started") -> set[str]:
        return {line["run"] for line in self.journal(what)}

    async def ready(self) -> None:
        await until(lambda: self.journal("ready") or not self.alive, 20, f"{self.name} is ready")
        assert self.alive, f"{self.name} ended while it started:\n{self.log}"

    def _read_on(self) -> None:
        if not self._journal.exists():
            return
        with self._journal.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        self._lines += [json.loads(line) for line in whole.splitlines()]
