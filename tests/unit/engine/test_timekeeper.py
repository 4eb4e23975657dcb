"""Time between two readings of the clock: the last answer plus what has passed since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tickwright.engine.timekeeper import Timekeeper

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Wall:
    """A clock whose answers take a while, beside the time that really passes."""

    def __init__(self) -> None:
        self.passed = 100.0
        self.takes = 0.0
        self.ahead = timedelta(0)

    def monotonic(self) -> float:
        return self.passed

    async def now(self) -> datetime:
        answer = NINE + timedelta(seconds=self.passed - 100) + self.ahead
        self.passed += self.takes
        return answer


def kept() -> tuple[Wall, Timekeeper]:
    wall = Wall()
    return wall, Timekeeper(wall, wall.monotonic)


async def test_a_stamp_goes_on_from_the_last_reading() -> None:
    wall, time = kept()
    assert await time.now() == NINE
    wall.passed += 2.5
    assert time.stamp() == NINE + 2.5 * SECOND


async def test_a_new_reading_corrects_what_was_assumed() -> None:
    wall, time = kept()
    await time.now()
    for ahead in (timedelta(hours=1), -timedelta(hours=1)):
        wall.ahead = ahead
        assert await time.now() == NINE + ahead
        assert time.stamp() == NINE + ahead


async def test_an_answer_that_was_long_on_its_way_does_not_set_stamps_back() -> None:
    wall, time = kept()
    await time.now()
    wall.takes = 3.0
    assert await time.now() == NINE
    assert time.stamp() == NINE + 3 * SECOND
