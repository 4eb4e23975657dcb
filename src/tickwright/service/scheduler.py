"""The one object that library users, API, UI and CLI call."""

from __future__ import annotations

from tickwright.service.bulk import BulkRuns
from tickwright.service.calendars import Calendars
from tickwright.service.following import Following
from tickwright.service.jobs import Jobs
from tickwright.service.options import ScheduleOptions
from tickwright.service.schedules import Schedules
from tickwright.store.queries import RunQuery, ScheduleQuery

__all__ = ["RunQuery", "ScheduleOptions", "ScheduleQuery", "Scheduler"]


class Scheduler(Schedules, Following, BulkRuns, Jobs, Calendars):
    """Creates, changes and runs schedules, for one scope at a time.

    Use it as `async with scheduler:` to run its engine. Methods that only read or write work
    after `open()` too, without an engine in this process.
    """
