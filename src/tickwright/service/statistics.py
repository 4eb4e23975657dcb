"""Sums over a schedule's days. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from tickwright.store.answers import DayStats


@dataclass(frozen=True, slots=True)
class Statistics:
    """Finished runs of the days `since` to `until`, both included, in UTC."""

    since: date
    until: date
    succeeded: int
    failed: int
    cancelled: int
    average_duration: timedelta | None
    items_processed: int
    items_succeeded: int
    items_failed: int

    @property
    def total(self) -> int:
        return self.succeeded + self.failed + self.cancelled

    @property
    def success_rate(self) -> float | None:
        """Successes among all finished runs, 0 to 1; none when there was no run."""
        return self.succeeded / self.total if self.total else None


def summed(days: Sequence[DayStats], since: date, until: date) -> Statistics:
    runs = sum(day.succeeded + day.failed + day.cancelled for day in days)
    duration = sum((day.duration for day in days), timedelta(0))
    return Statistics(
        since=since,
        until=until,
        succeeded=sum(day.succeeded for day in days),
        failed=sum(day.failed for day in days),
        cancelled=sum(day.cancelled for day in days),
        average_duration=duration / runs if runs else None,
        items_processed=sum(day.items_processed for day in days),
        items_succeeded=sum(day.items_succeeded for day in days),
        items_failed=sum(day.items_failed for day in days),
    )
