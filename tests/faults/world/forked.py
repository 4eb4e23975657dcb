"""Processes that begin as copies of one that has imported everything, so they start at once.

Invariant: a copy shares nothing with another but the code that was loaded; each is a process of
its own, with its own environment and log, that ends with the experiment.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.faults.world import launch

_PRELOADED = (
    "tests.faults.campaign",
    "tests.faults.world.points",
    "tickwright.bootstrap",
    "tickwright.cli.logs",
    "tickwright.cli.process",
    "tickwright.cli.schedule",
    "tickwright.cli.serving",
    "tickwright.cli.worker",
    "tickwright.dispatch.database",
    "tickwright.engine.runtime",
    "tickwright.store.postgres",
    "tickwright.store.sqlite",
    "tickwright.targets.handler",
    "tickwright.targets.http",
    "tickwright.triggers.cron",
    "tickwright.triggers.interval",
    "tickwright.triggers.one_shot",
    "alembic.command",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "uvloop",
)


def context() -> ForkServerContext:
    """What makes processes; whoever makes one first imports for all."""
    forking = multiprocessing.get_context("forkserver")
    # Each copy imports what the experiment's own main module imports, unless that is there too.
    own = [name for name in ("pytest",) if name in sys.modules]
    forking.set_forkserver_preload([*_PRELOADED, *own])
    return forking


class Forked:
    """One copy that runs `launch` with `args`; the part of Popen that `Process` needs."""

    def __init__(
        self, args: Sequence[str], env: Mapping[str, str], log: Path, directory: Path
    ) -> None:
        self._process: BaseProcess = context().Process(
            target=_be, args=(list(args), dict(env), str(log), str(directory)), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self.poll()
        assert code is not None, f"process {self.pid} does not end within {timeout} s"
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _be(args: list[str], env: dict[str, str], log: str, directory: str) -> None:
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(env)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    launch.main(args)
