"""Cron expressions as people write them; what is accepted has one meaning and happens some day."""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import cache, lru_cache
from itertools import product
from typing import NamedTuple

from cronsim import CronSim, CronSimError

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import quoted, text_of
from tickwright.triggers.wallclock.cron_rule import CronRule, month_shape
from tickwright.triggers.wallclock.times import DayTimes, mask_of

EXPRESSION = "trigger.expression"

_MAX_TEXT = 255
_FOREIGN = re.compile(r"[^0-9A-Za-z*/,\-#?@ \t]")
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


class _FieldSpec(NamedTuple):
    name: str
    attribute: str
    values: str


_FIELDS = (
    _FieldSpec("second", "seconds", "0-59"),
    _FieldSpec("minute", "minutes", "0-59"),
    _FieldSpec("hour", "hours", "0-23"),
    _FieldSpec("day-of-month", "days", "1-31, L for the last day, LW for the last weekday"),
    _FieldSpec("month", "months", "1-12 or JAN-DEC"),
    _FieldSpec("day-of-week", "weekdays", "0-7 or SUN-SAT, 5L for the last Friday, 1#2"),
)
_DAY_FIELDS = (3, 5)
_NEVER = "never happens: no date matches its day-of-month, month and day-of-week together"


class _Word(NamedTuple):
    """One field of an expression, and where it stands in the caller's text."""

    text: str
    column: int


def parse_cron(expression: object) -> CronRule:
    """The rule an expression stands for; `InvalidInput` says what is wrong and where."""
    words = _words(expression)
    _refuse_single_value_steps(words)
    try:
        parsed = CronSim(_joined(words), _ANY_DAY)
    except CronSimError:
        raise InvalidInput(EXPRESSION, _what_is_wrong(words)) from None
    minute, hour = words[1].text, words[2].text
    rule = CronRule(
        times=DayTimes(
            hours=mask_of(parsed.hours),
            minutes=mask_of(parsed.minutes),
            seconds=mask_of(parsed.seconds),
        ),
        months=mask_of(parsed.months),
        days=_month_days(words[3].text, words[5].text),
        fixed_time=not minute.startswith("*")
        and not hour.startswith("*")
        and len(parsed.seconds) == 1,
    )
    if rule.at_or_after(_ANY_DAY) is None:
        raise InvalidInput(EXPRESSION, _NEVER)
    return rule


@lru_cache(maxsize=1024)
def explain_cron(expression: str) -> str:
    """A valid expression in plain English."""
    return CronSim(_joined(_words(expression)), _ANY_DAY).explain()


def _words(expression: object) -> list[_Word]:
    """The six fields of an expression in capitals; five get a second of 0."""
    text = text_of(expression, EXPRESSION)
    if len(text) > _MAX_TEXT:
        raise InvalidInput(EXPRESSION, f"is longer than {_MAX_TEXT} characters")
    if foreign := _FOREIGN.search(text):
        raise InvalidInput(
            EXPRESSION, f"{foreign[0]!a} at character {foreign.start() + 1} is not allowed"
        )
    words = [_Word(found[0].upper(), found.start() + 1) for found in re.finditer(r"\S+", text)]
    if words and words[0].text.startswith("@"):
        words = _macro(words)
    if len(words) not in (5, 6):
        raise InvalidInput(
            EXPRESSION,
            "needs 5 fields (minute hour day-of-month month day-of-week), or 6 with the second "
            f"first; this has {len(words)}",
        )
    if len(words) == 5:
        words.insert(0, _Word("0", 0))
    for index in _DAY_FIELDS:
        if words[index].text == "?":
            words[index] = _Word("*", words[index].column)
    return words


def _macro(words: list[_Word]) -> list[_Word]:
    name = words[0].text
    if name == "@REBOOT":
        raise InvalidInput(EXPRESSION, "@reboot names no time: start the job where you start it")
    if name not in _MACROS or len(words) > 1:
        known = ", ".join(known.lower() for known in _MACROS)
        raise InvalidInput(EXPRESSION, f"starts with @ but is none of {known}")
    return [_Word(field, words[0].column) for field in _MACROS[name].split()]


def _joined(words: list[_Word]) -> str:
    return " ".join(word.text for word in words)


@lru_cache(maxsize=1024)
def _month_days(days: str, weekdays: str) -> tuple[int, ...]:
    """For each shape of a month, the mask of the days that two valid day fields let through."""
    matcher = CronSim(f"* * * {days} * {weekdays}", _ANY_DAY)
    return tuple(
        mask_of(day for day in range(1, 29 + shape % 4) if matcher.match_day(date(*month, day)))
        for shape, month in enumerate(_example_months())
    )


@cache
def _example_months() -> tuple[tuple[int, int], ...]:
    """One year and month for each of the 28 shapes; any 28 years in a row have all of them."""
    years_and_months = product(range(2000, 2028), range(1, 13))
    example = {month_shape(*month): month for month in years_and_months}
    return tuple(example[shape] for shape in range(28))


def _refuse_single_value_steps(words: list[_Word]) -> None:
    """Refuse `5-5/2`: cron reads one value, cronsim every second one from there on."""
    for index, word in enumerate(words):
        for term in word.text.split(","):
            span, slash, _ = term.partition("/")
            if slash and "-" in span and len(_values(index, span)) == 1:
                raise InvalidInput(
                    EXPRESSION,
                    f"{_place(index, word)}: {quoted(term)} steps through a range of one value; "
                    f"write {span.partition('-')[0]} or the range you mean",
                )


def _values(index: int, term: str) -> set[object]:
    """What one term of a field stands for; empty if it is not valid."""
    if not term:
        return set()
    fields = ["*"] * len(_FIELDS)
    fields[index] = term
    try:
        return set(getattr(CronSim(" ".join(fields), _ANY_DAY), _FIELDS[index].attribute))
    except CronSimError:
        return set()


def _what_is_wrong(words: list[_Word]) -> str:
    for index, word in enumerate(words):
        for term in word.text.split(","):
            if not _values(index, term):
                return (
                    f"{_place(index, word)}: {quoted(term)} is not allowed; "
                    f"use {_FIELDS[index].values}, lists a,b, ranges a-b or steps a-b/n"
                )
    return _NEVER


def _place(index: int, word: _Word) -> str:
    return f"{_FIELDS[index].name} (character {word.column})"
