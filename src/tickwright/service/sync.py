"""A synchronous front for programs without an event loop of their own.

Invariant: everything asynchronous happens in one loop in one thread, whoever calls from wherever.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Self, TypeVar, Unpack
from uuid import UUID

from tickwright.engine.hooks import EndHook, StartHook
from tickwright.model.calendar import Calendar, ExceptionKind
from tickwright.model.change import Change
from tickwright.model.job import DEFAULT_POLICY, Job, Policy
from tickwright.model.json import JsonObject
from tickwright.model.page import Page
from tickwright.model.report import LogPage, RunUpdate
from tickwright.model.run import Attempt, Cause, Run
from tickwright.model.schedule import Health, Schedule
from tickwright.model.scope import Scope
from tickwright.model.worker import Worker
from tickwright.service.bulk import MOST_AT_ONCE, Bulk
from tickwright.service.calendars import CalendarDays
from tickwright.service.edits import Past
from tickwright.service.options import ScheduleOptions
from tickwright.service.scheduler import Scheduler
from tickwright.service.statistics import Statistics
from tickwright.service.status import Status
from tickwright.store.base import Ref
from tickwright.store.queries import RunQuery, ScheduleQuery
from tickwright.triggers import Trigger

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class _LoopThread:
    """An event loop in a daemon thread, for as long as it is not closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="tickwright-loop", daemon=True)
        self._thread.start()
        self._ready.wait()

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` answers or raises; it is cancelled when the waiting is interrupted."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("this call would wait for itself: await the Scheduler's own method")
        with self._lock:
            if self._is_closed:
                work.close()
                raise RuntimeError("the scheduler was stopped meanwhile")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def close(self) -> None:
        """Cancel what still runs and end the thread."""
        with self._lock:
            self._is_closed = True
            self._loop.call_soon_threadsafe(self._closed.set)
        self._thread.join()

    def _main(self) -> None:
        asyncio.run(self._until_closed())

    async def _until_closed(self) -> None:
        self._loop, self._closed = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._closed.wait()


async def _next(updates: AsyncGenerator[RunUpdate, None]) -> RunUpdate | None:
    return await anext(updates, None)


class SyncScheduler:
    """A `Scheduler` for synchronous programs; each method does what its namesake there does.

        with SyncScheduler(Scheduler("sqlite:///jobs.db")) as scheduler:
            scheduler.create_schedule(tenant("acme"), "report", cron("0 9 * * 1"))

    It may be used from several threads, but not from handlers that are async: those have the
    `scheduler` itself.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self._thread: _LoopThread | None = None
        self._lock = threading.Lock()

    def handler(self, name: str) -> Callable[[F], F]:
        def decorate(fn: F) -> F:
            self.register_handler(name, fn)
            return fn

        return decorate

    def register_handler(self, name: str, fn: Callable[..., Any]) -> None:
        async def registered() -> None:
            self.scheduler.register_handler(name, fn)

        if self._thread is None:
            self.scheduler.register_handler(name, fn)
        else:
            self._run(registered())

    def on_run_start(self, hook: StartHook) -> StartHook:
        return self.scheduler.on_run_start(hook)

    def on_run_end(self, hook: EndHook) -> EndHook:
        return self.scheduler.on_run_end(hook)

    def open(self) -> None:
        self._run(self.scheduler.open())

    def start(self) -> None:
        self._run(self.scheduler.start())

    def start_patiently(self) -> None:
        self._run(self.scheduler.start_patiently())

    def stop(self) -> None:
        try:
            self._run(self.scheduler.stop())
        finally:
            with self._lock:
                thread, self._thread = self._thread, None
            if thread is not None:
                thread.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def migrate(self) -> None:
        self._run(self.scheduler.migrate())

    def status(self) -> Status:
        return self._run(self.scheduler.status())

    def create_schedule(
        self,
        scope: Scope,
        job_key: str,
        trigger: Trigger | JsonObject,
        *,
        key: str | None = None,
        past: Past = "refuse",
        actor: str | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> Schedule:
        return self._run(
            self.scheduler.create_schedule(
                scope, job_key, trigger, key=key, past=past, actor=actor, **options
            )
        )

    def register(
        self,
        scope: Scope,
        key: str,
        job_key: str,
        trigger: Trigger | JsonObject,
        *,
        past: Past = "refuse",
        actor: str | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> Schedule:
        return self._run(
            self.scheduler.register(scope, key, job_key, trigger, past=past, actor=actor, **options)
        )

    def unregister(self, scope: Scope, key: str, *, actor: str | None = None) -> bool:
        return self._run(self.scheduler.unregister(scope, key, actor=actor))

    def update_schedule(
        self,
        scope: Scope,
        ref: Ref,
        *,
        trigger: Trigger | JsonObject | None = None,
        version: int | None = None,
        actor: str | None = None,
        reason: str | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> Schedule:
        return self._run(
            self.scheduler.update_schedule(
                scope, ref, trigger=trigger, version=version, actor=actor, reason=reason, **options
            )
        )

    def pause_schedule(
        self, scope: Scope, ref: Ref, *, actor: str | None = None, reason: str | None = None
    ) -> Schedule:
        return self._run(self.scheduler.pause_schedule(scope, ref, actor=actor, reason=reason))

    def resume_schedule(self, scope: Scope, ref: Ref, *, actor: str | None = None) -> Schedule:
        return self._run(self.scheduler.resume_schedule(scope, ref, actor=actor))

    def cancel_schedule(
        self, scope: Scope, ref: Ref, *, actor: str | None = None, reason: str | None = None
    ) -> Schedule | None:
        return self._run(self.scheduler.cancel_schedule(scope, ref, actor=actor, reason=reason))

    def delete_schedule(self, scope: Scope, ref: Ref, *, actor: str | None = None) -> Schedule:
        return self._run(self.scheduler.delete_schedule(scope, ref, actor=actor))

    def get_schedule(self, scope: Scope, ref: Ref) -> Schedule:
        return self._run(self.scheduler.get_schedule(scope, ref))

    def find_schedules(self, scope: Scope, query: ScheduleQuery | None = None) -> Page[Schedule]:
        return self._run(self.scheduler.find_schedules(scope, query))

    def armed(self, scope: Scope) -> dict[str, datetime]:
        return self._run(self.scheduler.armed(scope))

    def health(self, *schedules: Schedule) -> list[Health]:
        return self._run(self.scheduler.health(*schedules))

    def statistics(self, scope: Scope, ref: Ref, days: int = 30) -> Statistics:
        return self._run(self.scheduler.statistics(scope, ref, days))

    def trigger_schedule(  # noqa: PLR0913 - as the one it mirrors
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
        return self._run(
            self.scheduler.trigger_schedule(
                scope,
                ref,
                cause=cause,
                triggered_by=triggered_by,
                request_key=request_key,
                payload=payload,
                force=force,
            )
        )

    def run_job(
        self,
        scope: Scope,
        job_key: str,
        payload: Mapping[str, Any] | None = None,
        *,
        target: JsonObject | None = None,
        triggered_by: str | None = None,
        request_key: str | None = None,
    ) -> Run:
        return self._run(
            self.scheduler.run_job(
                scope,
                job_key,
                payload,
                target=target,
                triggered_by=triggered_by,
                request_key=request_key,
            )
        )

    def retry_run(
        self,
        scope: Scope,
        run_id: UUID,
        *,
        payload: Mapping[str, Any] | None = None,
        triggered_by: str | None = None,
        request_key: str | None = None,
    ) -> Run:
        return self._run(
            self.scheduler.retry_run(
                scope,
                run_id,
                payload=payload,
                triggered_by=triggered_by,
                request_key=request_key,
            )
        )

    def get_run(self, scope: Scope, run_id: UUID) -> Run:
        return self._run(self.scheduler.get_run(scope, run_id))

    def find_runs(self, scope: Scope, query: RunQuery | None = None) -> Page[Run]:
        return self._run(self.scheduler.find_runs(scope, query))

    def attempts(self, scope: Scope, run_id: UUID) -> list[Attempt]:
        return self._run(self.scheduler.attempts(scope, run_id))

    def run_logs(
        self,
        scope: Scope,
        run_id: UUID,
        *,
        after: int = 0,
        limit: int = 100,
        attempt: int | None = None,
        newest: bool = False,
    ) -> LogPage:
        return self._run(
            self.scheduler.run_logs(
                scope, run_id, after=after, limit=limit, attempt=attempt, newest=newest
            )
        )

    def follow_run(self, scope: Scope, run_id: UUID, *, after: int = 0) -> Iterator[RunUpdate]:
        updates = self.scheduler.follow_run(scope, run_id, after=after)
        try:
            while (update := self._run(_next(updates))) is not None:
                yield update
        finally:
            # A loop that has ended has closed it too, and must not be begun again for that.
            if self._thread is not None:
                self._run(updates.aclose())

    def cancel_run(self, scope: Scope, run_id: UUID) -> Run:
        return self._run(self.scheduler.cancel_run(scope, run_id))

    def cancel_runs(
        self, scope: Scope, query: RunQuery, *, limit: int = MOST_AT_ONCE, dry_run: bool = False
    ) -> Bulk:
        return self._run(self.scheduler.cancel_runs(scope, query, limit=limit, dry_run=dry_run))

    def retry_runs(
        self,
        scope: Scope,
        query: RunQuery,
        *,
        limit: int = MOST_AT_ONCE,
        dry_run: bool = False,
        triggered_by: str | None = None,
        request_key: str | None = None,
    ) -> Bulk:
        return self._run(
            self.scheduler.retry_runs(
                scope,
                query,
                limit=limit,
                dry_run=dry_run,
                triggered_by=triggered_by,
                request_key=request_key,
            )
        )

    def wait_for_run(self, scope: Scope, run_id: UUID, timeout: timedelta) -> Run:
        return self._run(self.scheduler.wait_for_run(scope, run_id, timeout))

    def create_job(
        self, scope: Scope, key: str, policy: Policy = DEFAULT_POLICY, *, actor: str | None = None
    ) -> Job:
        return self._run(self.scheduler.create_job(scope, key, policy, actor=actor))

    def define_job(
        self, scope: Scope, key: str, policy: Policy, *, actor: str | None = None
    ) -> Job:
        return self._run(self.scheduler.define_job(scope, key, policy, actor=actor))

    def update_job(
        self,
        scope: Scope,
        key: str,
        changes: JsonObject,
        *,
        version: int | None = None,
        actor: str | None = None,
    ) -> Job:
        return self._run(
            self.scheduler.update_job(scope, key, changes, version=version, actor=actor)
        )

    def delete_job(
        self, scope: Scope, key: str, *, version: int | None = None, actor: str | None = None
    ) -> Job:
        return self._run(self.scheduler.delete_job(scope, key, version=version, actor=actor))

    def get_job(self, scope: Scope, key: str) -> Job:
        return self._run(self.scheduler.get_job(scope, key))

    def policy_of(self, scope: Scope, key: str) -> Policy:
        return self._run(self.scheduler.policy_of(scope, key))

    def find_jobs(
        self, scope: Scope, *, limit: int = 20, offset: int = 0, search: str | None = None
    ) -> Page[Job]:
        return self._run(self.scheduler.find_jobs(scope, limit=limit, offset=offset, search=search))

    def create_calendar(
        self, scope: Scope, key: str, definition: JsonObject, *, actor: str | None = None
    ) -> Calendar:
        return self._run(self.scheduler.create_calendar(scope, key, definition, actor=actor))

    def define_calendar(
        self, scope: Scope, key: str, definition: JsonObject, *, actor: str | None = None
    ) -> Calendar:
        return self._run(self.scheduler.define_calendar(scope, key, definition, actor=actor))

    def update_calendar(
        self,
        scope: Scope,
        key: str,
        changes: JsonObject,
        *,
        version: int | None = None,
        actor: str | None = None,
    ) -> Calendar:
        return self._run(
            self.scheduler.update_calendar(scope, key, changes, version=version, actor=actor)
        )

    def import_calendar(
        self,
        scope: Scope,
        key: str,
        ics: str | bytes,
        *,
        kind: ExceptionKind | str = ExceptionKind.CLOSED,
        replace_all: bool = False,
        actor: str | None = None,
    ) -> Calendar:
        return self._run(
            self.scheduler.import_calendar(
                scope, key, ics, kind=kind, replace_all=replace_all, actor=actor
            )
        )

    def delete_calendar(
        self, scope: Scope, key: str, *, version: int | None = None, actor: str | None = None
    ) -> Calendar:
        return self._run(self.scheduler.delete_calendar(scope, key, version=version, actor=actor))

    def get_calendar(self, scope: Scope, key: str) -> Calendar:
        return self._run(self.scheduler.get_calendar(scope, key))

    def find_calendars(
        self, scope: Scope, *, limit: int = 20, offset: int = 0, search: str | None = None
    ) -> Page[Calendar]:
        return self._run(
            self.scheduler.find_calendars(scope, limit=limit, offset=offset, search=search)
        )

    def calendar_days(
        self, scope: Scope, key: str, first: date | None = None, last: date | None = None
    ) -> CalendarDays:
        return self._run(self.scheduler.calendar_days(scope, key, first, last))

    def workers(self) -> list[Worker]:
        return self._run(self.scheduler.workers())

    def changes(
        self, scope: Scope, *, limit: int = 20, offset: int = 0, ref: Ref | None = None
    ) -> Page[Change]:
        return self._run(self.scheduler.changes(scope, limit=limit, offset=offset, ref=ref))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._thread is None:
                self._thread = _LoopThread()
            thread = self._thread
        return thread.wait_for(work)
