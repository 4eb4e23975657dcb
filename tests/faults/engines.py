"""Engine processes under test: started, watched through their journals, and ended by their pids."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_LOOK_SECONDS = 0.005
Line = dict[str, Any]


async def until(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Wait for `condition`, looking often; how long it took. AssertionError after `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(_LOOK_SECONDS)
    return time.monotonic() - began


class Engine:
    """One engine process, working on `url`; `settings` are Scheduler's."""

    def __init__(self, url: str, folder: Path, name: str, **settings: Any) -> None:
        self.name = name
        self._journal = folder / f"{name}.jsonl"
        self._log = folder / f"{name}.log"
        self._lines: list[Line] = []
        self._read = 0
        given = {"database_url": url, "journal": str(self._journal), **settings}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.engine_process", json.dumps(given)],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def journal(self, what: str) -> list[Line]:
        """The lines of that kind so far."""
        self._read_on()
        return [line for line in self._lines if line["what"] == what]

    def runs(self, what: str = "started") -> set[str]:
        return {line["run"] for line in self.journal(what)}

    async def ready(self) -> None:
        await until(lambda: self.journal("ready") or not self.alive, 20, f"{self.name} is ready")
        assert self.alive, f"{self.name} ended while it started:\n{self.log}"

    def kill(self) -> None:
        """End it with no chance to say a word."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    async def terminate(self, seconds: float = 15) -> int:
        """Ask it to end; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        await until(lambda: not self.alive, seconds, f"{self.name} ends after SIGTERM")
        return self._process.wait()

    def end(self) -> None:
        """Whatever state it is in, it ends now."""
        if self.alive:
            self.kill()

    def _read_on(self) -> None:
        if not self._journal.exists():
            return
        with self._journal.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        self._lines += [json.loads(line) for line in whole.splitlines()]
