"""What runs tell: their logs, and following one while it runs, in whichever process it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any
from uuid import UUID

from tickwright.model.errors import InvalidInput
from tickwright.model.report import LogLine, LogPage, RunUpdate
from tickwright.model.run import Items, Run
from tickwright.model.scope import Scope
from tickwright.model.states import OPEN_RUNS
from tickwright.service.runs import Runs
from tickwright.store.queries import LogQuery

MAX_LINES_AT_ONCE = 500
_LAST_LINE = 2**63 - 1
_LOOK_SECONDS = 0.5


class Following(Runs):
    """Reading what runs tell."""

    async def run_logs(
        self,
        scope: Scope,
        run_id: UUID,
        *,
        after: int = 0,
        limit: int = 100,
        attempt: int | None = None,
        newest: bool = False,
    ) -> LogPage:
        """Up to `limit` (500) lines of a run's log behind line `after`, or its `newest`.

        Oldest first in both cases; `attempt` leaves out the other ones.
        """
        if not 1 <= limit <= MAX_LINES_AT_ONCE:
            raise InvalidInput("limit", f"must lie between 1 and {MAX_LINES_AT_ONCE}")
        _check_after(after)
        await self.get_run(scope, run_id)
        query = LogQuery(after, limit, attempt, newest)
        return await self._store.reports.lines(scope, run_id, query)

    async def follow_run(
        self, scope: Scope, run_id: UUID, *, after: int = 0
    ) -> AsyncGenerator[RunUpdate, None]:
        """Each change of a run's status and progress, and each line of its log, until it ends.

        It begins with the status and progress as they are and with the lines behind `after`. The
        last update is the `end`; without one the scheduler was stopped before.
        """
        _check_after(after)
        stopping, ended = self._stopping, self._runtime.finisher.ended(run_id)
        news: list[asyncio.Future[Any]] = [ended, asyncio.ensure_future(stopping.wait())]
        before: Run | None = None
        try:
            while True:
                run = await self.get_run(scope, run_id)
                for update in _changes(before, run, after):
                    yield update
                more = True
                while more:
                    lines = await self._lines(scope, run_id, after)
                    more = len(lines) == MAX_LINES_AT_ONCE
                    for line in lines:
                        after = line.seq
                        yield RunUpdate("log", run, after, line)
                if run.status not in OPEN_RUNS:
                    yield RunUpdate("end", run, after)
                    return
                before = run
                await asyncio.wait(news, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if stopping.is_set():
                    return
        finally:
            for each in news:
                each.cancel()

    async def _lines(self, scope: Scope, run_id: UUID, after: int) -> list[LogLine]:
        query = LogQuery(after, MAX_LINES_AT_ONCE)
        return (await self._store.reports.lines(scope, run_id, query)).lines


def _changes(before: Run | None, run: Run, after: int) -> Iterator[RunUpdate]:
    if before is None or _state(before) != _state(run):
        yield RunUpdate("status", run, after)
    told = run.progress is not None or run.items != Items()
    if told and (before is None or _told(before) != _told(run)):
        yield RunUpdate("progress", run, after)


def _state(run: Run) -> object:
    return run.status, run.attempt, run.gate, run.started_at, run.cancel_requested_at


def _told(run: Run) -> object:
    return run.progress, run.items


def _check_after(after: int) -> None:
    if not 0 <= after <= _LAST_LINE:
        raise InvalidInput("after", "must be the number of a line, or 0")
