"""`make run` from nothing: scheduler and example start, a job runs for real, all of it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

ROOT = Path(__file__).parents[2]
JOB = "directory-digest"
DATABASE_NAMES = ("TICKWRIGHT_DATABASE_URL", "DATABASE_URL", "POSTGRES_URL")
_LOOK_SECONDS = 0.05
T = TypeVar("T")


def until(look: Callable[[], T], seconds: float, what: str) -> T:
    """What `look` finds, once it finds something."""
    began = time.monotonic()
    while not (found := look()):
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(_LOOK_SECONDS)
    return found


class Running:
    """`scripts/run.py` in a folder of its own, and the processes below it."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._log = folder / "run.log"
        env = {name: value for name, value in os.environ.items() if name not in DATABASE_NAMES}
        env |= {
            "PORT": self.url.rpartition(":")[2],
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "scripts" / "run.py")],
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.children: set[int] = set()

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def get(self, path: str) -> Any:
        """The JSON answer; None while there is no good one."""
        assert self.process.poll() is None, f"it ended while it should run:\n{self.log}"
        try:
            answer = httpx.get(self.url + path, timeout=5)
        except httpx.TransportError:
            return None
        return answer.json() if answer.is_success else None

    def executions(self) -> list[dict[str, Any]]:
        """The job's completed executions."""
        history = self.get(f"/api/jobs/{JOB}/history") or {"executions": []}
        return [each for each in history["executions"] if each["status"] == "completed"]

    def see_children(self) -> None:
        pid = self.process.pid
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        self.children = {int(child) for child in listed}
        assert len(self.children) == 2

    def children_are_gone(self) -> bool:
        return not any(_runs(child) for child in self.children)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for child in self.children:
            if _runs(child):
                os.kill(child, signal.SIGKILL)


def _runs(pid: int) -> bool:
    """Whether one of our processes still has that id, and is no mere zombie."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"tickwright" in command or b"housekeeping" in command


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    started = Running(tmp_path)
    yield started
    started.end()
    print(started.log)


def test_make_run_executes_an_example_job_and_ends_at_sigterm_without_a_trace(
    running: Running,
) -> None:
    began = time.monotonic()
    until(lambda: running.get(f"/api/jobs/{JOB}"), 30, "the example has registered its job")
    print(f"registered {time.monotonic() - began:.2f} s after the start")
    running.see_children()
    answer = httpx.post(f"{running.url}/api/jobs/{JOB}/trigger", json={}, timeout=30)
    assert answer.is_success, answer.text
    execution = until(running.executions, 30, "an execution is completed")[-1]
    assert execution["items_processed"] > 0
    assert execution["items_succeeded"] == execution["items_processed"]
    assert execution["items_failed"] == 0
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(25) == 0
    assert running.children_are_gone()


def test_the_processes_of_make_run_end_when_it_is_killed(running: Running) -> None:
    until(lambda: running.get("/live"), 30, "the scheduler answers")
    running.see_children()
    running.process.kill()
    running.process.wait(10)
    until(running.children_are_gone, 25, "both processes have ended")
