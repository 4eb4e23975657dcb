"""Keeping what runs tell: buffered here, written for all of them together every quarter second.

Invariant: what an attempt told is in the store before its ending is, and a run that tells
nothing costs nothing there. A worker that lost the run is refused, and heard no more.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import RLock
from time import monotonic
from uuid import UUID

from tickwright.engine.timekeeper import Timekeeper
from tickwright.model.errors import StoreUnavailable
from tickwright.model.report import MAX_LINES, MAX_LOG_BYTES, Level, LogLine, Report
from tickwright.model.run import Claimed, Items, Progress
from tickwright.store.base import Reporting

EVERY = timedelta(milliseconds=250)
BATCH = 200
SPAN = 10**9
Key = tuple[UUID, int]
_IDLE = timedelta(seconds=30)
_NOTHING = Items()
_log = logging.getLogger("tickwright.reporter")


@dataclass(slots=True)
class _Told:
    """What one try has told.

    Of its lines `kept` are to stay, as sequence number and size, and `unsaved` are not in the
    store yet, which may hold lines of the attempt from `stored_from` on.
    """

    stored_from: int | None
    version: int = 0
    progress: Progress | None = None
    items: Items | None = None
    unsaved: deque[LogLine] = field(default_factory=deque)
    kept: deque[tuple[int, int]] = field(default_factory=deque)
    size: int = 0
    count: int = 0
    dropped: int = 0

    def add(self, line: LogLine) -> None:
        self.unsaved.append(line)
        self.kept.append((line.seq, len(line.text.encode())))
        self.size += self.kept[-1][1]
        while len(self.kept) > MAX_LINES or self.size > MAX_LOG_BYTES:
            seq, size = self.kept.popleft()
            self.size -= size
            self.dropped += 1
            if self.unsaved[0].seq == seq:
                self.unsaved.popleft()

    @property
    def keep_from(self) -> int | None:
        first = self.kept[0][0] if self.kept else None
        older = first is not None and self.stored_from is not None and self.stored_from < first
        return first if older else None

    def saved(self, report: Report) -> None:
        while self.unsaved and report.lines and self.unsaved[0].seq <= report.lines[-1].seq:
            self.unsaved.popleft()
        if report.keep_from is not None:
            self.stored_from = report.keep_from
        elif self.stored_from is None and report.lines:
            self.stored_from = report.lines[0].seq


class RunReport:
    """The listener of one attempt; a `Listener`."""

    __slots__ = ("_closed", "_heard_at", "_reporter", "_told", "run")

    def __init__(self, reporter: Reporter, run: Claimed) -> None:
        self.run = run
        self._reporter = reporter
        self._told: _Told | None = None
        self._heard_at: float | None = None
        self._closed = False

    @property
    def silent_for(self) -> float | None:
        """Seconds since it was heard last; None for work that cannot be heard."""
        return None if self._heard_at is None else monotonic() - self._heard_at

    @property
    def told(self) -> bool:
        """Whether it told anything at all."""
        return self._told is not None

    @property
    def worked_on(self) -> Items:
        """The items it told of."""
        return (self._told and self._told.items) or _NOTHING

    def begin(self) -> None:
        self._heard_at = monotonic()

    def heartbeat(self) -> None:
        self._heard_at = monotonic()

    def close(self) -> None:
        """Hear nothing more."""
        self._closed = True

    def progress(self, done: float, total: float | None, message: str | None) -> None:
        now = Progress(done, total, message, self._reporter.time.stamp())

        def put(told: _Told) -> None:
            told.progress = now

        self._hear(put)

    def items(self, processed: int | None, succeeded: int | None, failed: int | None) -> None:
        counts = {"processed": processed, "succeeded": succeeded, "failed": failed}
        given = {name: count for name, count in counts.items() if count is not None}

        def put(told: _Told) -> None:
            told.items = replace(told.items or _NOTHING, **given)

        self._hear(put)

    def log(self, level: Level, text: str, logger: str | None = None) -> None:
        at, run = self._reporter.time.stamp(), self.run

        def put(told: _Told) -> None:
            told.count += 1
            # Numbers of one run grow from try to try, and no two workers need to agree on them.
            seq = run.lease_token * SPAN + told.count
            told.add(LogLine(seq, run.attempt, at, level, text, logger))

        self._hear(put)

    def _hear(self, put: Callable[[_Told], None]) -> None:
        with self._reporter.lock:
            if self._closed:
                return
            self._heard_at = monotonic()
            if self._told is None:
                # An attempt that was begun before, and put off or handed back, begins its log anew.
                self._told = _Told(0 if self.run.lease_token > self.run.attempt else None)
            put(self._told)
            self._told.version += 1
            self._reporter.note(self)

    def taken(self) -> Report | None:
        """What is to be written now; the reporter's lock is held."""
        run, told = self.run, self._told
        if told is None:
            return None
        return Report(
            run_id=run.id,
            attempt=run.attempt,
            lease_token=run.lease_token,
            version=told.version,
            progress=told.progress,
            items=told.items,
            dropped=told.dropped,
            lines=tuple(told.unsaved),
            keep_from=told.keep_from,
        )

    def wrote(self, report: Report) -> bool:
        """Let go of what was written; whether that is all. The reporter's lock is held."""
        if self._told is None:
            return True
        self._told.saved(report)
        return self._told.version == report.version


class Reporter:
    """Listens to the attempts of this process and writes what they tell; a loop calls `tick`.

    `wake` is called from whatever thread tells something.
    """

    def __init__(self, reporting: Reporting, time: Timekeeper) -> None:
        self.wake: Callable[[], object] = lambda: None
        self.time = time
        # What logs while it is held, such as a destructor, must not wait for itself.
        self.lock = RLock()
        self._reporting = reporting
        self._pending: dict[Key, RunReport] = {}
        self._flushing = asyncio.Lock()
        self._flushed_at = monotonic() - EVERY.total_seconds()

    def open(self, run: Claimed) -> RunReport:
        """The listener for an attempt that begins."""
        return RunReport(self, run)

    def note(self, report: RunReport) -> None:
        """It has something to write; the lock is held."""
        first = not self._pending
        self._pending[report.run.id, report.run.lease_token] = report
        if first:
            # A loop that is closed writes nothing any more.
            with suppress(RuntimeError):
                self.wake()

    async def tick(self) -> timedelta:
        if not self._pending:
            return _IDLE
        wait = EVERY - timedelta(seconds=monotonic() - self._flushed_at)
        if wait > timedelta(0):
            return wait
        await self.flush()
        return EVERY if self._pending else _IDLE

    async def flush(self) -> None:
        """Write all that was told until now."""
        await self._flush(list(self._pending))
        self._flushed_at = monotonic()

    async def flush_of(self, runs: Iterable[Claimed]) -> None:
        """Write what these runs told, before they end; what others told holds them up only then."""
        if self._pending:
            keys = [(run.id, run.lease_token) for run in runs]
            await self._flush([key for key in keys if key in self._pending])

    async def _flush(self, keys: list[Key]) -> None:
        if not keys:
            return
        # What is being written just now must be there as well when this returns.
        async with self._flushing:
            for start in range(0, len(keys), BATCH):
                await self._write(keys[start : start + BATCH])

    async def _write(self, keys: list[Key]) -> None:
        with self.lock:
            reports = [self._pending[key] for key in keys if key in self._pending]
            taken = [(each, report) for each in reports if (report := each.taken())]
        if not taken:
            return
        accepted = await self._saved([report for _, report in taken])
        with self.lock:
            for each, report in taken:
                if report.run_id not in accepted:
                    each.close()
                elif not each.wrote(report):
                    continue
                self._pending.pop((report.run_id, report.lease_token), None)

    async def _saved(self, reports: list[Report]) -> set[UUID]:
        """The runs whose reports were accepted."""
        try:
            return {each.run_id for each in await self._reporting.save(reports)}
        except StoreUnavailable:
            raise
        except Exception:
            # The endings of runs wait for this: what cannot be written must not hold them up.
            _log.exception("what %d runs told cannot be written and is let go of", len(reports))
            return set()
