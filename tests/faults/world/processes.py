"""Processes under test: started with a log of their own, frozen, killed and ended by their pids.

Invariant: every end of a process is recorded once, and whether the experiment meant it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tests.faults.judge.history import Exit
from tests.faults.world.forked import Forked

ROOT = Path(__file__).parents[3]
_LOOK_SECONDS = 0.01
_LAUNCH = ["-m", "tests.faults.world.launch"]


class _Handle(Protocol):
    """A process, however it was started."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: signal.Signals, /) -> None: ...


async def until(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Wait for `condition`, looking often; how long it took. AssertionError after `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(_LOOK_SECONDS)
    return time.monotonic() - began


def command_line(*args: str, **options: object) -> list[str]:
    """Python's arguments for `tickwright args`, patched by the options of `launch`.

    `command_line("worker", die_at="fire.inserted:2", prune_every=1)`; None is no option.
    """
    given = {name.replace("_", "-"): value for name, value in options.items() if value is not None}
    patches = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    return [*_LAUNCH, *patches, "--", *args]


class Process:
    """One Python process, started at once; `args` are what follows the interpreter.

    Its environment is ours without the scheduler's own settings, and `env`. Its end is appended
    to `exits` when it is noticed: by whoever ends it, or by asking whether it is `alive`. A
    `doomed` one is meant to end by itself. A command line may be `forked`, which starts it in a
    tenth of the time; what is preloaded by the linker (`LD_PRELOAD`) needs a start from scratch.
    """

    def __init__(
        self,
        name: str,
        args: Sequence[str],
        folder: Path,
        env: Mapping[str, str] | None = None,
        exits: list[Exit] | None = None,
        *,
        doomed: bool = False,
        forked: bool = False,
    ) -> None:
        self.name = name
        self.exits = [] if exits is None else exits
        self._meant = doomed
        self._noted = False
        self._log = folder / f"{name}.log"
        self._log.touch()
        self._said_before = self._log.stat().st_size
        start = _forked if forked else _executed
        self._process = start(args, _environment() | dict(env or {}), self._log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """How it ended, negative after a signal; None while it lives."""
        code = self._process.poll()
        if code is not None and not self._noted:
            self._noted = True
            at = time.time()  # noqa: TID251 - histories are in real time
            self.exits.append(Exit(self.name, self.pid, at, code, self._meant))
        return code

    @property
    def alive(self) -> bool:
        return self.code is None

    @property
    def log(self) -> str:
        """What this process has said; a namesake before it may have written into the same file."""
        return self._log.read_bytes()[self._said_before :].decode(errors="replace")

    async def says(self, text: str, seconds: float = 20) -> None:
        """Wait until its log holds `text`; AssertionError when it ends before."""
        await until(lambda: text in self.log or not self.alive, seconds, f"{self.name}: {text}")
        assert text in self.log, f"{self.name} ended before it said {text!r}:\n{self.log}"

    def kill(self) -> None:
        """End it with no chance to say a word."""
        self._send(signal.SIGKILL, ends=True)
        self._process.wait(10)
        assert not self.alive

    def freeze(self) -> None:
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    async def terminate(self, seconds: float = 15) -> int:
        """Ask it to end; its exit code."""
        self._send(signal.SIGTERM, ends=True)
        await until(lambda: not self.alive, seconds, f"{self.name} ends after SIGTERM")
        return self._process.wait()

    def end(self) -> None:
        """Whatever state it is in, it ends now."""
        if self.alive:
            self.kill()

    def _send(self, number: signal.Signals, *, ends: bool = False) -> None:
        if self.alive:
            self._meant = self._meant or ends
            self._process.send_signal(number)


def _executed(args: Sequence[str], env: dict[str, str], path: Path) -> _Handle:
    with path.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *args],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _forked(args: Sequence[str], env: dict[str, str], path: Path) -> _Handle:
    assert list(args[: len(_LAUNCH)]) == _LAUNCH, "only a command line can be forked"
    return Forked(args[len(_LAUNCH) :], env, path, ROOT)


def _environment() -> dict[str, str]:
    """Ours, without what would set up a scheduler from outside."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TICKWRIGHT_") and not name.endswith("_URL")
    }
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return inherited | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
