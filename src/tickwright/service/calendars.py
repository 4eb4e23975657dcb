"""Calendars: which days are open, for the schedules that go by them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from tickwright.model.calendar import (
    Calendar,
    CalendarDefinition,
    ExceptionKind,
    definition_from_json,
    definition_to_json,
)
from tickwright.model.change import Change
from tickwright.model.errors import Conflict, InvalidInput, NotFound, NotPossible, VersionConflict
from tickwright.model.json import JsonObject, checked_text
from tickwright.model.page import Page
from tickwright.model.scope import Scope
from tickwright.service.calendar_users import rewake, users_of
from tickwright.service.core import Core
from tickwright.service.edits import Who
from tickwright.service.options import check_key, check_note, check_ref
from tickwright.store.base import CalendarEdit
from tickwright.store.database import new_id
from tickwright.triggers.calendars import OpenTimes, check_definition
from tickwright.triggers.calendars.ics import exceptions_in
from tickwright.triggers.wallclock.zones import zone_of

MAX_DAYS = 400
SHOWN_DAYS = 31
Decision = Callable[[Calendar | None], CalendarDefinition | None]


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A day of a calendar; `closed` says why it is, `partly` what closes hours of an open one."""

    day: date
    closed: str | None
    partly: str | None


@dataclass(frozen=True, slots=True)
class CalendarDays:
    """Days of a calendar in order; beyond `known_until` its data says nothing any more."""

    days: list[CalendarDay]
    known_until: date | None


class Calendars(Core):
    """The calendars of the scheduler: each scope's own, and the system's, shared with all.

    What says something about a calendar is JSON as the API has it: `timezone`, `weekdays`,
    `holidays`, `exceptions`, `name`, `description`.
    """

    async def create_calendar(
        self, scope: Scope, key: str, definition: JsonObject, *, actor: str | None = None
    ) -> Calendar:
        """A new calendar, Monday to Friday unless it says else; Conflict when the key is taken."""
        wanted = self._definition(definition)

        def created(current: Calendar | None) -> CalendarDefinition:
            if current is not None:
                raise Conflict(f"there is a calendar {key} already")
            return wanted

        return await self._edit_calendar(scope, check_key("key", key), "create", created, actor)

    async def define_calendar(
        self, scope: Scope, key: str, definition: JsonObject, *, actor: str | None = None
    ) -> Calendar:
        """Make the calendar `key` be what `definition` says, whether it exists or not."""
        wanted, name = self._definition(definition), check_key("key", key)
        return await self._edit_calendar(scope, name, "define", lambda _: wanted, actor)

    async def update_calendar(
        self,
        scope: Scope,
        key: str,
        changes: JsonObject,
        *,
        version: int | None = None,
        actor: str | None = None,
    ) -> Calendar:
        """Change parts of a calendar; a list is given as a whole.

        NotFound without such a calendar, NotPossible for a shared one of the system's;
        VersionConflict when it is no longer at `version`.
        """
        if not changes:
            raise InvalidInput("body", "names nothing to change")
        await self._check_own(scope, key)

        def updated(current: Calendar | None) -> CalendarDefinition:
            return definition_from_json(changes, _existing(current, key, version).definition)

        return await self._edit_calendar(scope, key, "update", updated, actor)

    async def import_calendar(
        self,
        scope: Scope,
        key: str,
        ics: str | bytes,
        *,
        kind: ExceptionKind | str = ExceptionKind.CLOSED,
        replace_all: bool = False,
        actor: str | None = None,
    ) -> Calendar:
        """Take exceptions of `kind` from the events of an iCalendar text of at most 1 MiB.

        Those that are there stay unless `replace_all`; the same file again adds nothing. Yearly
        events are repeated ten years ahead. InvalidInput for `ics` says what cannot be read.
        """
        before = _existing(await self._check_own(scope, key), key, None)
        try:
            wanted = ExceptionKind(kind)
        except ValueError:
            raise InvalidInput("kind", f"must be one of {', '.join(ExceptionKind)}") from None
        zone = zone_of(before.definition.timezone, "timezone")
        today = (await self._time.now()).astimezone(zone).date()
        read = await asyncio.to_thread(exceptions_in, ics, zone, wanted, today)

        def imported(current: Calendar | None) -> CalendarDefinition:
            # What was read depends on the zone, so it is for the version that had it.
            definition = _existing(current, key, before.version).definition
            kept = () if replace_all else definition.exceptions
            return replace(definition, exceptions=tuple(dict.fromkeys((*kept, *read))))

        return await self._edit_calendar(scope, key, "import", imported, actor)

    async def delete_calendar(
        self, scope: Scope, key: str, *, version: int | None = None, actor: str | None = None
    ) -> Calendar:
        """Delete a calendar of the scope's own; Conflict while schedules go by it."""
        calendar = await self._check_own(scope, key)
        if calendar is not None:
            async for schedule in users_of(self._store, calendar):
                raise Conflict(f"the schedule {schedule.key} goes by the calendar {key}")

        def deleted(current: Calendar | None) -> None:
            _existing(current, key, version)

        return await self._edit_calendar(scope, key, "delete", deleted, actor)

    async def get_calendar(self, scope: Scope, key: str) -> Calendar:
        """The scope's own calendar of that key, else the system's; NotFound without either."""
        return _existing(await self._store.calendars.get(scope, str(check_ref(key))), key, None)

    async def find_calendars(
        self, scope: Scope, *, limit: int = 20, offset: int = 0, search: str | None = None
    ) -> Page[Calendar]:
        """Own and shared calendars in the order of their keys; `search` looks in those."""
        return await self._store.calendars.find(scope, limit, offset, search)

    async def calendar_days(
        self, scope: Scope, key: str, first: date | None = None, last: date | None = None
    ) -> CalendarDays:
        """Each day from `first` (today there) to `last`, at most 400; open or why it is closed."""
        definition = (await self.get_calendar(scope, key)).definition
        if first is None:
            zone = zone_of(definition.timezone, "timezone")
            first = (await self._time.now()).astimezone(zone).date()
        count = SHOWN_DAYS if last is None else (last - first).days + 1
        if not 1 <= count <= MAX_DAYS:
            raise InvalidInput("to", f"must make 1 to {MAX_DAYS} days with `from`")
        if first.toordinal() + count > date.max.toordinal():
            raise InvalidInput("to", "lies too far ahead")
        times = OpenTimes.of(definition)
        days = [first + timedelta(days=n) for n in range(count)]
        return CalendarDays([_told(times, day) for day in days], times.known_until)

    def _definition(self, given: JsonObject) -> CalendarDefinition:
        base = CalendarDefinition(timezone=self._default_timezone)
        return definition_from_json(given, base)

    async def _check_own(self, scope: Scope, key: str) -> Calendar | None:
        """The calendar that is about to be changed; a shared one is only its owner's to change."""
        found = await self._store.calendars.get(scope, str(check_ref(key)))
        if found is not None and found.scope != scope:
            raise NotPossible(f"the calendar {key} is shared: only the system scope changes it")
        return found

    async def _edit_calendar(
        self, scope: Scope, key: str, action: str, decide: Decision, actor: str | None
    ) -> Calendar:
        who = Who(await self._time.now(), check_note("actor", actor))

        def decided(current: Calendar | None) -> CalendarEdit | None:
            definition = decide(current)
            if current is not None and definition == current.definition:
                return None
            if definition is not None:
                _check(definition, who.now)
            calendar = current or Calendar(new_id(), scope, key, CalendarDefinition(), version=0)
            after = replace(
                calendar,
                version=calendar.version + 1,
                definition=definition or calendar.definition,
            )
            change = _change(current, after, action, who)
            return CalendarEdit(after, change, deletes=definition is None)

        written = await self._store.calendars.write(scope, key, decided)
        if written is None:
            raise NotFound(f"there is no calendar {key}")
        if action != "delete":
            await rewake(self._store, self._runtime.parts.emitter, written, who.now)
            self._runtime.wake("due")
        return written


def _check(definition: CalendarDefinition, now: datetime) -> None:
    check_definition(definition, now.date())
    checked_text("exceptions", definition_to_json(definition))


def _existing(current: Calendar | None, key: str, version: int | None) -> Calendar:
    if current is None:
        raise NotFound(f"there is no calendar {key}")
    if version is not None and current.version != version:
        raise VersionConflict(f"the calendar is at version {current.version}, not {version}")
    return current


def _told(times: OpenTimes, day: date) -> CalendarDay:
    closed = times.closed_on(day)
    return CalendarDay(day, closed, None if closed else times.partly_closed_on(day))


def _change(before: Calendar | None, after: Calendar, action: str, who: Who) -> Change:
    return Change(
        scope=after.scope,
        at=who.now,
        action=action,
        resource="calendar",
        resource_id=after.id,
        resource_key=after.key,
        actor=who.actor,
        before=None if before is None else before.configuration(),
        after=None if action == "delete" else after.configuration(),
        version=after.version,
    )
