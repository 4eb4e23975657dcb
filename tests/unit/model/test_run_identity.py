"""The idempotency key: one per occurrence, whatever happens to the run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tickwright.model.run import Cause, Claimed, Run, RunStatus
from tickwright.model.scope import SYSTEM, organization, tenant

AT = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
SCHEDULE = UUID("01950000-0000-7000-8000-000000000002")
RUN = UUID("01950000-0000-7000-8000-000000000001")

CLAIMED = Claimed(
    id=RUN,
    scope=tenant("acme"),
    schedule_id=SCHEDULE,
    schedule_key="nightly",
    job_key="report",
    cause=Cause.SCHEDULE,
    nominal_at=AT,
    run_at=AT,
    target={},
    payload={},
    attempt=1,
    lease_token=1,
)


def test_an_automatic_run_is_named_by_schedule_and_instant() -> None:
    assert CLAIMED.idempotency_key == f"s1:acme:{SCHEDULE}:2026-03-29T01:00:00Z"


def test_the_key_is_the_same_for_every_attempt_and_for_the_occurrence_made_anew() -> None:
    again = replace(
        CLAIMED,
        id=UUID(int=1),
        attempt=3,
        lease_token=9,
        lost_count=2,
        run_at=AT + timedelta(hours=1),
        schedule_key="renamed",
    )
    assert again.idempotency_key == CLAIMED.idempotency_key


def test_another_instant_or_scope_is_another_key() -> None:
    keys = {
        CLAIMED.idempotency_key,
        replace(CLAIMED, nominal_at=AT + timedelta(seconds=1)).idempotency_key,
        replace(CLAIMED, scope=organization("acme", "north")).idempotency_key,
        replace(CLAIMED, scope=SYSTEM).idempotency_key,
    }
    assert len(keys) == 4


def test_a_run_by_hand_has_a_key_of_its_own() -> None:
    by_hand = replace(CLAIMED, cause=Cause.MANUAL)
    assert by_hand.idempotency_key == f"s1:acme:{SCHEDULE}:m:{RUN}"
    assert replace(by_hand, schedule_id=None).idempotency_key == f"s1:acme:report:m:{RUN}"


def test_a_run_has_a_duration_once_it_has_ended() -> None:
    run = Run(
        id=RUN,
        scope=tenant("acme"),
        schedule_id=SCHEDULE,
        schedule_key="nightly",
        job_key="report",
        cause=Cause.SCHEDULE,
        status=RunStatus.RUNNING,
        nominal_at=AT,
        run_at=AT,
        queue="default",
        priority=5,
        target={},
        payload={},
        attempt=1,
        started_at=AT,
    )
    assert run.duration is None
    assert replace(run, finished_at=AT + timedelta(seconds=5)).duration == timedelta(seconds=5)
