"""A job's policy: the defaults that are published, and the bounds of each value."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.model.job import DEFAULT_POLICY, MAX_TIMEOUT, Backoff, Policy

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
