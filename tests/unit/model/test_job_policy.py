"""A job's policy: the defaults that are published, and the bounds of each value."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.model.job import (
    DEFAULT_POLICY,
    MAX_TIMEOUT,
    Backoff,
    Policy,
    Rate,
    policy_from_json,
    policy_to_json,
)

SECOND = timedelta(seconds=1)


def test_a_job_without_a_row_has_the_published_defaults() -> None:
    published = Policy(
        queue="default",
        priority=5,
        max_attempts=3,
        backoff=Backoff(10 * SECOND, 2.0, 3600 * SECOND, jitter=True),
        timeout=3600 * SECOND,
        max_lost=3,
    )
    assert published == DEFAULT_POLICY


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"queue": ""}, "queue"),
        ({"queue": "x" * 101}, "queue"),
        ({"queue": "a\x00b"}, "queue"),
        ({"priority": 0}, "priority"),
        ({"priority": 10}, "priority"),
        ({"max_attempts": 0}, "maxAttempts"),
        ({"max_attempts": 101}, "maxAttempts"),
        ({"timeout": timedelta(0)}, "timeout"),
        ({"timeout": MAX_TIMEOUT + SECOND}, "timeout"),
        ({"max_lost": -1}, "maxLost"),
        ({"max_lost": 101}, "maxLost"),
        ({"concurrency": 0}, "concurrency"),
        ({"tenant_concurrency": 0}, "tenantConcurrency"),
        ({"key_concurrency": 0, "concurrency_key": "a"}, "keyConcurrency"),
        ({"key_concurrency": 1}, "concurrencyKey"),
        ({"rate": Rate(1, SECOND, by_key=True)}, "concurrencyKey"),
        ({"concurrency_key": "customer..id"}, "concurrencyKey"),
        ({"heartbeat_timeout": timedelta(0)}, "heartbeatTimeout"),
        ({"sla_start": timedelta(0)}, "slaStart"),
        ({"sla_duration": MAX_TIMEOUT + SECOND}, "slaDuration"),
        ({"pause_after": 0}, "pauseAfter"),
        ({"keep_for": timedelta(0)}, "keepFor"),
        ({"keep_last": 0}, "keepLast"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Policy(**wrong)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"base": -SECOND}, "backoff"),
        ({"base": 2 * SECOND, "cap": SECOND}, "backoff"),
        ({"factor": 0.5}, "backoff.factor"),
        ({"factor": 101}, "backoff.factor"),
        ({"factor": float("nan")}, "backoff.factor"),
    ],
)
def test_a_backoff_that_makes_no_sense_is_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Backoff(**wrong)
    assert refused.value.field == field


def test_the_bounds_themselves_are_allowed() -> None:
    Policy(queue="x" * 100, priority=1, max_attempts=1, timeout=MAX_TIMEOUT, max_lost=0)
    Policy(priority=9, max_attempts=100, max_lost=100)
    Backoff(base=timedelta(0), factor=1, cap=timedelta(0))


@pytest.mark.parametrize(
    ("starts", "per", "field"),
    [
        (0, SECOND, "rate.starts"),
        (1, timedelta(0), "rate.per"),
        (1, timedelta(days=32), "rate.per"),
    ],
)
def test_a_rate_that_makes_no_sense_is_refused(starts: int, per: timedelta, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Rate(starts, per)
    assert refused.value.field == field


BOUNDS: dict[str, Any] = {
    "concurrency": 3,
    "tenantConcurrency": 10,
    "keyConcurrency": 1,
    "concurrencyKey": "customer.id",
    "rate": {"starts": 100, "per": "1m", "byKey": True},
    "heartbeatTimeout": "30s",
    "slaStart": "10s",
    "slaDuration": "5m",
    "pauseAfter": 4,
    "keepFor": "30d",
    "keepLast": 500,
}


def test_what_is_bounded_survives_being_written_down_and_can_be_given_up() -> None:
    bounded = policy_from_json(BOUNDS)
    assert BOUNDS.items() <= policy_to_json(bounded).items()
    assert policy_from_json(policy_to_json(bounded)) == bounded
    assert bounded.limited
    free = policy_from_json(dict.fromkeys(BOUNDS), bounded)
    assert free == DEFAULT_POLICY
    assert not free.limited


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"concurrency": "3"}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"rate": {"starts": 3}}, "rate.per"),
        ({"rate": {"per": "1m"}}, "rate.starts"),
        ({"rate": {"starts": 3, "per": "1m", "burst": 1}}, "rate.burst"),
        ({"rate": 3}, "rate"),
        ({"heartbeatTimeout": 30}, "heartbeatTimeout"),
    ],
)
def test_a_bound_of_the_wrong_kind_is_refused_by_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        policy_from_json(wrong)
    assert refused.value.field == field
