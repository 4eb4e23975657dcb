"""Jobs on the wire."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from tickwright.api.wire import Answer, Body, Listed, Paging, ScopeAnswer, scope_answer
from tickwright.model.job import (
    MAX_DELAYS,
    MAX_LIMIT,
    MAX_PATH,
    Ambiguity,
    BackoffKind,
    Job,
    policy_to_json,
)
from tickwright.service.options import MAX_KEY, MAX_NAME

Key = Annotated[str, Field(min_length=1, max_length=MAX_KEY)]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
Duration = Annotated[str, Field(max_length=32, examples=["30s", "15m", "1h30m"])]
# Texts on the wire become these words; strictness would ask for the Python objects.
Kind = Annotated[BackoffKind, Field(strict=False)]
OnAmbiguous = Annotated[Ambiguity, Field(strict=False)]


class BackoffBody(Body):
    """How long to wait after a failed attempt; what is absent has its default."""

    kind: Kind = Field(default=BackoffKind.EXPONENTIAL)
    base: Duration = Field(default="10s")
    factor: float = Field(default=2.0, ge=1, le=100)
    cap: Duration = Field(default="1h", description="No delay is longer.")
    jitter: bool = Field(default=True, description="Half of each delay is random.")
    delays: list[Duration] = Field(
        default=[], max_length=MAX_DELAYS, description="One after the other, for the kind `list`."
    )


class RateBody(Body):
    """How many attempts may begin in any stretch of time that long."""

    starts: Annotated[int, Field(ge=1, le=MAX_LIMIT)]
    per: Duration
    by_key: bool = Field(default=False, description="For each value of `concurrencyKey` by itself.")


class _Policy(Body):
    """What creating and changing have in common; what is absent is left as it is."""

    queue: Annotated[str, Field(min_length=1, max_length=100)] = Field(default="default")
    priority: Annotated[int, Field(ge=1, le=9)] = Field(default=5, description="Higher runs first.")
    max_attempts: Annotated[int, Field(ge=1, le=100)] = Field(default=3)
    backoff: BackoffBody = Field(default=BackoffBody(), description="Given as a whole.")
    timeout: Duration = Field(default="1h", description="Of one attempt; at most 7 days.")
    max_lost: Annotated[int, Field(ge=0, le=100)] = Field(
        default=3, description="How often a run may lose its worker."
    )
    on_ambiguous: OnAmbiguous = Field(
        default=Ambiguity.RETRY,
        description="`fail`: what may have been done, after a timeout or a lost worker, is not"
        " tried again (at most once).",
    )
    dead_letter: bool = Field(
        default=True, description="Whether a run without attempts left is `dead`, or just `failed`."
    )

    concurrency: Limit | None = Field(default=None, description="Running runs of the job.")
    tenant_concurrency: Limit | None = Field(
        default=None,
        description="Running runs of the tenant, of whatever job, up to which one more of this job"
        " may begin.",
    )
    key_concurrency: Limit | None = Field(
        default=None, description="Running runs with the same value of `concurrencyKey`."
    )
    concurrency_key: Annotated[str, Field(min_length=1, max_length=MAX_PATH)] | None = Field(
        default=None,
        description="A field of the payload; fixed when a run is made.",
        examples=["customer.id"],
    )
    rate: RateBody | None = Field(default=None, description="Given as a whole.")
    heartbeat_timeout: Duration | None = Field(
        default=None, description="An attempt that reports nothing for so long is stopped."
    )
    sla_start: Duration | None = Field(
        default=None, description="Starting later than this raises `scheduler.run.late`."
    )
    sla_duration: Duration | None = Field(
        default=None, description="Running longer than this raises `scheduler.run.slow`."
    )
    pause_after: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Final failures in a row after which a schedule is paused."
    )
    keep_for: Duration | None = Field(default=None, description="How long ended runs are kept.")
    keep_last: Limit | None = Field(
        default=None, description="How many ended runs of each schedule are kept."
    )

    def given(self, *without: str) -> dict[str, Any]:
        """What the caller said, by wire name."""
        said = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {name: value for name, value in said.items() if name not in without}


class NewJob(_Policy):
    """A job to define."""

    key: Key


class JobPatch(_Policy):
    """What to change of a job; what is absent stays."""


class JobFilters(Paging):
    """Which jobs to list."""

    search: Annotated[str, Field(max_length=MAX_NAME)] | None = Field(
        default=None, description="A part of the key, in any case."
    )


class BackoffAnswer(Answer):
    """How long to wait after a failed attempt."""

    kind: BackoffKind
    base: str
    factor: float
    cap: str
    jitter: bool
    delays: list[str]


class RateAnswer(Answer):
    """How many attempts may begin in any stretch of time that long."""

    starts: int
    per: str
    by_key: bool


class JobAnswer(Answer):
    """A kind of work and the policy of its runs; durations are texts such as `1h30m`."""

    id: UUID
    scope: ScopeAnswer
    key: str
    queue: str
    priority: int
    max_attempts: int
    backoff: BackoffAnswer
    timeout: str
    max_lost: int
    on_ambiguous: Ambiguity
    dead_letter: bool
    concurrency: int | None
    tenant_concurrency: int | None
    key_concurrency: int | None
    concurrency_key: str | None
    rate: RateAnswer | None
    heartbeat_timeout: str | None
    sla_start: str | None
    sla_duration: str | None
    pause_after: int | None
    keep_for: str | None
    keep_last: int | None
    version: int


class JobList(Listed[JobAnswer]):
    """One page of jobs."""


def job_answer(job: Job) -> JobAnswer:
    policy = policy_to_json(job.policy)
    return JobAnswer(
        id=job.id, scope=scope_answer(job.scope), key=job.key, version=job.version, **policy
    )
