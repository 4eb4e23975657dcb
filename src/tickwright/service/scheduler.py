"""The one object that library users, API, UI and CLI call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack
from uuid import UUID

from tickwright.engine.hooks import EndHook, StartHook
from tickwright.engine.runtime import Runtime
from tickwright.model import event as names
from tickwright.model.change import Change
from tickwright.model.errors import InvalidInput, NotFound, NotPossible, StoreUnavailable
from tickwright.model.event import Event
from tickwright.model.job import Job, Policy
from tickwright.model.json import JsonObject, checked_object
from tickwright.model.page import Page
from tickwright.model.run import Attempt, Cause, Run
from tickwright.model.schedule import Health, Schedule
from tickwright.model.scope import Scope
from tickwright.model.states import OPEN_RUNS
from tickwright.model.worker import Worker
from tickwright.service import edits
from tickwright.service.edits import Declaration, Past, Who
from tickwright.service.health import health_of
from tickwright.service.options import (
    ScheduleOptions,
    check_key,
    check_note,
    check_options,
    check_ref,
    check_request_key,
    check_trigger,
    made_up_key,
)
from tickwright.service.owed import Owed
from tickwright.service.statistics import Statistics, summed
from tickwright.service.status import Status, system_status
from tickwright.store.base import Edit, NewRun, Ref, RunQuery, ScheduleQuery
from tickwright.store.database import new_id
from tickwright.targets.base import Handlers
from tickwright.triggers import Trigger

__all__ = ["RunQuery", "ScheduleOptions", "ScheduleQuery", "Scheduler"]

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_log = logging.getLogger("tickwright.scheduler")
F = TypeVar("F", bound=Callable[..., Any])
Rule = tuple[Trigger | JsonObject, Past, ScheduleOptions]
Decision = Callable[[Schedule | None, Who], Edit | None]
_PATIENCE_SECONDS = 2.0
_LOOK_SECONDS = 0.5
MAX_DAYS = 365
_EVENTS = {
    "register": names.SCHEDULE_UPDATED,
    "update": names.SCHEDULE_UPDATED,
    "pause": names.SCHEDULE_DISABLED,
    "resume": names.SCHEDULE_ENABLED,
    "cancel": names.SCHEDULE_CANCELLED,
    "delete": names.SCHEDULE_DELETED,
}


@dataclass(frozen=True, slots=True)
class Said:
    """Who asks for an edit, why, and which version they saw."""

    actor: str | None = None
    reason: str | None = None
    version: int | None = None


class Scheduler:
    """Creates, changes and runs schedules, for one scope at a time.

    Use it as `async with scheduler:` to run its engine. Methods that only read or write work
    after `open()` too, without an engine in this process.
    """

    def __init__(
        self,
        runtime: Runtime,
        handlers: Handlers,
        *,
        auto_migrate: bool,
        default_timezone: str = "UTC",
    ) -> None:
        self._runtime = runtime
        self._handlers = handlers
        self._auto_migrate = auto_migrate
        self._default_timezone = default_timezone
        self._store = runtime.parts.store
        self._time = runtime.parts.time

    # Handlers and hooks

    def handler(self, name: str) -> Callable[[F], F]:
        """Serve job `name` with the decorated `fn(tenant_id, payload)` or `fn(…, ctx)`."""

        def decorate(fn: F) -> F:
            self.register_handler(name, fn)
            return fn

        return decorate

    def register_handler(self, name: str, fn: Callable[..., Any]) -> None:
        """Serve job `name` with `fn`, async or not; a second registration replaces the first."""
        self._handlers.register(name, fn)
        if self._runtime.running:
            self._runtime.serve()

    def on_run_start(self, hook: StartHook) -> StartHook:
        """Call `hook(run)` before each attempt; what it raises fails the attempt."""
        self._runtime.parts.hooks.on_start.append(hook)
        return hook

    def on_run_end(self, hook: EndHook) -> EndHook:
        """Call `hook(end)` after each attempt, before its ending is saved (at least once)."""
        self._runtime.parts.hooks.on_end.append(hook)
        return hook

    # Life

    async def open(self) -> None:
        """Reach the database and see that its schema is current (made so where allowed)."""
        await self._store.open()
        if await self._store.upkeep.schema_is_current():
            return
        if not self._auto_migrate:
            raise NotPossible("the database schema is not current: run `tickwright db upgrade`")
        await self._store.upkeep.migrate()

    async def start(self) -> None:
        """Open, then plan and execute in this process until `stop`."""
        await self.open()
        await self._runtime.start()

    async def start_patiently(self) -> None:
        """Start, and while the database is away keep trying."""
        while True:
            try:
                await self.start()
            except StoreUnavailable as error:
                _log.warning("waiting for the database: %s", error)
                await asyncio.sleep(_PATIENCE_SECONDS)
            else:
                return

    async def stop(self) -> None:
        """Drain the engine if it runs, then let go of the database."""
        if self._runtime.running:
            await self._runtime.stop()
        await self._store.close()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self._store.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def migrate(self) -> None:
        """Bring the database schema to this version."""
        await self._store.open()
        await self._store.upkeep.migrate()

    async def status(self) -> Status:
        """Whether this process and its database are fit to work; never raises."""
        try:
            now: datetime | None = await self._time.now()
        except StoreUnavailable:
            now = None
        return await system_status(self._store, self._runtime, now)

    # Schedules

    async def create_schedule(  # noqa: PLR0913 - the call that people type by hand
        self,
        scope: Scope,
        job_key: str,
        trigger: Trigger | JsonObject,
        *,
        key: str | None = None,
        past: Past = "refuse",
        actor: str | None = None,
        connection: AsyncConnection | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> Schedule:
        """Create a schedule that runs `job_key` when `trigger` says.

        `key` names it for people (made up when absent; Conflict when taken). Without `target`
        the handler of the job's name runs. With `connection` (SQLAlchemy) the schedule is
        created inside the caller's own transaction. InvalidInput names what is wrong.
        """
        name = made_up_key(job_key) if key is None else key
        wanted = self._declared(scope, name, job_key, (trigger, past, options))
        return await self._edit(
            scope,
            wanted.key,
            "create",
            lambda now, who: edits.create(now, wanted, who),
            Said(actor),
            connection,
        )

    async def register(
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
        """Create the schedule `key`, or bring what was registered before up to date.

        Idempotent: what somebody overrode since (by `update_schedule`, pause, resume) stays in
        force, and the same interval keeps its anchor.
        """
        wanted = self._declared(scope, key, job_key, (trigger, past, options))
        return await self._edit(
            scope,
            wanted.key,
            "register",
            lambda now, who: edits.register(now, wanted, who),
            Said(actor),
        )

    async def unregister(self, scope: Scope, key: str, *, actor: str | None = None) -> bool:
        """Delete the schedule `key` if there is one; whether there was."""
        try:
            await self.delete_schedule(scope, key, actor=actor)
        except NotFound:
            return False
        return True

    async def update_schedule(
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
        """Override parts of a schedule; VersionConflict when it is no longer at `version`."""
        wishes = check_options(options, self._check_target)
        rule = None if trigger is None else check_trigger(trigger, self._default_timezone)
        if rule is None and not wishes.given:
            raise InvalidInput("body", "names nothing to change")
        return await self._edit(
            scope,
            ref,
            "update",
            lambda now, who: edits.update(now, ref, wishes, rule, who),
            Said(actor, reason, version),
        )

    async def pause_schedule(
        self, scope: Scope, ref: Ref, *, actor: str | None = None, reason: str | None = None
    ) -> Schedule:
        """Let nothing new fire; what is queued or running goes on."""
        return await self._edit(
            scope,
            ref,
            "pause",
            lambda now, who: edits.pause(now, ref, who),
            Said(actor, reason),
        )

    async def resume_schedule(
        self, scope: Scope, ref: Ref, *, actor: str | None = None
    ) -> Schedule:
        """Fire again from now on; what the pause left out stays out."""
        return await self._edit(
            scope, ref, "resume", lambda now, who: edits.resume(now, ref, who), Said(actor)
        )

    async def cancel_schedule(
        self, scope: Scope, ref: Ref, *, actor: str | None = None, reason: str | None = None
    ) -> Schedule | None:
        """End a schedule for good and cancel its queued runs; unknown ones only warn."""
        try:
            return await self._edit(
                scope,
                ref,
                "cancel",
                lambda now, who: edits.cancel(now, ref, who),
                Said(actor, reason),
            )
        except NotFound:
            _log.warning("there is no schedule %s in scope %s to cancel", ref, scope)
            return None

    async def delete_schedule(
        self, scope: Scope, ref: Ref, *, actor: str | None = None
    ) -> Schedule:
        """Delete a schedule and cancel its queued runs; its key is free again, its runs stay."""
        return await self._edit(
            scope, ref, "delete", lambda now, who: edits.delete(now, ref, who), Said(actor)
        )

    async def get_schedule(self, scope: Scope, ref: Ref) -> Schedule:
        """The schedule of that id or key; NotFound when this scope has none."""
        found = await self._store.schedules.get(scope, check_ref(ref))
        if found is None:
            raise NotFound(f"there is no schedule {ref!s}")
        return found

    async def find_schedules(
        self, scope: Scope, query: ScheduleQuery | None = None
    ) -> Page[Schedule]:
        return await self._store.schedules.find(scope, query or ScheduleQuery())

    async def armed(self, scope: Scope) -> dict[str, datetime]:
        """Key to next instant of every schedule that will fire."""
        return await self._store.schedules.armed(scope)

    async def health(self, *schedules: Schedule) -> list[Health]:
        """The health of each, by what live workers serve and how late it is."""
        now = await self._time.now()
        served = await self._store.workers.handlers(now)
        if self._runtime.running:
            served |= set(self._handlers.names)
        return [health_of(schedule, served, now) for schedule in schedules]

    async def statistics(self, scope: Scope, ref: Ref, days: int = 30) -> Statistics:
        """Sums over the last `days` days (1 to 365), today included; UTC days."""
        if not 1 <= days <= MAX_DAYS:
            raise InvalidInput("days", f"must lie between 1 and {MAX_DAYS}")
        schedule = await self.get_schedule(scope, ref)
        today = (await self._time.now()).date()
        since = today - timedelta(days=days - 1)
        rows = await self._store.schedules.days(scope, schedule.id, since)
        return summed(rows, since, today)

    # Runs

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

        A cancelled schedule cannot be run; without `force` only an active one can.
        Conflict while an earlier run is open (under overlap `skip`). The same `request_key`
        answers with the run it made before, so a double click is one run.
        """
        checked = None if payload is None else checked_object("payload", payload)
        by, request = check_note("triggeredBy", triggered_by), check_request_key(request_key)
        new = NewRun(cause, by, request, checked, force)
        now = await self._time.now()
        run = await self._store.runs.add(scope, check_ref(ref), new, now=now)
        self._runtime.wake("ready")
        return run

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

    # Jobs, workers, changes

    async def define_job(
        self, scope: Scope, key: str, policy: Policy, *, actor: str | None = None
    ) -> Job:
        """Set the policy that runs of the job `key` follow; queued runs follow it too."""
        now, actor = await self._time.now(), check_note("actor", actor)
        job = Job(new_id(), scope, check_key("key", key), policy)
        change = Change(scope, now, "define", "job", job.id, key, actor=actor)
        return await self._store.jobs.put(scope, job, change)

    async def get_job(self, scope: Scope, key: str) -> Job | None:
        return await self._store.jobs.get(scope, key)

    async def workers(self) -> list[Worker]:
        return await self._store.workers.all()

    async def changes(
        self, scope: Scope, *, limit: int = 20, offset: int = 0, ref: Ref | None = None
    ) -> Page[Change]:
        """Audited changes, newest first; with `ref` those of one schedule."""
        resource_id = None if ref is None else (await self.get_schedule(scope, ref)).id
        return await self._store.changes.find(scope, limit, offset, resource_id)

    # Inside

    def _check_target(self, target: JsonObject) -> dict[str, Any]:
        if not isinstance(target, Mapping):
            raise InvalidInput("target", "must be a JSON object")
        kind = target.get("type")
        member = self._runtime.parts.targets.get(kind) if isinstance(kind, str) else None
        if member is None:
            known = ", ".join(self._runtime.parts.targets)
            raise InvalidInput("target.type", f"must be one of {known}")
        return member.check(target)

    def _declared(self, scope: Scope, key: str, job_key: str, rule: Rule) -> Declaration:
        trigger, past, options = rule
        return Declaration(
            scope=scope,
            key=check_key("key", key),
            job_key=check_key("jobKey", job_key),
            trigger=check_trigger(trigger, self._default_timezone),
            wishes=check_options(options, self._check_target),
            past=past,
        )

    async def _edit(
        self,
        scope: Scope,
        ref: Ref,
        action: str,
        decide: Decision,
        said: Said,
        connection: AsyncConnection | None = None,
    ) -> Schedule:
        actor = check_note("actor", said.actor)
        who = Who(await self._time.now(), actor, check_note("reason", said.reason))
        edit: Edit | None = None

        def decided(current: Schedule | None) -> Edit | None:
            nonlocal edit
            edits.check_version(current, said.version)
            edit = decide(current, who)
            return edit

        owed = Owed(action, who.now)
        write = self._store.schedules.write
        written = await write(
            scope, check_ref(ref), decided, settle=owed.settle, connection=connection
        )
        if written is None:
            raise NotFound
        self._tell_owed(owed, written)
        if edit is not None:
            self._tell(written, action, who)
        return written

    def _tell_owed(self, owed: Owed, schedule: Schedule) -> None:
        if owed.fired:
            self._runtime.wake("ready")
        for event in owed.events(schedule):
            self._runtime.parts.emitter.emit(event)

    def _tell(self, schedule: Schedule, action: str, who: Who) -> None:
        self._runtime.wake("due")
        data = {"scheduleId": str(schedule.id), "schedule": schedule.key, "actor": who.actor}
        name = names.SCHEDULE_CREATED if schedule.version == 1 else _EVENTS[action]
        self._runtime.parts.emitter.emit(Event(name, who.now, schedule.scope, data))
