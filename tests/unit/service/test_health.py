"""A schedule's health: the worst that is known, and never in the way of its status."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tickwright.model.schedule import CIRCUIT, Health, Schedule, Stats
from tickwright.service.health import health_of

from .support import HOUR, MINUTE, NOW, SECOND, WHOLE, created, ended, once, paused, with_cursor

SERVED = {"report"}


def test_a_schedule_that_will_run_is_ok() -> None:
    assert health_of(created(), SERVED, NOW) is Health.OK


def test_a_handler_that_nobody_serves_is_told() -> None:
    assert health_of(created(), {"other"}, NOW) is Health.NO_HANDLER


def test_a_target_that_needs_no_handler_is_never_without_one() -> None:
    elsewhere = {"type": "http", "service": "email-service", "endpoint": "/run"}
    assert health_of(replace(created(), target=elsewhere), set(), NOW) is Health.OK


@pytest.mark.parametrize(("late", "health"), [(MINUTE, Health.OK), (MINUTE + SECOND, Health.LATE)])
def test_an_occurrence_nobody_decided_is_late_after_a_minute(
    late: timedelta, health: Health
) -> None:
    assert health_of(once(HOUR), SERVED, WHOLE + HOUR + late) is health


def test_a_schedule_that_waits_for_nothing_is_not_late() -> None:
    assert health_of(paused(created()), SERVED, NOW + 999 * HOUR) is Health.OK
    assert health_of(ended(once()), SERVED, NOW + 999 * HOUR) is Health.OK


def test_failures_since_the_last_success_are_told() -> None:
    assert health_of(replace(created(), stats=Stats(failure_streak=1)), SERVED, NOW) is (
        Health.FAILING
    )


def test_a_schedule_that_its_failures_paused_has_an_open_circuit() -> None:
    assert health_of(replace(paused(created()), status_reason=CIRCUIT), set(), NOW) is (
        Health.CIRCUIT_OPEN
    )
    assert health_of(replace(created(), status_reason=CIRCUIT), SERVED, NOW) is Health.OK


def test_of_several_troubles_the_worst_is_told() -> None:
    late = NOW + 99 * HOUR
    failing = replace(created(), stats=Stats(failure_streak=2))
    broken = with_cursor(failing, next_run_at=None, parked="ValueError: no such month")

    def told(schedule: Schedule, served: set[str]) -> Health:
        return health_of(schedule, served, late)

    assert told(broken, set()) is Health.SPEC_ERROR
    assert told(failing, set()) is Health.NO_HANDLER
    assert told(failing, SERVED) is Health.LATE
