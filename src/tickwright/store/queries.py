"""What a list is asked for: filters, order, and how much of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tickwright.model.run import Cause, RunStatus
from tickwright.model.schedule import ScheduleStatus


@dataclass(frozen=True, slots=True)
class ScheduleQuery:
    """Filters and order of a list of schedules; `search` looks in key, name and description."""

    limit: int = 20
    offset: int = 0
    status: ScheduleStatus | None = None
    job_key: str | None = None
    category: str | None = None
    search: str | None = None
    order: str = "-createdAt"


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Filters and order of a list of runs.

    `order` is one of `createdAt`, `nominalAt`, `runAt`, `finishedAt`, turned around by a `-`; the
    default is the newest first, of one schedule the latest instant first. Other orders than by
    `createdAt` need `schedule_id`, or `statuses` of open runs only, so that few rows are sorted.
    `cursor` is the `next_cursor` of the page before: what is inserted meanwhile shifts nothing.
    """

    limit: int = 20
    offset: int = 0
    schedule_id: UUID | None = None
    statuses: Collection[RunStatus] = ()
    job_key: str | None = None
    worker_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    cause: Cause | None = None
    queue: str | None = None
    replay_of: UUID | None = None
    order: str | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines of a run's log: the first behind `after`, or with `newest` the last of all."""

    after: int = 0
    limit: int = 100
    attempt: int | None = None
    newest: bool = False
