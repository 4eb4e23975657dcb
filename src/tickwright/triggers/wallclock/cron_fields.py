"""The fields of a cron expression: their names and values, and where `H` spreads over them."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NamedTuple

from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import quoted

EXPRESSION = "trigger.expression"

_SPREAD = re.compile(r"H(?:\(([0-9]{1,2})-([0-9]{1,2})\))?(?:/([0-9]{1,2}))?")


class FieldSpec(NamedTuple):
    """What a field is called, where cronsim keeps its values, and what it may hold."""

    name: str
    attribute: str
    values: str
    low: int
    high: int
    spread_to: int
    """The highest value of a bare `H`: a day that every month has."""


FIELDS = (
    FieldSpec("second", "seconds", "0-59", 0, 59, 59),
    FieldSpec("minute", "minutes", "0-59", 0, 59, 59),
    FieldSpec("hour", "hours", "0-23", 0, 23, 23),
    FieldSpec(
        "day-of-month", "days", "1-31, L for the last day, LW for the last weekday", 1, 31, 28
    ),
    FieldSpec("month", "months", "1-12 or JAN-DEC", 1, 12, 12),
    FieldSpec("day-of-week", "weekdays", "0-7 or SUN-SAT, 5L for the last Friday, 1#2", 0, 6, 6),
)


class Word(NamedTuple):
    """One field of an expression, and where it stands in the caller's text."""

    text: str
    column: int

    @property
    def spreads(self) -> bool:
        return any(term.startswith("H") for term in self.text.split(","))

    def place(self, index: int) -> str:
        return f"{FIELDS[index].name} (character {self.column})"


def spread(index: int, word: Word, seed: str | None) -> Word:
    """The field with each `H` replaced by its value for this seed; by all it may be for none."""
    if not word.spreads:
        return word
    terms = [_drawn(index, word, term, seed) for term in word.text.split(",")]
    return Word(",".join(terms), word.column)


def _drawn(index: int, word: Word, term: str, seed: str | None) -> str:
    if not term.startswith("H"):
        return term
    field, found = FIELDS[index], _SPREAD.fullmatch(term)
    low = int(found[1]) if found and found[1] else field.low
    high = int(found[2]) if found and found[2] else field.spread_to
    step = int(found[3]) if found and found[3] else None
    if found is None or not field.low <= low <= high <= field.high or step == 0:
        raise InvalidInput(
            EXPRESSION,
            f"{word.place(index)}: {quoted(term)} is not allowed; use H, H/n, H(a-b) or H(a-b)/n "
            f"within {field.low}-{field.high}",
        )
    values = range(low, high + 1)
    if seed is not None:
        width = len(values) if step is None else min(step, len(values))
        values = values[_number(seed, field.name) % width :: step or len(values)]
    return ",".join(map(str, values))


def _number(seed: str, name: str) -> int:
    """Stored rules hang on this: it must never change."""
    return int.from_bytes(sha256(f"{seed} {name}".encode()).digest()[:8])
