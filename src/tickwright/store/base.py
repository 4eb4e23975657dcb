"""The storage contracts: what the engine and the service may ask of a database.

A store is a bundle of narrow contracts. User-facing methods take `scope` first and never see
another scope's rows; engine-facing ones take `now`, for the store never reads a clock itself.

One shape carries every change that has to be decided on what is stored: the store reads the
rows under their locks, calls a *pure* function with them, and writes what it answers, all in one
transaction. The function may be called again from the start when another writer was quicker, so
it must have no effects of its own. No connection, transaction or row leaves a store, except the
caller's own connection where a method accepts one: then the statements join the caller's
transaction and become visible when the caller commits.

When the database cannot be reached every method raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from tickwright.model.calendar import Calendar
from tickwright.model.change import Change
from tickwright.model.clock import Clock
from tickwright.model.job import Job
from tickwright.model.json import JsonObject
from tickwright.model.page import Page
from tickwright.model.plan import Due, Plan
from tickwright.model.report import LogPage, Report
from tickwright.model.run import Attempt, Cause, Claimed, Ending, Run
from tickwright.model.schedule import Cursor, Schedule
from tickwright.model.scope import Scope
from tickwright.model.worker import Worker, WorkerStatus
from tickwright.store.answers import DayStats, Fired, Overdue, Pruned
from tickwright.store.queries import LogQuery, RunQuery, ScheduleQuery

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

Ref = UUID | str
"""A schedule's id or its key."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What a decision makes of a schedule: its new state, and the change to record."""

    schedule: Schedule
    change: Change
    cancel_queued: bool = False


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to add beside the automatic ones."""

    cause: Cause
    triggered_by: str | None = None
    request_key: str | None = None
    payload: dict[str, object] | None = None
    force: bool = True


@dataclass(frozen=True, slots=True)
class Work:
    """What a run without a schedule does."""

    job_key: str
    target: JsonObject
    handler: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker can take on at this moment: which queues and handlers, how many runs."""

    worker_id: UUID
    queues: tuple[str, ...]
    handlers: tuple[str, ...]
    slots: int


@dataclass(frozen=True, slots=True)
class JobEdit:
    """What to write of a job, or that it goes, and the change that says so."""

    job: Job
    change: Change
    deletes: bool = False


@dataclass(frozen=True, slots=True)
class CalendarEdit:
    """What to write of a calendar, or that it goes, and the change that says so."""

    calendar: Calendar
    change: Change
    deletes: bool = False


DecideCalendar = Callable[[Calendar | None], CalendarEdit | None]
DecideJob = Callable[[Job | None], JobEdit | None]
Decide = Callable[[Schedule | None], Edit | None]
MoveCursor = Callable[[Schedule], Cursor | None]
PlanDue = Callable[[Due], Plan]


@dataclass(frozen=True, slots=True)
class Settle:
    """How to decide what a schedule owes at `now`, before it is changed."""

    now: datetime
    plan: PlanDue


EndLost = Callable[[Claimed], Ending]
Wake = Callable[[str], None]


class Schedules(Protocol):
    """Configuration, cursor and counters of schedules."""

    async def write(
        self,
        scope: Scope,
        ref: Ref,
        decide: Decide,
        *,
        settle: Settle | None = None,
        connection: AsyncConnection | None = None,
    ) -> Schedule | None:
        """Read the live schedule `ref` under lock, decide, write schedule, cursor and change.

        With `settle` what came due up to its `now` is decided first, by the rule as it stands
        and as `fire` would. `decide` is given None when there is no such schedule; answering
        None changes nothing. Locks are taken schedule first, then cursor. A change of status
        begins the count of failures that open its circuit anew. Returns the schedule as it then
        is.
        """
        ...

    async def move(self, scope: Scope, ref: Ref, decide: MoveCursor) -> Schedule | None:
        """Read as `write` does, and write the cursor that `decide` answers, if any; no change.

        The schedule as it then is, None when it was not moved.
        """
        ...

    async def timed(self, after: UUID, limit: int, scope: Scope | None) -> list[Schedule]:
        """Up to `limit` live schedules with a timing of their own, by id, beyond `after`.

        Those of `scope`, or without one of all: the system's calendars are for everybody.
        """
        ...

    async def get(self, scope: Scope, ref: Ref) -> Schedule | None: ...

    async def find(self, scope: Scope, query: ScheduleQuery) -> Page[Schedule]: ...

    async def armed(self, scope: Scope) -> dict[str, datetime]:
        """Key to next instant, of every schedule that has one."""
        ...

    async def days(self, scope: Scope, schedule_id: UUID, since: date) -> list[DayStats]:
        """The schedule's daily roll-ups from `since` on, oldest first."""
        ...

    async def tripped(self, limit: int) -> list[tuple[Scope, UUID]]:
        """Up to `limit` active schedules, of all scopes, whose runs failed too often in a row."""
        ...

    async def count(self) -> int:
        """How many live schedules there are in all scopes."""
        ...


class Jobs(Protocol):
    """Policies by job key."""

    async def get(self, scope: Scope, key: str) -> Job | None: ...

    async def find(
        self, scope: Scope, limit: int, offset: int, search: str | None = None
    ) -> Page[Job]:
        """In the order of their keys; `search` looks in those."""
        ...

    async def write(self, scope: Scope, key: str, decide: DecideJob) -> Job | None:
        """Let `decide` see the job under lock, and write what it wants with its change.

        The job as it is then, or was when it is deleted; None when there is none.
        """
        ...


class Calendars(Protocol):
    """Calendars by key: a scope's own, and the system's, which every scope may read."""

    async def get(self, scope: Scope, key: str) -> Calendar | None:
        """The scope's own, else the shared one."""
        ...

    async def resolve(self, scope: Scope, keys: Collection[str]) -> dict[str, Calendar]:
        """What the keys mean in this scope, as `get` has it; unknown ones are absent."""
        ...

    async def find(
        self, scope: Scope, limit: int, offset: int, search: str | None = None
    ) -> Page[Calendar]:
        """Own and shared in the order of their keys, own first; `search` looks in the keys."""
        ...

    async def write(self, scope: Scope, key: str, decide: DecideCalendar) -> Calendar | None:
        """Let `decide` see the scope's own calendar under lock; write what it wants, and why.

        The calendar as it is then, or was when it is deleted; None when there is none.
        """
        ...


class Runs(Protocol):
    """Runs as users see them."""

    async def add(self, scope: Scope, ref: Ref, new: NewRun, *, now: datetime) -> Run:
        """Queue one run of a schedule by hand.

        NotFound without such a schedule; NotPossible when it is cancelled, allows no starts by
        hand or, without `new.force`, is not active. Under overlap `skip` an open run is a
        Conflict, decided under the cursor's lock. The same `request_key` answers with the run it
        made before, and is a Conflict when that was another schedule's.
        """
        ...

    async def start(self, scope: Scope, work: Work, new: NewRun, *, now: datetime) -> Run:
        """Queue one run without a schedule.

        The same `request_key` answers with the run it made before, and is a Conflict when that
        did something else.
        """
        ...

    async def replay(self, scope: Scope, run_id: UUID, new: NewRun, *, now: datetime) -> Run | None:
        """Queue a new run of what an ended one did; None without such a run.

        NotPossible when it has not ended, or never was one to execute. The overlap policy of its
        schedule holds as for a start by hand.
        """
        ...

    async def get(self, scope: Scope, run_id: UUID) -> Run | None: ...

    async def find(self, scope: Scope, query: RunQuery) -> Page[Run]:
        """InvalidInput when the order or the cursor does not fit the query."""
        ...

    async def matching(self, scope: Scope, query: RunQuery, limit: int) -> list[UUID]:
        """Up to `limit` runs that the query's filters match, the oldest first."""
        ...

    async def attempts(self, scope: Scope, run_id: UUID) -> list[Attempt]: ...

    async def cancel(self, scope: Scope, run_id: UUID, *, now: datetime) -> Run | None:
        """A queued run is cancelled at once; a running one is asked to stop."""
        ...

    async def cancel_all(
        self, scope: Scope, run_ids: Sequence[UUID], *, now: datetime
    ) -> dict[UUID, str]:
        """Cancel each as `cancel` does, all in one transaction; which could not be, and why."""
        ...

    async def replay_all(
        self, scope: Scope, run_ids: Sequence[UUID], new: NewRun, *, now: datetime
    ) -> dict[UUID, str]:
        """Replay each as `replay` does, some at a time; which could not be, and why.

        A `request_key` stands for each of them by itself: the same one makes no run twice.
        """
        ...


class Reports(Protocol):
    """What runs told while they ran; their progress comes with the run itself."""

    async def lines(self, scope: Scope, run_id: UUID, query: LogQuery) -> LogPage:
        """A part of the run's log, oldest first."""
        ...


class Changes(Protocol):
    """The audited changes; they are written by the methods that make them."""

    async def find(
        self, scope: Scope, limit: int, offset: int, resource_id: UUID | None = None
    ) -> Page[Change]: ...


class Firing(Protocol):
    """Turning due occurrences into runs."""

    async def fire(self, now: datetime, limit: int, plan: PlanDue, offer: Offer | None) -> Fired:
        """Decide up to `limit` due schedules in one transaction.

        Due cursors that no other planner holds are locked, `plan` decides each, cursors move and
        decision rows appear together. An automatic run exists at most once per schedule and
        instant, whatever `plan` answers. Runs that fit `offer` are born claimed, unless older
        ready work waits.
        """
        ...

    async def next_due(self) -> datetime | None:
        """The earliest instant at which an occurrence or a waiting run comes due."""
        ...


class Queue(Protocol):
    """Handing runs to workers and taking the results."""

    async def lift(self, now: datetime) -> int:
        """Open the gate of runs that waited for a time that has come; how many."""
        ...

    async def claim(self, offer: Offer, now: datetime) -> list[Claimed]:
        """Up to `offer.slots` ready runs, now leased to the worker.

        Only a worker whose own lease is live gets any. Tenants take turns; within one tenant
        higher priority comes first, then the earlier run. Two workers never get one run.
        """
        ...

    async def started(self, runs: Sequence[Claimed]) -> int:
        """Record `started_at` of runs still under way, and of how many; a stale lease of none."""
        ...

    async def finish(self, endings: Sequence[Ending]) -> set[UUID]:
        """Write how attempts ended, with counters and roll-ups; which of them were accepted.

        An ending is accepted only while its run is running under the same attempt and lease
        token. A spent schedule whose last run ended becomes completed or failed.
        """
        ...

    async def release(self, runs: Sequence[Claimed], now: datetime) -> None:
        """Hand back runs that were claimed but not started; it costs them no attempt."""
        ...

    async def held(self, worker_id: UUID) -> list[Claimed]:
        """The runs that are running in this worker's name."""
        ...

    async def rescue(self, now: datetime, limit: int, end: EndLost) -> list[Ending]:
        """End up to `limit` attempts whose worker's lease is over, as `end` decides."""
        ...

    async def overdue(self, now: datetime, limit: int) -> Overdue:
        """Runs still waiting that became late before `now`, each in one answer only.

        About `limit` of them; then `through` lies before `now`, and there are more.
        """
        ...


class Reporting(Protocol):
    """Keeping what runs tell while they run."""

    async def save(self, reports: Sequence[Report]) -> list[Report]:
        """Write these, and answer with those that were accepted; each may be written again.

        Accepted is what comes from a run that is running under the same attempt and lease token.
        """
        ...


class Workers(Protocol):
    """The processes that execute runs."""

    async def register(self, worker: Worker) -> None: ...

    async def beat(
        self, worker: Worker, now: datetime, lease: timedelta
    ) -> Collection[UUID] | None:
        """Renew the lease; the ids of its runs that somebody asked to cancel.

        None when the worker was declared offline: what it held is no longer its own.
        """
        ...

    async def mark(self, worker_id: UUID, status: WorkerStatus) -> None: ...

    async def expire(self, now: datetime) -> list[Worker]:
        """Declare offline every worker whose lease is over; which ones."""
        ...

    async def forget(self, before: datetime) -> int:
        """Delete the workers whose leases were over before that; how many."""
        ...

    async def all(self) -> list[Worker]: ...

    async def handlers(self, now: datetime) -> set[str]:
        """The names of handlers that live workers serve."""
        ...


class Upkeep(Protocol):
    """What keeps the database itself in order."""

    async def migrate(self) -> None:
        """Bring the schema to this version; safe when several processes try at once."""
        ...

    async def schema_is_current(self) -> bool: ...

    async def ping(self) -> None:
        """Answer, or raise StoreUnavailable."""
        ...

    async def hold(self, duty: str, holder: UUID, now: datetime, until: datetime) -> bool:
        """Take or renew the lease on a duty that one process at a time does."""
        ...

    async def holder(self, duty: str, now: datetime) -> UUID | None: ...

    async def prune_old(
        self, now: datetime, keep: timedelta, limit: int, after: UUID | None = None
    ) -> Pruned:
        """Of the `limit` oldest runs after `after`, delete those that ended too long ago.

        That is longer than their job's `keep_for`, or `keep`. Roll-ups stay, and so do open runs,
        what is not decided yet, and the newest failure of each schedule.
        """
        ...

    async def prune_excess(self, most: int, limit: int, after: UUID | None = None) -> Pruned:
        """Delete up to `limit` ended runs that some schedules have too many of.

        The next schedules after `after` are looked at: each keeps the latest `keep_last` of its
        job, or `most` (0: all), and what `prune_old` keeps.
        """
        ...


@dataclass(frozen=True, slots=True)
class Store:
    """One database behind the contracts above.

    `clock` is the one its processes agree by. `watch` runs until cancelled and calls its
    argument with a topic (`due`, `ready`, `cancel`) when another process changed something; a
    lost notification only delays, it is never needed for correctness.
    """

    schedules: Schedules
    jobs: Jobs
    calendars: Calendars
    runs: Runs
    reports: Reports
    changes: Changes
    firing: Firing
    queue: Queue
    reporting: Reporting
    workers: Workers
    upkeep: Upkeep
    clock: Clock
    watch: Callable[[Wake], Awaitable[None]]
    open: Callable[[], Awaitable[None]]
    close: Callable[[], Awaitable[None]]
    dialect: str
