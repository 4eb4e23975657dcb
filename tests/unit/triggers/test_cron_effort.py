"""No expression, however strange, costs more than a bounded number of steps or leads backwards."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import TriggerError
from tickwright.triggers.cron import Cron, cron

from .test_cron_expressions import BAD_EXPRESSIONS

# A call costs well under a microsecond: these stand for some 10 and 1 milliseconds at most.
CALLS_TO_READ = 20_000
CALLS_TO_STEP = 1_000

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)


def calls_during(action: Callable[[], object]) -> int:
    """How many functions, in Python or C, were called: the same on any machine."""
    count = 0

    def counting(_frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    previous = sys.getprofile()
    sys.setprofile(counting)
    try:
        action()
    except InvalidInput:
        pass
    finally:
        sys.setprofile(previous)
    return count


@pytest.fixture(scope="module", autouse=True)
def _zones_are_known() -> None:
    cron("* * * * *", tz="Europe/Berlin")


@pytest.mark.parametrize("expression", BAD_EXPRESSIONS)
def test_refusing_an_expression_is_cheap(expression: str) -> None:
    assert calls_during(lambda: Cron(expression, "Europe/Berlin")) < CALLS_TO_READ


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("0 0 */28 2 1#5", "Europe/Berlin"),
        ("0 0 29 2 1#5", "Pacific/Apia"),
        ("* 2 * 3 0L", "Europe/Berlin"),
        ("* 2 * 3 0L", "UTC"),
        ("*/10 0 * 4 5L", "Africa/Cairo"),
        ("0-59,0-59,0-59,0-59,0-59,0-59,0-59,0-59,0-59,0-59,0-59,0-59 * * * *", "UTC"),
        ("* * * * * *", "Australia/Lord_Howe"),
        ("59 59 23 31 12 7#5", "America/New_York"),
        ("0 0 LW,L,31,1-30/2 2,4 6#5,5L,0", "Asia/Beirut"),
    ],
)
def test_reading_and_stepping_are_cheap(expression: str, zone: str) -> None:
    assert calls_during(lambda: Cron(expression, zone)) < CALLS_TO_READ
    try:
        trigger = Cron(expression, zone)
    except InvalidInput:
        return
    for days in (0, 28, 235, 240, 20_000):
        moment = MOMENT + timedelta(days=days)
        assert calls_during(lambda at=moment: trigger.next_after(at)) < CALLS_TO_STEP  # type: ignore[misc]
        assert calls_during(lambda at=moment: trigger.previous_before(at)) < CALLS_TO_STEP  # type: ignore[misc]


class Backwards:
    """A rule that goes wrong."""

    def at_or_after(self, start: datetime) -> datetime:
        return start - timedelta(days=1)

    def at_or_before(self, start: datetime) -> datetime:
        return start + timedelta(days=1)


def test_an_answer_that_is_not_later_is_an_error_instead_of_a_loop() -> None:
    trigger = cron("0 9 * * *")
    object.__setattr__(trigger, "_found", trigger._found._replace(rule=Backwards()))
    with pytest.raises(TriggerError, match="not after"):
        trigger.next_after(MOMENT)
    with pytest.raises(TriggerError, match="not before"):
        trigger.previous_before(MOMENT)
