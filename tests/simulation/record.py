"""A story as the judge of the fault tests wants it: the same history real processes leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from tests.faults.judge.history import Delivery, Entry, History, Setting
from tests.simulation.server import BY_NAME, START, Row
from tests.simulation.world import Story
from tickwright.store.schema import Moment

_EPOCH = START.timestamp()
_MICROSECONDS = 1_000_000
_SPARE_SECONDS = 11.0
"""The judge asks only for what was due some seconds before the end, when all is quiet here."""


def history_of(story: Story) -> History:
    return History(
        Setting(
            _EPOCH + story.began_at,
            _EPOCH + story.quiet_at + _SPARE_SECONDS,
            story.lease,
            story.sweep,
            story.attempts,
            "sqlite",
            story.limits,
        ),
        story.operations,
        story.faults,
        [_delivery(each) for each in story.executions],
        story.exits,
        [
            Entry(
                each.seq,
                _EPOCH + each.at,
                each.table,
                _converted(each.table, each.old),
                _converted(each.table, each.new),
            )
            for each in story.journal
        ],
        {
            name: [_converted(name, row) or {} for row in rows]
            for name, rows in story.tables.items()
        },
    )


def _delivery(execution: Any) -> Delivery:
    ended = execution.ended_at
    return Delivery(
        execution.run,
        execution.key,
        execution.attempt,
        execution.nominal_at,
        _EPOCH + execution.at,
        None if ended is None else _EPOCH + ended,
        execution.status,
    )


def _converted(table: str, row: Row | None) -> Row | None:
    if row is None:
        return None
    converted = dict(row)
    for name, convert in _CONVERSIONS[table]:
        value = converted[name]
        if value is not None:
            converted[name] = convert(value)
    return converted


def _seconds(micros: int) -> float:
    return micros / _MICROSECONDS


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Any:
    return json.loads(text)


def _conversion(column: sa.Column[Any]) -> Callable[[Any], Any] | None:
    if isinstance(column.type, Moment):
        return _seconds
    if isinstance(column.type, sa.JSON):
        return _parsed
    return bool if isinstance(column.type, sa.Boolean) else None


_CONVERSIONS = {
    name: [(c.name, convert) for c in table.columns if (convert := _conversion(c)) is not None]
    for name, table in BY_NAME.items()
}
