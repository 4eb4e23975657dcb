"""Recurrence rules agree with a day-by-day and a second-by-second reading of RFC 5545."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.triggers.rrule import Rrule, rrule

from .rrule_oracle import DAYS, dates, shown_at, ticks

CASES = int(os.environ.get("ORACLE_CASES", "5000")) // 25
SEED = int(os.environ.get("ORACLE_SEED", "20260329"))
BATCHES = 4
STEPS = 15
YEARS = 6

ZONES = (
    "UTC",
    "Africa/Cairo",
    "America/Havana",
    "America/New_York",
    "Antarctica/Troll",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
)


def some(chance: random.Random, low: int, high: int, *, signed: bool = False) -> str:
    signs = (1, -1) if signed else (1,)
    count = chance.randint(1, 4)
    return ",".join({str(chance.choice(signs) * chance.randint(low, high)) for _ in range(count)})


def random_days(chance: random.Random, *, numbered: bool) -> str:
    count = chance.randint(1, 4)
    days = {chance.choice(DAYS) for _ in range(count)}
    return ",".join(
        (some(chance, 1, 5, signed=True).split(",")[0] if numbered else "") + d for d in days
    )


def random_rule(chance: random.Random, freq: str) -> str:
    """A rule that RFC 5545 allows."""
    parts = [f"FREQ={freq}"]
    if chance.random() < 0.5:
        parts.append(f"INTERVAL={chance.choice((1, 2, 3, 5, 7, 13, 40))}")
    by = []
    if chance.random() < 0.3:
        by.append(f"BYMONTH={some(chance, 1, 12)}")
    if freq != "WEEKLY" and chance.random() < 0.3:
        by.append(f"BYMONTHDAY={some(chance, 1, 31, signed=True)}")
    if freq == "YEARLY" and chance.random() < 0.2:
        by.append(f"BYYEARDAY={some(chance, 1, 366, signed=True)}")
    weeks = freq == "YEARLY" and chance.random() < 0.2
    if weeks:
        by.append(f"BYWEEKNO={some(chance, 1, 51)},{chance.choice((-1, 1, 52, 53))}")
    if chance.random() < 0.5:
        numbered = freq in ("MONTHLY", "YEARLY") and not weeks and chance.random() < 0.5
        by.append(f"BYDAY={random_days(chance, numbered=numbered)}")
    for name, high, share in (("BYHOUR", 23, 0.3), ("BYMINUTE", 59, 0.2), ("BYSECOND", 59, 0.1)):
        if chance.random() < share:
            by.append(f"{name}={some(chance, 0, high)}")
    if by and freq in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY") and chance.random() < 0.3:
        by.append(f"BYSETPOS={some(chance, 1, 6, signed=True)}")
    if chance.random() < 0.3:
        by.append(f"WKST={chance.choice(DAYS)}")
    if chance.random() < 0.3:
        by.append(f"COUNT={chance.randint(1, 20)}")
    chance.shuffle(by)
    return ";".join((*parts, *by))


def random_start(chance: random.Random, year: int) -> datetime:
    moment = datetime(year, 1, 1, chance.choice((0, 1, 2, 2, 3, 9, 23)), chance.choice((0, 30, 45)))  # noqa: DTZ001
    return moment + timedelta(days=chance.randrange(366))


def made(rule: str, start: datetime, zone: str) -> Rrule | None:
    """The trigger; None if it never happens, or nearly so."""
    try:
        return rrule(rule, start=start, tz=zone)
    except InvalidInput:
        return None


def check(trigger: Rrule | None, expected: list[datetime], end: datetime, told: str) -> None:
    """Both directions see what is expected before `end` (naive, in UTC)."""
    if trigger is None:
        assert not expected, told
        return
    wanted = [each.replace(tzinfo=UTC) for each in expected]
    last = wanted[STEPS] if len(wanted) > STEPS else end.replace(tzinfo=UTC)
    wanted = [each for each in wanted if each < last]
    forwards, moment = [], datetime.min.replace(tzinfo=UTC)
    while (answer := trigger.next_after(moment)) is not None and answer < last:
        forwards.append(answer)
        moment = answer
    assert forwards == wanted, told
    backwards, moment = [], last
    while (answer := trigger.previous_before(moment)) is not None:
        backwards.append(answer)
        moment = answer
    assert backwards[::-1] == wanted, told


@pytest.mark.parametrize("batch", range(BATCHES))
def test_rules_by_days_and_slower_follow_the_clock(batch: int) -> None:
    chance = random.Random(f"{SEED}-dates-{batch}")
    for _ in range(CASES // BATCHES):
        rule = random_rule(chance, chance.choice(("DAILY", "WEEKLY", "MONTHLY", "YEARLY")))
        zone = chance.choice(ZONES)
        start = random_start(chance, chance.choice((2009, 2011, 2024, 2026, 2035)))
        end = start + timedelta(days=366 * YEARS)
        shown = (shown_at(each, zone) for each in dates(rule, start, end + timedelta(days=3)))
        expected = sorted({each for each in islice(shown, 3 * STEPS) if each is not None})
        full = len(expected) >= 2 * STEPS
        edge = expected[2 * STEPS - 1] if full else end
        check(
            made(rule, start, zone) if expected else None,
            [each for each in expected if each < edge],
            edge,
            f"{rule} from {start} in {zone}",
        )


@pytest.mark.parametrize("batch", range(BATCHES))
def test_rules_by_hours_and_faster_follow_elapsed_time(batch: int) -> None:
    chance = random.Random(f"{SEED}-ticks-{batch}")
    for _ in range(max(CASES // 2 // BATCHES, 1)):
        rule = random_rule(chance, chance.choice(("HOURLY", "MINUTELY", "SECONDLY")))
        zone, day = chance.choice(
            (
                ("Europe/Berlin", "2026-03-28"),
                ("Europe/Berlin", "2026-10-24"),
                ("Australia/Lord_Howe", "2026-10-03"),
                ("Australia/Lord_Howe", "2026-04-04"),
                ("Antarctica/Troll", "2026-03-28"),
                ("America/Havana", "2026-03-07"),
            )
        )
        start = datetime.fromisoformat(day) + timedelta(minutes=chance.randrange(0, 1440, 15))
        seconds = 2 * 86_400
        expected = list(islice(ticks(rule, start, zone, seconds), STEPS + 1))
        trigger = made(rule, start, zone)
        end = shown_at(start, zone)
        assert end is not None
        if trigger is None:
            assert not expected
        else:
            check(trigger, expected, end + timedelta(seconds=seconds), f"{rule} {start} {zone}")
