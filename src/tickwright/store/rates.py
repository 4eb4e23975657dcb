"""How much of a rate is used up, and when it opens again. Pure.

A start that is used comes back one period later, so in no stretch of time that long begin more
than the rate allows; a token bucket that refills evenly would let twice as many through. What
comes back is kept in a few dozen slots, each rounded to its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from tickwright.model.job import Rate
from tickwright.store.schema import from_micros, to_micros

Used = list[tuple[int, int]]
"""When so many starts come back, in microseconds since 1970, soonest first."""

_SLOTS = 50
_MICROSECOND = timedelta(microseconds=1)


def still_used(rate: Rate, used: Iterable[tuple[int, int]], now: datetime) -> Used:
    """What has not come back by `now`; nothing takes longer than the rate's period."""
    start, latest = to_micros(now), _back_at(rate, now)
    return sorted((min(at, latest), count) for at, count in used if at > start)


def spend(rate: Rate, used: Used, starts: int, now: datetime) -> Used:
    """`used` and so many starts more."""
    back_at = _back_at(rate, now)
    already = sum(count for at, count in used if at == back_at)
    return sorted([*(each for each in used if each[0] != back_at), (back_at, already + starts)])


def in_use(used: Used) -> int:
    return sum(count for _, count in used)


def opens_at(rate: Rate, used: Used) -> datetime | None:
    """When the next start comes back, if there is none left."""
    return from_micros(used[0][0]) if used and in_use(used) >= rate.starts else None


def _back_at(rate: Rate, now: datetime) -> int:
    """One period from now, rounded up to a slot."""
    period = rate.per // _MICROSECOND
    slot = max(1, period // _SLOTS)
    return -(-(to_micros(now) + period) // slot) * slot
