"""The fake clock stands still until it is moved, and is always aware and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tickwright import InvalidInput
from tickwright.testing import FakeClock

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def test_it_stands_still_until_it_is_moved() -> None:
    clock = FakeClock(NINE)
    assert [await clock.now(), await clock.now()] == [NINE, NINE]


async def test_it_moves_by_a_duration_backwards_too() -> None:
    clock = FakeClock(NINE)
    assert clock.advance(HOUR) == NINE + HOUR
    assert clock.advance(-3 * HOUR) == NINE - 2 * HOUR
    assert await clock.now() == NINE - 2 * HOUR


async def test_it_moves_to_a_moment_in_any_zone_and_tells_it_in_utc() -> None:
    clock = FakeClock(NINE)
    there = (NINE + HOUR).astimezone(timezone(timedelta(hours=2)))
    assert clock.move_to(there) == NINE + HOUR
    assert (await clock.now()).tzinfo is UTC


@pytest.mark.parametrize("field", ["start", "moment"])
def test_a_naive_moment_is_refused(field: str) -> None:
    naive = datetime(2026, 3, 2, 9, 0)  # noqa: DTZ001 - naive on purpose
    with pytest.raises(InvalidInput) as refused:
        FakeClock(naive) if field == "start" else FakeClock(NINE).move_to(naive)
    assert refused.value.field == field
