"""Running schedules by hand, and what became of runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from tickwright.model.errors import NotFound
from tickwright.model.json import JsonObject, checked_object
from tickwright.model.page import Page
from tickwright.model.run import Attempt, Cause, Run
from tickwright.model.scope import Scope
from tickwright.model.states import OPEN_RUNS
from tickwright.model.worker import Worker
from tickwright.service.core import Core
from tickwright.service.options import check_key, check_note, check_ref, check_request_key
from tickwright.store.base import NewRun, Ref, Work
from tickwright.store.queries import RunQuery

_LOOK_SECONDS = 0.5


class Runs(Core):
    """The runs of the scheduler, and the workers that execute them."""

    async def trigger_schedule(  # noqa: PLR0913 - like create_schedule
        self,
        scope: Scope,
        ref: Ref,
        *,
        cause: Cause = Cause.MANUAL,
        triggered_by: str | None = None,
        request_key: str | None = None,
        payload: Mapping[str, Any] | None = None,
        force: bool = True,
    ) -> Run:
        """Run a schedule's job once, now; its own times are not touched.

        A cancelled schedule cannot be run, nor one that denies starts by hand (ManualDenied);
        without `force` only an active one can.
        Conflict while an earlier run is open (under overlap `skip`). The same `request_key`
        answers with the run it made before, so a double click is one run.
        """
        new = self._new(cause, triggered_by, request_key, payload, force)
        now = await self._time.now()
        run = await self._store.runs.add(scope, check_ref(ref), new, now=now)
        self._runtime.wake("ready")
        return run

    async def run_job(
        self,
        scope: Scope,
        job_key: str,
        payload: Mapping[str, Any] | None = None,
        *,
        target: JsonObject | None = None,
        triggered_by: str | None = None,
        request_key: str | None = None,
    ) -> Run:
        """Run a job once, now, without a schedule; without `target` the handler of its name.

        The same `request_key` answers with the run it made before.
        """
        name = check_key("jobKey", job_key)
        checked = self._check_target(target or {"type": "handler", "name": name})
        handler = checked.get("name") if checked.get("type") == "handler" else None
        new = self._new(Cause.MANUAL, triggered_by, request_key, payload)
        work = Work(name, checked, handler)
        run = await self._store.runs.start(scope, work, new, now=await self._time.now())
        self._runtime.wake("ready")
        return run

    async def retry_run(
        self,
        scope: Scope,
        run_id: UUID,
        *,
        payload: Mapping[str, Any] | None = None,
        triggered_by: str | None = None,
        request_key: str | None = None,
    ) -> Run:
        """Do again what an ended run did, for the same instant: a new run that points at it.

        NotPossible while it has not ended; Conflict as `trigger_schedule`.
        """
        new = self._new(Cause.REPLAY, triggered_by, request_key, payload)
        run = await self._store.runs.replay(scope, run_id, new, now=await self._time.now())
        if run is None:
            raise NotFound(f"there is no run {run_id}")
        self._runtime.wake("ready")
        return run

    def _new(
        self,
        cause: Cause,
        triggered_by: str | None,
        request_key: str | None,
        payload: Mapping[str, Any] | None,
        force: bool = True,
    ) -> NewRun:
        checked = None if payload is None else checked_object("payload", payload)
        by, request = check_note("triggeredBy", triggered_by), check_request_key(request_key)
        return NewRun(cause, by, request, checked, force)

    async def get_run(self, scope: Scope, run_id: UUID) -> Run:
        found = await self._store.runs.get(scope, run_id)
        if found is None:
            raise NotFound(f"there is no run {run_id}")
        return found

    async def find_runs(self, scope: Scope, query: RunQuery | None = None) -> Page[Run]:
        return await self._store.runs.find(scope, query or RunQuery())

    async def attempts(self, scope: Scope, run_id: UUID) -> list[Attempt]:
        """The superseded tries of a run, oldest first."""
        return await self._store.runs.attempts(scope, run_id)

    async def cancel_run(self, scope: Scope, run_id: UUID) -> Run:
        """Cancel a queued run, or ask a running one to stop."""
        run = await self._store.runs.cancel(scope, run_id, now=await self._time.now())
        if run is None:
            raise NotFound(f"there is no run {run_id}")
        self._runtime.wake("cancel")
        return run

    async def wait_for_run(self, scope: Scope, run_id: UUID, timeout: timedelta) -> Run:
        """The run when it has ended, or as it is when `timeout` has passed."""
        ended = self._runtime.finisher.ended(run_id)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                while (run := await self.get_run(scope, run_id)).status in OPEN_RUNS:
                    await asyncio.wait([ended], timeout=_LOOK_SECONDS)
        except TimeoutError:
            return await self.get_run(scope, run_id)
        finally:
            ended.cancel()
        return run

    async def workers(self) -> list[Worker]:
        return await self._store.workers.all()
