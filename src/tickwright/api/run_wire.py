"""Runs on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from tickwright.api.wire import (
    Answer,
    Body,
    JsonObject,
    Listed,
    OptionalMoment,
    Paging,
    ScopeAnswer,
    milliseconds,
    scope_answer,
)
from tickwright.model.run import Attempt, Cause, Gate, Run, RunStatus

RequestId = Annotated[str, Field(min_length=1, max_length=255)]


class NewRun(Body):
    """A job to run now, without a schedule."""

    job_key: Annotated[str, Field(min_length=1, max_length=255)]
    payload: JsonObject = Field(default={})
    target: JsonObject | None = Field(
        default=None, description="Without it the handler named like `jobKey` is called."
    )
    request_id: RequestId | None = Field(
        default=None, description="The same id answers with the run it made before."
    )


class RetryRequest(Body):
    """How to do again what a run did."""

    payload: JsonObject | None = Field(default=None, description="Replaces the run's payload.")
    request_id: RequestId | None = Field(
        default=None, description="The same id answers with the run it made before."
    )


class RunFilters(Paging):
    """Which runs to list."""

    schedule_id: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        default=None, description="The id or the key of their schedule."
    )
    job_key: Annotated[str, Field(max_length=255)] | None = None
    status: list[RunStatus] = Field(default=[], description="May be repeated.")
    worker_id: UUID | None = None
    since: OptionalMoment = Field(
        default=None, alias="from", description="Due at this moment or later."
    )
    until: OptionalMoment = Field(default=None, alias="to", description="Due before this moment.")


class ItemsAnswer(Answer):
    """How much a run worked on, as its target reported it."""

    processed: int
    succeeded: int
    failed: int


class RunAnswer(Answer):
    """One time a job happened, or did not; `cause` and `reason` say why."""

    id: UUID
    scope: ScopeAnswer
    schedule_id: UUID | None
    schedule_key: str | None
    job_key: str
    cause: Cause
    status: RunStatus
    reason: str | None
    nominal_at: datetime = Field(description="The moment its rule gave.")
    through_at: datetime | None = Field(description="The last moment of a stretch left undone.")
    count: int = Field(description="How many moments this row stands for.")
    run_at: datetime = Field(description="When it may start.")
    gate: Gate | None
    queue: str
    priority: int
    target: JsonObject
    payload: JsonObject
    attempt: int
    lost_count: int
    worker_id: UUID | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    error: str | None
    result: Any
    items: ItemsAnswer
    triggered_by: str | None
    request_id: str | None
    cancel_requested_at: datetime | None
    replay_of: UUID | None = Field(description="The run that this one repeats.")
    concurrency_key: str | None = Field(
        description="What its job's limits by key go by; empty for no value, null without limits."
    )


class AttemptAnswer(Answer):
    """A superseded try of a run."""

    attempt: int
    outcome: str
    worker_id: UUID | None
    started_at: datetime | None
    finished_at: datetime
    error: str | None


class RunDetail(RunAnswer):
    """A run with the tries before its newest one, oldest first."""

    attempts: list[AttemptAnswer]


class RunList(Listed[RunAnswer]):
    """One page of runs, newest first."""


def run_answer(run: Run) -> RunAnswer:
    return RunAnswer(**_fields(run))


def run_detail(run: Run, attempts: list[Attempt]) -> RunDetail:
    tries = [
        AttemptAnswer(
            attempt=each.attempt,
            outcome=each.outcome,
            worker_id=each.worker_id,
            started_at=each.started_at,
            finished_at=each.finished_at,
            error=each.error,
        )
        for each in attempts
    ]
    return RunDetail(**_fields(run), attempts=tries)


def _fields(run: Run) -> dict[str, Any]:
    items = run.items
    return {
        "id": run.id,
        "scope": scope_answer(run.scope),
        "schedule_id": run.schedule_id,
        "schedule_key": run.schedule_key,
        "job_key": run.job_key,
        "cause": run.cause,
        "status": run.status,
        "reason": run.reason,
        "nominal_at": run.nominal_at,
        "through_at": run.through_at,
        "count": run.count,
        "run_at": run.run_at,
        "gate": run.gate,
        "queue": run.queue,
        "priority": run.priority,
        "target": dict(run.target),
        "payload": dict(run.payload),
        "attempt": run.attempt,
        "lost_count": run.lost_count,
        "worker_id": run.worker_id,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "duration_ms": milliseconds(run.duration),
        "error": run.error,
        "result": run.result,
        "items": ItemsAnswer(
            processed=items.processed, succeeded=items.succeeded, failed=items.failed
        ),
        "triggered_by": run.triggered_by,
        "request_id": run.request_key,
        "cancel_requested_at": run.cancel_requested_at,
        "replay_of": run.replay_of,
        "concurrency_key": run.limit_key,
    }
