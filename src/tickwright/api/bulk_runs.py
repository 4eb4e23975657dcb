"""Many runs at once: cancel or retry all that some filters match."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from tickwright.api.auth import Caller, CurrentCaller
from tickwright.api.body import JsonRoute
from tickwright.api.errors import documented
from tickwright.api.idempotency import IdempotencyKey, request_key
from tickwright.api.runs import schedule_id_of
from tickwright.api.wire import Answer, Body, OptionalMoment
from tickwright.model.run import Cause, RunStatus
from tickwright.service.bulk import MAX_REQUEST, MOST_AT_ONCE, MOST_REFUSALS, Bulk
from tickwright.service.scheduler import RunQuery

router = APIRouter(prefix="/runs", tags=["runs"], route_class=JsonRoute)

_PROBLEMS = documented(404, 413, 415, 422)
# Texts on the wire become these; strictness would ask for the Python objects.
Id = Annotated[UUID, Field(strict=False)]
Status = Annotated[RunStatus, Field(strict=False)]
CauseWord = Annotated[Cause, Field(strict=False)]


class ManyRuns(Body):
    """Which runs are meant: at least one filter, all of which they match."""

    schedule_id: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        default=None, description="The id or the key of their schedule."
    )
    job_key: Annotated[str, Field(max_length=255)] | None = None
    status: list[Status] = Field(default=[])
    cause: CauseWord | None = None
    queue: Annotated[str, Field(max_length=100)] | None = None
    worker_id: Id | None = None
    replay_of: Id | None = None
    since: OptionalMoment = Field(
        default=None, alias="from", description="Due at this moment or later."
    )
    until: OptionalMoment = Field(default=None, alias="to", description="Due before this moment.")
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = Field(
        default=1000, description="At most so many, the oldest first."
    )
    dry_run: bool = Field(default=False, description="Only count what matches.")

    async def query(self, caller: Caller) -> RunQuery:
        """The runs that are meant; NotFound when there is no such schedule."""
        return RunQuery(
            schedule_id=await schedule_id_of(self.schedule_id, caller),
            job_key=self.job_key,
            statuses=self.status,
            cause=self.cause,
            queue=self.queue,
            worker_id=self.worker_id,
            replay_of=self.replay_of,
            since=self.since,
            until=self.until,
        )


class RetryMany(ManyRuns):
    """Which ended runs to do again; without `status` those that failed or are dead."""

    request_id: Annotated[str, Field(min_length=1, max_length=MAX_REQUEST)] | None = Field(
        default=None, description="With the same id again, no run is repeated twice."
    )


class RefusalAnswer(Answer):
    """A run that was left as it is."""

    id: UUID
    reason: str


class BulkAnswer(Answer):
    """What became of the runs that matched."""

    matched: int = Field(description="How many matched, up to `limit`.")
    done: int
    refused: list[RefusalAnswer] = Field(description=f"The first {MOST_REFUSALS} of the others.")


@router.post("/cancel", responses=_PROBLEMS)
async def cancel_runs(body: ManyRuns, caller: CurrentCaller) -> BulkAnswer:
    """Cancel the queued runs that match, and ask the running ones to stop."""
    query = await body.query(caller)
    return _answer(
        await caller.scheduler.cancel_runs(
            caller.scope, query, limit=body.limit, dry_run=body.dry_run
        )
    )


@router.post("/retry", responses=_PROBLEMS)
async def retry_runs(
    body: RetryMany, caller: CurrentCaller, idempotency_key: IdempotencyKey = None
) -> BulkAnswer:
    """Do again what the ended runs that match did: new runs that point at them (`replayOf`)."""
    query = await body.query(caller)
    return _answer(
        await caller.scheduler.retry_runs(
            caller.scope,
            query,
            limit=body.limit,
            dry_run=body.dry_run,
            triggered_by=caller.actor,
            request_key=request_key(idempotency_key, body.request_id),
        )
    )


def _answer(bulk: Bulk) -> BulkAnswer:
    refused = [RefusalAnswer(id=each.run_id, reason=each.reason) for each in bulk.refused]
    return BulkAnswer(matched=bulk.matched, done=bulk.done, refused=refused)
