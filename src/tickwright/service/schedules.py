"""Creating, changing and reading schedules, and the record of who changed what."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Unpack

from tickwright.engine.owed import Owed
from tickwright.model import event as names
from tickwright.model.change import Change
from tickwright.model.errors import InvalidInput, NotFound
from tickwright.model.event import Event
from tickwright.model.json import JsonObject
from tickwright.model.page import Page
from tickwright.model.schedule import Health, Schedule
from tickwright.model.scope import Scope
from tickwright.service import edits
from tickwright.service.core import Core
from tickwright.service.edits import Declaration, Past, Who
from tickwright.service.health import health_of
from tickwright.service.options import (
    ScheduleOptions,
    check_key,
    check_note,
    check_options,
    check_ref,
    check_trigger,
    made_up_key,
)
from tickwright.service.statistics import Statistics, summed
from tickwright.store.base import Edit, Ref
from tickwright.store.queries import ScheduleQuery
from tickwright.triggers import Trigger

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_log = logging.getLogger("tickwright.scheduler")
Rule = tuple[Trigger | JsonObject, Past, ScheduleOptions]
Decision = Callable[[Schedule | None, Who], Edit | None]
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


class Schedules(Core):
    """The schedules of the scheduler, one scope at a time."""

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

    async def changes(
        self, scope: Scope, *, limit: int = 20, offset: int = 0, ref: Ref | None = None
    ) -> Page[Change]:
        """Audited changes, newest first; with `ref` those of one schedule."""
        resource_id = None if ref is None else (await self.get_schedule(scope, ref)).id
        return await self._store.changes.find(scope, limit, offset, resource_id)

    # Inside

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
