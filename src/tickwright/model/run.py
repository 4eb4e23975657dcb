"""One time a job happened: the run, its attempts, and how an attempt can end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from tickwright.model.job import DEFAULT_POLICY, Policy
from tickwright.model.json import JsonObject
from tickwright.model.scope import Scope
from tickwright.model.timestamps import to_rfc3339

if TYPE_CHECKING:
    from tickwright.model.report import Listener

MAX_ERROR_BYTES = 8 * 1024


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DEAD = "dead"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    MISSED = "missed"


class Cause(StrEnum):
    """Why a run exists."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    ADMIN = "admin"
    REPLAY = "replay"


class Gate(StrEnum):
    """What a queued run waits for before it may be claimed."""

    TIME = "time"
    OVERLAP = "overlap"
    LIMIT = "limit"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Items:
    """How much a run worked on, as its target reports it (seed 003's JobResult)."""

    processed: int = 0
    succeeded: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt said it has come, in whatever unit it counts; `total` if it knows it."""

    done: float
    total: float | None
    message: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    """One occurrence or one start by hand, and its outcome.

    `nominal_at` is the instant the rule gave; a stretch of undone moments is one row with
    `through_at` and `count`. `reason` says why a run was skipped, missed or cancelled. A replay
    points at the run it repeats. `limit_key` is what its job's limits by key go by, empty when
    they go by none, and None when the job had no limits.
    `progress` is what its newest attempt told last; lists do not tell it.
    """

    id: UUID
    scope: Scope
    schedule_id: UUID | None
    schedule_key: str | None
    job_key: str
    cause: Cause
    status: RunStatus
    nominal_at: datetime
    run_at: datetime
    queue: str
    priority: int
    target: JsonObject
    payload: JsonObject
    attempt: int
    reason: str | None = None
    gate: Gate | None = None
    through_at: datetime | None = None
    count: int = 1
    lost_count: int = 0
    worker_id: UUID | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    result: Any = None
    items: Items = Items()
    triggered_by: str | None = None
    request_key: str | None = None
    cancel_requested_at: datetime | None = None
    replay_of: UUID | None = None
    limit_key: str | None = None
    progress: Progress | None = None

    @property
    def duration(self) -> timedelta | None:
        """How long the last attempt took, once it has ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at


@dataclass(frozen=True, slots=True)
class Attempt:
    """A superseded try of a run; the newest try is the run itself."""

    run_id: UUID
    attempt: int
    outcome: str
    worker_id: UUID | None
    started_at: datetime | None
    finished_at: datetime
    error: str | None


@dataclass(slots=True)
class Claimed:
    """A run in the hands of one worker: what executing it needs, and the fence for finishing it.

    With `serial` another run of its schedule may wait for its end; `claimed_at` is set where it
    matters whether it starts in time; `report` hears what its work tells, once it executes. Not
    frozen, because it is made by the thousand on the hot path.
    """

    id: UUID
    scope: Scope
    schedule_id: UUID | None
    schedule_key: str | None
    job_key: str
    cause: Cause
    nominal_at: datetime
    run_at: datetime
    target: JsonObject
    payload: JsonObject
    attempt: int
    lease_token: int
    lost_count: int = 0
    triggered_by: str | None = None
    policy: Policy = DEFAULT_POLICY
    started_at: datetime | None = None
    worker_id: UUID | None = None
    serial: bool = False
    limit_key: str | None = None
    claimed_at: datetime | None = None
    report: Listener | None = field(default=None, compare=False, repr=False)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of one run, and for the same occurrence made anew."""
        if self.cause is Cause.SCHEDULE and self.schedule_id is not None:
            stamp = to_rfc3339(self.nominal_at)
            return f"s1:{self.scope.key}:{self.schedule_id}:{stamp}"
        kind = "r" if self.cause is Cause.REPLAY else "m"
        return f"s1:{self.scope.key}:{self.schedule_id or self.job_key}:{kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The attempt did its work."""

    result: Any = None
    items: Items = Items()


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed; `retryable` says whether another try can help.

    `ambiguous` says that it may have done its work all the same. `kind` is `stuck` when it was
    stopped because it was silent.
    """

    error: str
    retryable: bool = True
    ambiguous: bool = False
    retry_after: timedelta | None = None
    result: Any = None
    items: Items = Items()
    kind: Literal["failed", "stuck"] = "failed"


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker vanished while it held the run; `started` when the attempt had begun."""

    started: bool


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Somebody asked for the run to stop, and it did."""

    reason: str = "cancelled"


@dataclass(frozen=True, slots=True)
class Snoozed:
    """It was too early: the same attempt begins again after `delay`."""

    delay: timedelta


Outcome = Succeeded | Failed | Lost | Cancelled | Snoozed


@dataclass(slots=True)
class Ending:
    """What is written when an attempt is over: a final status, or another try at `run_at`.

    `status` is `queued` for another try. `attempt` and `lease_token` are the fence.
    """

    run: Claimed
    status: RunStatus
    finished_at: datetime
    outcome: str
    run_at: datetime | None = None
    attempt: int = 1
    lost_count: int = 0
    reason: str | None = None
    error: str | None = None
    result: Any = None
    items: Items = Items()

    @property
    def final(self) -> bool:
        return self.status is not RunStatus.QUEUED

    @property
    def failed(self) -> bool:
        """Whether the run has failed for good."""
        return self.status in (RunStatus.FAILED, RunStatus.DEAD)

    @property
    def breaks_circuit(self) -> bool:
        """Whether it counts towards pausing its schedule."""
        return (
            self.failed
            and self.run.cause is Cause.SCHEDULE
            and self.run.policy.pause_after is not None
        )

    def cancel(self, reason: str) -> None:
        """No other try after all."""
        self.status, self.reason = RunStatus.CANCELLED, reason
        self.run_at, self.attempt = None, self.run.attempt
