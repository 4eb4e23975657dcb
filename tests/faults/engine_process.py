"""An engine in a process of its own that writes down what it does; `python -m` starts it.

Its journal takes one JSON object a line, appended at once, so that a killed process has written
down everything it had begun.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from tickwright import RunContext, Scheduler, TickwrightError, tenant

HANDLER = "work"
_STATUS_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1


class Journal:
    """An append-only file; times are CLOCK_MONOTONIC, which all processes share."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, what: str, **facts: Any) -> None:
        line = {"what": what, "at": time.monotonic(), "pid": os.getpid(), **facts}
        os.write(self._file, json.dumps(line).encode() + b"\n")


def main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(name)s: %(message)s")
    given: dict[str, Any] = json.loads(sys.argv[1])
    journal = Journal(Path(given.pop("journal")))
    watched = given.pop("watch_status", False)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Scheduler(**given), journal, watched=watched))


async def serve(scheduler: Scheduler, journal: Journal, *, watched: bool) -> None:
    """Be an engine until SIGTERM."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    scheduler.register_handler(HANDLER, handler(journal))
    await scheduler.start_patiently()
    journal.write("ready")
    watching = asyncio.create_task(watch_status(scheduler, journal)) if watched else None
    await told.wait()
    if watching is not None:
        watching.cancel()
    await scheduler.stop()


def handler(journal: Journal) -> Any:
    async def work(tenant_id: str | None, payload: dict[str, Any], ctx: RunContext) -> None:
        facts = {
            "run": str(ctx.run_id),
            "schedule": str(ctx.schedule_id),
            "attempt": ctx.attempt,
            "key": ctx.idempotency_key,
        }
        journal.write("started", **facts)
        try:
            if "block" in payload:
                time.sleep(payload["block"])  # noqa: ASYNC251 - a handler that holds up the loop
            await asyncio.sleep(payload.get("seconds", 0.005))
        except asyncio.CancelledError:
            journal.write("cancelled", **facts)
            if "stubborn" not in payload:
                raise
        journal.write("ended", **facts)

    return work


async def watch_status(scheduler: Scheduler, journal: Journal) -> None:
    """Write down what the process says of itself, and what a caller meets."""
    while True:
        status = await scheduler.status()
        try:
            await scheduler.armed(tenant("nobody"))
        except TickwrightError as error:
            met: str | None = type(error).__name__
        else:
            met = None
        journal.write("status", ready=status.ready, database=status.database, error=met)
        await asyncio.sleep(_STATUS_SECONDS)


if __name__ == "__main__":
    main()
