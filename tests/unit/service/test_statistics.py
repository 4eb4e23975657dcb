"""Sums over days, as the statistics page shows them."""

from __future__ import annotations

from datetime import date, timedelta

from tickwright.service.statistics import summed
from tickwright.store.answers import DayStats

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 7)


def test_days_are_summed() -> None:
    days = [
        DayStats(FIRST, 3, 1, 0, timedelta(seconds=40), 10, 8, 2),
        DayStats(LAST, 1, 0, 5, timedelta(seconds=10), 1, 1, 0),
    ]
    total = summed(days, FIRST, LAST)
    assert (total.succeeded, total.failed, total.cancelled, total.total) == (4, 1, 5, 10)
    assert total.average_duration == timedelta(seconds=5)
    assert total.success_rate == 0.4
    assert (total.items_processed, total.items_succeeded, total.items_failed) == (11, 9, 2)
    assert (total.since, total.until) == (FIRST, LAST)


def test_without_a_run_there_is_neither_a_rate_nor_a_duration() -> None:
    nothing = summed([], FIRST, LAST)
    assert (nothing.total, nothing.success_rate, nothing.average_duration) == (0, None, None)
