"""RFC 5545, day by day and second by second; shares no code, parser or library with the package."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
DAY = timedelta(days=1)


class Rule:
    """The parts of a rule, in the plainest way."""

    def __init__(self, text: str, start: datetime) -> None:
        parts = dict(part.split("=") for part in text.split(";"))
        self.start = start
        self.freq = parts["FREQ"]
        self.interval = int(parts.get("INTERVAL", 1))
        self.count = int(parts["COUNT"]) if "COUNT" in parts else None
        self.week_start = DAYS.index(parts.get("WKST", "MO"))
        self.days = [(int(d[:-2] or 0), DAYS.index(d[-2:])) for d in _split(parts, "BYDAY")]
        numbers = {
            name: [int(value) for value in _split(parts, name)]
            for name in (
                "BYMONTH",
                "BYMONTHDAY",
                "BYYEARDAY",
                "BYWEEKNO",
                "BYSETPOS",
                "BYHOUR",
                "BYMINUTE",
                "BYSECOND",
            )
        }
        self.months, self.month_days = numbers["BYMONTH"], numbers["BYMONTHDAY"]
        self.year_days, self.weeks = numbers["BYYEARDAY"], numbers["BYWEEKNO"]
        self.places = numbers["BYSETPOS"]
        self.hours, self.minutes = numbers["BYHOUR"], numbers["BYMINUTE"]
        self.seconds = numbers["BYSECOND"]
        if self.freq in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
            self._take_from_start()

    def _take_from_start(self) -> None:
        if not (self.days or self.month_days or self.year_days):
            if self.freq == "WEEKLY" or self.weeks:
                self.days = [(0, self.start.weekday())]
            elif self.freq in ("MONTHLY", "YEARLY"):
                self.month_days = [self.start.day]
                if self.freq == "YEARLY" and not self.months:
                    self.months = [self.start.month]

    def period(self, day: date) -> tuple[int, ...]:
        """Which period a day lies in, and how many periods after the start's."""
        if self.freq == "YEARLY":
            return (day.year - self.start.year,)
        if self.freq == "MONTHLY":
            return ((day.year - self.start.year) * 12 + day.month - self.start.month,)
        if self.freq == "WEEKLY":
            return ((self._week(day) - self._week(self.start.date())).days // 7,)
        return ((day - self.start.date()).days,)

    def _week(self, day: date) -> date:
        while day.weekday() != self.week_start:
            day -= DAY
        return day

    def has_day(self, day: date) -> bool:
        if self.period(day)[0] % self.interval and self.freq in _BY_DATE:
            return False
        month_length = (_next_month(day) - day.replace(day=1)).days
        year_day = (day - date(day.year, 1, 1)).days + 1
        year_length = (date(day.year + 1, 1, 1) - date(day.year, 1, 1)).days
        return (
            (not self.months or day.month in self.months)
            and (
                not self.month_days
                or bool({day.day, day.day - month_length - 1} & {*self.month_days})
            )
            and (
                not self.year_days
                or bool({year_day, year_day - year_length - 1} & {*self.year_days})
            )
            and (not self.weeks or self._in_weeks(day))
            and (not self.days or any(self._is_day(day, *each) for each in self.days))
        )

    def _is_day(self, day: date, number: int, weekday: int) -> bool:
        if day.weekday() != weekday:
            return False
        if number == 0:
            return True
        in_month = self.freq == "MONTHLY" or self.months
        same = (lambda other: (other.year, other.month)) if in_month else (lambda other: other.year)
        step = -7 * DAY if number > 0 else 7 * DAY
        place, other = 1, day + step
        while same(other) == same(day):
            place, other = place + 1, other + step
        return place == abs(number)

    def _in_weeks(self, day: date) -> bool:
        """By the week of a day, which belongs to the year that has four days of it or more."""
        begin = self._week(day)
        year = (begin + 3 * DAY).year
        week, last = 1, 1
        while (begin - 7 * (week) * DAY + 3 * DAY).year == year:
            week += 1
        while (begin + 7 * last * DAY + 3 * DAY).year == year:
            last += 1
        return bool({week, -last} & {*self.weeks})


_BY_DATE = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")


def _split(parts: dict[str, str], name: str) -> list[str]:
    return parts[name].split(",") if name in parts else []


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def dates(text: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """The readings of a rule by days and slower, up to before `end`."""
    rule = Rule(text, start)
    first = start.date() - timedelta(days=start.timetuple().tm_yday + 7)
    days = (first + n * DAY for n in range((end.date() - first).days + 400))
    made = 0
    for _, members in groupby(filter(rule.has_day, days), rule.period):
        found = [
            datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001
            for day in members
            for hour in sorted(rule.hours or [start.hour])
            for minute in sorted(rule.minutes or [start.minute])
            for second in sorted(rule.seconds or [start.second])
        ]
        if rule.places:
            places = {p - 1 if p > 0 else len(found) + p for p in rule.places}
            found = [each for n, each in enumerate(found) if n in places]
        for each in found:
            if each < start:
                continue
            made += 1
            if each >= end or (rule.count is not None and made > rule.count):
                return
            yield each


def ticks(text: str, start: datetime, zone: str, count: int) -> Iterator[datetime]:
    """The moments (naive, in UTC) of a rule by hours and faster, within `count` seconds.

    A rule with an INTERVAL of hours or minutes counts these from the hour or minute of its start.
    """
    rule, info = Rule(text, start), ZoneInfo(zone)
    unit = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}[rule.freq]
    finer = bool(rule.seconds) or (unit == 3600 and bool(rule.minutes))
    inside = 0
    if finer and unit > 1:
        inside = start.second + (60 * start.minute if unit == 3600 else 0)
        rule.seconds = rule.seconds or [start.second]
        if unit == 3600:
            rule.minutes = rule.minutes or [start.minute]
    began = start.replace(tzinfo=info).timestamp()
    made = 0
    for n in range(count):
        passed = n + inside
        if (passed // unit) % rule.interval or (unit > 1 and not finer and passed % unit):
            continue
        shown = datetime.fromtimestamp(began + n, info)
        if (
            (not rule.hours or shown.hour in rule.hours)
            and (not rule.minutes or shown.minute in rule.minutes)
            and (not rule.seconds or shown.second in rule.seconds)
            and rule.has_day(shown.date())
        ):
            made += 1
            if rule.count is not None and made > rule.count:
                return
            yield datetime.fromtimestamp(began + n, ZoneInfo("UTC")).replace(tzinfo=None)


def shown_at(reading: datetime, zone: str) -> datetime | None:
    """When a clock shows a reading (naive, in UTC): the first time; put off by a gap up to 3 h."""
    info = ZoneInfo(zone)
    first, second = (
        (reading - (reading.replace(tzinfo=info, fold=fold).utcoffset() or timedelta()))
        for fold in (0, 1)
    )
    if second < first - timedelta(hours=3):
        return None
    return first
