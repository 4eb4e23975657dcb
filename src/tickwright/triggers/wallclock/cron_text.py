"""Cron expressions as people write them; what is accepted has one meaning and happens some day."""

from __future__ import annotations

import re
from datetime import date, datetime
from enum import StrEnum
from functools import cache, lru_cache
from itertools import product

from cronsim import CronSim, CronSimError
from cronsim.explain import Expression

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import quoted
from tickwright.triggers.wallclock.cron_fields import EXPRESSION, FIELDS, Word, spread
from tickwright.triggers.wallclock.cron_rule import CronRule, month_shape
from tickwright.triggers.wallclock.times import DayTimes, mask_of

_MAX_TEXT = 255
_FOREIGN = re.compile(r"[^0-9A-Za-z*/,\-#?@() \t]")
_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - a reading of a clock without zone

_MACROS = {
    "@YEARLY": "0 0 1 1 *",
    "@ANNUALLY": "0 0 1 1 *",
    "@MONTHLY": "0 0 1 * *",
    "@WEEKLY": "0 0 * * 0",
    "@DAILY": "0 0 * * *",
    "@MIDNIGHT": "0 0 * * *",
    "@HOURLY": "0 * * * *",
}


_DAY_FIELDS = (3, 5)
_ANY = Word("*", 0)
_NEVER = "never happens: no date matches its day-of-month, month and day-of-week together"


class MonthEnd(StrEnum):
    """What becomes of a day that a month does not have."""

    SKIP = "skip"
    CLAMP = "clamp"


def parse_cron(
    expression: str, *, day_and: bool = False, clamp: bool = False, seed: str | None = None
) -> CronRule:
    """The rule an expression stands for; `InvalidInput` says what is wrong and where."""
    words = _words(expression, seed)
    _refuse_single_value_steps(words)
    # The month is read apart: whether such a day ever comes is known only with the options.
    try:
        parsed = CronSim(_joined([*words[:4], _ANY, words[5]]), _ANY_DAY)
        months = CronSim(_joined([*words[:3], _ANY, words[4], _ANY]), _ANY_DAY).months
    except CronSimError:
        raise InvalidInput(EXPRESSION, _what_is_wrong(words)) from None
    minute, hour = words[1].text, words[2].text
    rule = CronRule(
        times=DayTimes(
            hours=mask_of(parsed.hours),
            minutes=mask_of(parsed.minutes),
            seconds=mask_of(parsed.seconds),
        ),
        months=mask_of(months),
        days=_month_days(words[3].text, words[5].text, day_and, clamp),
        fixed_time=not minute.startswith("*")
        and not hour.startswith("*")
        and len(parsed.seconds) == 1,
    )
    if rule.at_or_after(_ANY_DAY) is None:
        raise InvalidInput(EXPRESSION, _NEVER)
    return rule


def spreads(expression: str) -> bool:
    """Whether a valid expression leaves anything to its schedule's seed."""
    return any(Word(field, 0).spreads for field in expression.upper().split())


@lru_cache(maxsize=1024)
def explain_cron(expression: str, day_and: bool, seed: str | None) -> str:
    """A valid expression in plain English."""
    explained = Expression([word.text for word in _words(expression, seed)])
    explained.day_and = explained.day_and or day_and
    return str(explained.explain())


def _words(expression: str, seed: str | None) -> list[Word]:
    """The six fields of an expression in capitals; five get a second of 0."""
    if len(expression) > _MAX_TEXT:
        raise InvalidInput(EXPRESSION, f"is longer than {_MAX_TEXT} characters")
    if foreign := _FOREIGN.search(expression):
        raise InvalidInput(
            EXPRESSION, f"{foreign[0]!a} at character {foreign.start() + 1} is not allowed"
        )
    words = [Word(found[0].upper(), found.start() + 1) for found in re.finditer(r"\S+", expression)]
    if words and words[0].text.startswith("@"):
        words = _macro(words)
    if len(words) not in (5, 6):
        raise InvalidInput(
            EXPRESSION,
            "needs 5 fields (minute hour day-of-month month day-of-week), or 6 with the second "
            f"first; this has {len(words)}",
        )
    if len(words) == 5:
        words.insert(0, Word("0", 0))
    for index in _DAY_FIELDS:
        if words[index].text == "?":
            words[index] = Word("*", words[index].column)
    return [spread(index, word, seed) for index, word in enumerate(words)]


def _macro(words: list[Word]) -> list[Word]:
    name = words[0].text
    if name == "@REBOOT":
        raise InvalidInput(EXPRESSION, "@reboot names no time: start the job where you start it")
    if name not in _MACROS or len(words) > 1:
        known = ", ".join(known.lower() for known in _MACROS)
        raise InvalidInput(EXPRESSION, f"starts with @ but is none of {known}")
    return [Word(field, words[0].column) for field in _MACROS[name].split()]


def _joined(words: list[Word]) -> str:
    return " ".join(word.text for word in words)


@lru_cache(maxsize=1024)
def _month_days(days: str, weekdays: str, day_and: bool, clamp: bool) -> tuple[int, ...]:
    """For each shape of a month, the mask of the days that two valid day fields let through."""
    matcher = CronSim(f"* * * {days} * {weekdays}", _ANY_DAY)
    matcher.day_and = matcher.day_and or day_and
    plain, late = matcher.days, _clamped_days(days) if clamp else set()
    masks = []
    for shape, (year, month) in enumerate(_example_months()):
        length = 28 + shape % 4
        matcher.days = plain | {length} if any(day > length for day in late) else plain
        dates = (date(year, month, day) for day in range(1, length + 1))
        masks.append(mask_of(day.day for day in dates if matcher.match_day(day)))
    return tuple(masks)


def _clamped_days(days: str) -> set[int]:
    """The days that are meant as such; what steps through a month has no end to move."""
    terms = [term for term in days.split(",") if "/" not in term]
    return {day for term in terms for day in _values(3, term) if isinstance(day, int)}


@cache
def _example_months() -> tuple[tuple[int, int], ...]:
    """One year and month for each of the 28 shapes; any 28 years in a row have all of them."""
    years_and_months = product(range(2000, 2028), range(1, 13))
    example = {month_shape(*month): month for month in years_and_months}
    return tuple(example[shape] for shape in range(28))


def _refuse_single_value_steps(words: list[Word]) -> None:
    """Refuse `5-5/2`: cron reads one value, cronsim every second one from there on."""
    for index, word in enumerate(words):
        for term in word.text.split(","):
            span, slash, _ = term.partition("/")
            if slash and "-" in span and len(_values(index, span)) == 1:
                raise InvalidInput(
                    EXPRESSION,
                    f"{word.place(index)}: {quoted(term)} steps through a range of one value; "
                    f"write {span.partition('-')[0]} or the range you mean",
                )


def _values(index: int, term: str) -> set[object]:
    """What one term of a field stands for; empty if it is not valid."""
    if not term:
        return set()
    fields = ["*"] * len(FIELDS)
    fields[index] = term
    try:
        return set(getattr(CronSim(" ".join(fields), _ANY_DAY), FIELDS[index].attribute))
    except CronSimError:
        return set()


def _what_is_wrong(words: list[Word]) -> str:
    """The first term that cannot be read, of fields of which one cannot."""
    index, word, term = next(
        (index, word, term)
        for index, word in enumerate(words)
        for term in word.text.split(",")
        if not _values(index, term)
    )
    return (
        f"{word.place(index)}: {quoted(term)} is not allowed; "
        f"use {FIELDS[index].values}, lists a,b, ranges a-b or steps a-b/n"
    )
