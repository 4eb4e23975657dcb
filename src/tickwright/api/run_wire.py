"""Runs on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from tickwright.api.wire import (
    Answer,
    Body,
    JsonObject,
    OptionalMoment,
    Paging,
    ScopeAnswer,
    milliseconds,
    scope_answer,
)
from tickwright.model.page import Page
from tickwright.model.report import Level, LogLine
from tickwright.model.run import Attempt, Cause, Gate, Items, Progress, Run, RunStatus

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


RunSort = Literal[
    "createdAt",
    "-createdAt",
    "nominalAt",
    "-nominalAt",
    "runAt",
    "-runAt",
    "finishedAt",
    "-finishedAt",
]


class RunFilters(Paging):
    """Which runs to list, in which order, and from where on."""

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
    cause: Cause | None = None
    queue: Annotated[str, Field(max_length=100)] | None = None
    replay_of: UUID | None = Field(default=None, description="Those that repeat this run.")
    sort: RunSort | None = Field(
        default=None,
        description="`-` turns it around. By default `-createdAt`, and `-nominalAt` with"
        " `scheduleId`. Others than `createdAt` need `scheduleId`, or a `status` of only `queued`"
        " and `running`.",
    )
    cursor: Annotated[str, Field(max_length=500)] | None = Field(
        default=None,
        description="The `nextCursor` of the page before, instead of `page`: nothing is counted,"
        " and what is added meanwhile shifts nothing.",
    )


class ItemsAnswer(Answer):
    """How much a run worked on, as its target reported it."""

    processed: int
    succeeded: int
    failed: int


class ProgressAnswer(Answer):
    """How far the newest attempt said it has come, in whatever unit it counts."""

    done: float | int
    total: float | int | None
    message: str | None
    at: datetime


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
    progress: ProgressAnswer | None


class LogLineAnswer(Answer):
    """One thing that a run said; `seq` grows, with gaps."""

    seq: int
    attempt: int
    at: datetime
    level: Level
    logger: str | None = Field(description="The name of the logger, if it came from one.")
    text: str


class LogPageAnswer(Answer):
    """A part of a run's log."""

    data: list[LogLineAnswer]
    dropped: int = Field(description="How many older lines were let go of.")
    next: int = Field(description="The `after` of the following page.")


class StatusAnswer(Answer):
    """What a stream tells as `status`: where the run stands."""

    status: RunStatus
    reason: str | None
    gate: Gate | None
    attempt: int
    run_at: datetime
    started_at: datetime | None
    worker_id: UUID | None
    cancel_requested_at: datetime | None
    error: str | None


class ProgressUpdate(Answer):
    """What a stream tells as `progress`."""

    attempt: int
    progress: ProgressAnswer | None
    items: ItemsAnswer


class RunPagination(Answer):
    """Which part of a list this is; of a page by cursor only its size is known."""

    page: int | None
    page_size: int
    total: int | None
    total_pages: int | None
    total_is_exact: bool = Field(
        description="false: there are so many at least; beyond 10,000 nobody counts."
    )


class RunList(Answer):
    """One page of runs."""

    data: list[RunAnswer]
    pagination: RunPagination
    next_cursor: str | None = Field(description="Leads to the next page; none after the last.")


def run_list(found: Page[Run], filters: RunFilters) -> RunList:
    by_cursor = filters.cursor is not None
    pages = -(-found.total // filters.page_size)
    return RunList(
        data=[run_answer(run) for run in found.items],
        pagination=RunPagination(
            page=None if by_cursor else filters.page,
            page_size=filters.page_size,
            total=None if by_cursor else found.total,
            total_pages=None if by_cursor else pages,
            total_is_exact=found.exact,
        ),
        next_cursor=found.next_cursor,
    )


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
    return RunDetail(**_fields(run), attempts=tries, progress=_progress(run.progress))


def line_answer(line: LogLine) -> LogLineAnswer:
    return LogLineAnswer(
        seq=line.seq,
        attempt=line.attempt,
        at=line.at,
        level=line.level,
        logger=line.logger,
        text=line.text,
    )


def status_answer(run: Run) -> StatusAnswer:
    return StatusAnswer(
        status=run.status,
        reason=run.reason,
        gate=run.gate,
        attempt=run.attempt,
        run_at=run.run_at,
        started_at=run.started_at,
        worker_id=run.worker_id,
        cancel_requested_at=run.cancel_requested_at,
        error=run.error,
    )


def progress_answer(run: Run) -> ProgressUpdate:
    progress, items = _progress(run.progress), _items(run.items)
    return ProgressUpdate(attempt=run.attempt, progress=progress, items=items)


def _progress(told: Progress | None) -> ProgressAnswer | None:
    if told is None:
        return None
    return ProgressAnswer(done=told.done, total=told.total, message=told.message, at=told.at)


def _items(items: Items) -> ItemsAnswer:
    return ItemsAnswer(processed=items.processed, succeeded=items.succeeded, failed=items.failed)


def _fields(run: Run) -> dict[str, Any]:
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
        "items": _items(run.items),
        "triggered_by": run.triggered_by,
        "request_id": run.request_key,
        "cancel_requested_at": run.cancel_requested_at,
        "replay_of": run.replay_of,
        "concurrency_key": run.limit_key,
    }
