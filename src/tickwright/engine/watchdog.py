"""Ending a process whose event loop stands still, so that whoever keeps it starts it again.

Invariant: only time in which this process was awake counts; being stopped, suspended or moved to
another machine is no standstill.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

_log = logging.getLogger("tickwright.watchdog")
EXIT_CODE = 70
_LOOKS = 20
_LAST_WORDS_SECONDS = 2.0


class Standstill:
    """How long a loop has not answered, from one look to the next.

    `ask` makes the loop call what it is given. A look counts at most the time between two looks:
    whatever is beyond, this process did not see either.
    """

    def __init__(
        self,
        ask: Callable[[Callable[[], None]], object],
        every: timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._every = every.total_seconds()
        self._monotonic = monotonic
        self._answered = True
        self._looked_at = monotonic()
        self._still = 0.0

    def look(self) -> timedelta:
        """How long the loop has stood still by now, in time that this process was awake."""
        now = self._monotonic()
        if self._answered:
            self._answered, self._still = False, 0.0
            self._ask(self._answer)
        else:
            self._still += min(now - self._looked_at, self._every)
        self._looked_at = now
        return timedelta(seconds=self._still)

    def _answer(self) -> None:
        self._answered = True


class Watchdog:
    """Looks after the running event loop from a thread of its own.

    A thread sees nothing while foreign code keeps Python's lock for itself; then the heartbeat
    stands still too, and others take over what this worker holds.
    """

    def __init__(self, patience: timedelta, end: Callable[[int], object] = os._exit) -> None:
        self._patience = patience
        self._end = end
        self._every = patience / _LOOKS
        self._standstill = Standstill(asyncio.get_running_loop().call_soon_threadsafe, self._every)
        self._watched = threading.get_ident()
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._look_on, name="tickwright-watchdog", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _look_on(self) -> None:
        # A loop that is closed has no need to answer.
        with suppress(RuntimeError):
            while not self._stopped.wait(self._every.total_seconds()):
                still = self._standstill.look()
                if still >= self._patience:
                    self._bark(still)
                    return

    def _bark(self, still: timedelta) -> None:
        # Logging may wait for a lock that the thread which stands still holds.
        telling = threading.Thread(target=self._tell, args=(still,), daemon=True)
        telling.start()
        telling.join(_LAST_WORDS_SECONDS)
        self._end(EXIT_CODE)

    def _tell(self, still: timedelta) -> None:
        frame = sys._current_frames().get(self._watched)
        _log.critical(
            "the event loop has stood still for %.0f s; this process ends so that it is started "
            "again, and others take over its runs when its lease is over. It stands here:\n%s",
            still.total_seconds(),
            "".join(traceback.format_stack(frame)) if frame else "nowhere",
        )


@contextmanager
def watched(patience: timedelta) -> Iterator[None]:
    """While the block runs, its event loop may stand still for so long; zero is for ever."""
    if patience <= timedelta(0):
        yield
        return
    watchdog = Watchdog(patience)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.stop()
