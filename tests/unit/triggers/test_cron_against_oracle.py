"""Cron agrees with a simulation of Debian's cron around every kind of clock change."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.triggers.cron import Cron, CronOptions, cron

from .oracle import clock_changes, firings

CASES = int(os.environ.get("ORACLE_CASES", "5000"))
SEED = int(os.environ.get("ORACLE_SEED", "20260329"))
BATCHES = 15

WINDOW_BEFORE = 30 * 60
WINDOW = 72 * 60
STEPS = 12

# Each with the years in which its clock did something worth asking about.
ZONES = {
    "Africa/Cairo": (2008, 2010, 2014, 2023, 2024, 2026),
    "Africa/Casablanca": (2018, 2024, 2026, 2030),
    "America/Asuncion": (2015, 2020, 2024),
    "America/Caracas": (2007, 2016),
    "America/Havana": (2019, 2026, 2030),
    "America/New_York": (2007, 2026, 2037),
    "America/Nuuk": (2022, 2023, 2024, 2026),
    "America/Santiago": (2019, 2026, 2030),
    "America/Sao_Paulo": (2010, 2015, 2018),
    "America/Scoresbysund": (2023, 2024, 2026),
    "Antarctica/Casey": (2009, 2010, 2018, 2020),
    "Antarctica/Troll": (2015, 2026, 2030),
    "Asia/Amman": (2013, 2019, 2021, 2022),
    "Asia/Beirut": (2010, 2023, 2026),
    "Asia/Gaza": (2011, 2016, 2026),
    "Asia/Jerusalem": (2012, 2026),
    "Asia/Pyongyang": (2015, 2018),
    "Asia/Tehran": (2010, 2016, 2022),
    "Atlantic/Azores": (2010, 2026),
    "Australia/Lord_Howe": (2007, 2026, 2030),
    "Europe/Berlin": (2006, 2026, 2030, 2037),
    "Europe/Dublin": (2012, 2026),
    "Europe/Istanbul": (2015, 2016),
    "Europe/Moscow": (2010, 2011, 2014),
    "Pacific/Apia": (2010, 2011, 2012, 2020),
    "Pacific/Chatham": (2010, 2026, 2030),
    "Pacific/Fakaofo": (2011,),
    "Pacific/Norfolk": (2015, 2019, 2026),
}
QUIET_ZONES = ("Asia/Kathmandu", "UTC")

MINUTES = ("*", "*/5", "*/15", "*/20,7", "0", "30", "0,30", "15-45/10", "0-59", "59", "1,29,31")
HOURS = ("*", "*/2", "*/3", "0", "1", "2", "3", "23", "0-5", "1-4", "2,3", "0-23", "1-23/2", "0,22")
DAYS = ("*", "*", "*", "*", "*/2", "1-15", "25-31", "1,13,30", "1-31")
MONTHS = ("*", "*", "*", "*", "3,10", "JAN-JUN", "*/2", "APR,SEP-NOV")
WEEKDAYS = ("*", "*", "*", "*", "0", "7", "SUN", "1-5", "*/2", "FRI,SAT", "5-7")


def random_case(chance: random.Random) -> tuple[str, str, int]:
    """An expression, a zone, and the minute of one of its clock changes (or of any quiet day)."""
    fields = (MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS)
    minute, hour, *rest = (chance.choice(choices) for choices in fields)
    if chance.random() < 0.3:
        minute = str(chance.randrange(60))
    if chance.random() < 0.3:
        hour = str(chance.randrange(24))
    expression = " ".join((minute, hour, *rest))
    if chance.random() < 0.04:
        return expression, chance.choice(QUIET_ZONES), chance.randrange(20_000_000, 35_000_000)
    zone = chance.choice(sorted(ZONES))
    return expression, zone, chance.choice(clock_changes(zone, chance.choice(ZONES[zone])))


def random_moment(chance: random.Random, change: int) -> datetime:
    """Mostly within hours of the change, sometimes on a minute, sometimes a day away."""
    spread = chance.choice((90, 240, 24 * 60))
    seconds = (change + chance.randint(-spread, spread)) * 60
    moment = datetime.fromtimestamp(seconds, UTC)
    if chance.random() < 0.3:
        return moment
    return moment + timedelta(seconds=chance.randrange(60), microseconds=chance.randrange(10**6))


def every_zone() -> set[str]:
    odd = ("posix/", "right/", "localtime", "posixrules", "Factory")
    return {name for name in available_timezones() if not name.startswith(odd)}


def random_options(chance: random.Random) -> CronOptions:
    """Half of the rules have none, so that Debian's own rule is asked most often."""
    options: CronOptions = {}
    if chance.random() < 0.35:
        options["dst_gap"] = chance.choice(("after", "shift", "skip"))
    if chance.random() < 0.35:
        options["dst_overlap"] = chance.choice(("first", "last", "both"))
    return options


def check_case(chance: random.Random, place: tuple[str, int] | None = None) -> None:
    expression, zone, change = random_case(chance)
    zone, change = place or (zone, change)
    options = random_options(chance)
    first = change - WINDOW_BEFORE
    begin, end = (datetime.fromtimestamp(m * 60, UTC) for m in (first, first + WINDOW))
    fires = [
        datetime.fromtimestamp(minute * 60, UTC)
        for minute in firings(
            expression,
            zone,
            first,
            WINDOW,
            gap=options.get("dst_gap"),
            overlap=options.get("dst_overlap"),
        )
    ]
    try:
        trigger = cron(expression, tz=zone, **options)
    except InvalidInput as refusal:
        told = f"{expression!r} in {zone} with {options}"
        assert "always skips" in refusal.reason and not fires, told  # noqa: PT017, PT018
        return
    moment = random_moment(chance, change)
    told = f"{expression!r} in {zone} with {options} from {moment.isoformat()}"
    check_forwards(trigger, moment, [fire for fire in fires if fire > moment][:STEPS], end, told)
    before = [fire for fire in reversed(fires) if fire < moment][:STEPS]
    check_backwards(trigger, moment, before, begin, told)


def check_forwards(
    trigger: Cron, moment: datetime, expected: list[datetime], end: datetime, told: str
) -> None:
    for step in expected:
        answer = trigger.next_after(moment)
        assert answer == step, told
        moment = answer
    if len(expected) < STEPS:
        answer = trigger.next_after(moment)
        assert answer is None or answer >= end, told


def check_backwards(
    trigger: Cron, moment: datetime, expected: list[datetime], begin: datetime, told: str
) -> None:
    for step in expected:
        answer = trigger.previous_before(moment)
        assert answer == step, f"back: {told}"
        moment = answer
    if len(expected) < STEPS:
        answer = trigger.previous_before(moment)
        assert answer is None or answer < begin, f"back: {told}"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_cron_fires_when_debian_would(batch: int) -> None:
    chance = random.Random(f"{SEED}-{batch}")
    for _ in range(CASES // BATCHES):
        check_case(chance)


def test_cron_is_right_in_every_zone_of_the_database() -> None:
    """Each zone (a quarter of them in the short form), at a change of its clock if it has one."""
    chance = random.Random(SEED)
    zones = sorted(every_zone())
    for zone in zones if CASES >= 100_000 else chance.sample(zones, len(zones) // 4):
        changes = clock_changes(zone, chance.choice((1975, 1991, 2008, 2026)))
        change = chance.choice(changes or [chance.randrange(10_000_000, 35_000_000)])
        check_case(chance, (zone, change))
