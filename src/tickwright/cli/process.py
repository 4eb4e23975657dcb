"""A process that stays: it runs until a signal tells it to stop, then drains.

Invariant: the first SIGINT or SIGTERM drains and ends with 0, the second ends at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tickwright.cli.options import Reach
    from tickwright.service.scheduler import Scheduler

_log = logging.getLogger("tickwright.process")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LAST_WAIT_SECONDS = 1.0


@contextmanager
def stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first signal; a second one ends the process there and then."""
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def told(number: int) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        _log.info("%s: stopping; a second signal ends at once", signal.Signals(number).name)
        stop()

    for number in _SIGNALS:
        loop.add_signal_handler(number, told, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def started_or_told(scheduler: Scheduler, told: asyncio.Event) -> bool:
    """Start, waiting for the database; False when a signal came before that was done."""
    starting = asyncio.ensure_future(scheduler.start_patiently())
    waiting = asyncio.ensure_future(told.wait())
    try:
        await asyncio.wait((starting, waiting), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            return True
        return False
    finally:
        for task in (starting, waiting):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


def stay_as_engine(
    reach: Reach, app: str | None, *, log_level: str | None, **settings: Any
) -> None:
    """Be an engine and worker without HTTP, until a signal comes."""
    from tickwright.bootstrap import make_settings
    from tickwright.cli import logs
    from tickwright.cli.loading import scheduler_for

    logs.configure(make_settings(log_level=log_level).log_level)
    scheduler, in_force = scheduler_for(app, database_url=reach.database_url, **settings)
    warn_of_ignored()
    stay(_run_engine(scheduler), in_force.watchdog)


async def _run_engine(scheduler: Scheduler) -> None:
    told = asyncio.Event()
    with stop_signals(told.set):
        try:
            if await started_or_told(scheduler, told):
                _log.info("the engine runs; Ctrl+C or SIGTERM stops it")
                await told.wait()
        finally:
            await scheduler.stop()
    _log.info("stopped")


def stay(work: Coroutine[Any, Any, None], patience: timedelta) -> None:
    """Run `work` on the fastest loop there is, and let no thread it left behind hold the exit.

    A loop that stands still for longer than `patience` ends the process.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_watched(work, patience))
    _leave_threads_behind()


async def _watched(work: Coroutine[Any, Any, None], patience: timedelta) -> None:
    from tickwright.engine.watchdog import watched

    with watched(patience):
        await work


def warn_of_ignored() -> None:
    """Say once which of the variables that people may have set for a seed have no effect here."""
    ignored = sorted(name for name in os.environ if name.startswith("SUPABASE_"))
    if ignored:
        _log.warning(
            "ignored: %s; the database is named by TICKWRIGHT_DATABASE_URL", ", ".join(ignored)
        )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _leave_threads_behind() -> None:
    """Handlers that ignore cancellation would keep Python alive long after the grace time."""
    deadline = time.monotonic() + _LAST_WAIT_SECONDS
    for thread in threading.enumerate():
        if thread is threading.main_thread() or thread.daemon:
            continue
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            _log.warning("%s is still busy and is left behind", thread.name)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
