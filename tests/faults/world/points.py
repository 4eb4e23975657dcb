"""Named places of the engine's work at which a process can be told to die.

Invariant: a process that was told to die at a point ends there and then, with nothing done after
it, and says so in its log; without that it works as if nothing were patched.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import sqlalchemy as sa

from tickwright.store.firing import SqlFiring
from tickwright.store.postgres.hot import PostgresStatements
from tickwright.store.queue import SqlQueue
from tickwright.store.sqlite.hot import SqliteStatements
from tickwright.store.upkeep import SqlUpkeep
from tickwright.targets.http import HttpTarget

_OPERATIONS: dict[str, tuple[type, str]] = {
    "fire": (SqlFiring, "fire"),
    "lift": (SqlQueue, "lift"),
    "claim": (SqlQueue, "claim"),
    "start": (SqlQueue, "started"),
    "finish": (SqlQueue, "finish"),
    "rescue": (SqlQueue, "rescue"),
    "prune": (SqlUpkeep, "prune_old"),
}
"""What has a transaction of its own; `<operation>.committed` is passed after its COMMIT."""

_STATEMENTS = {
    "fire.due_read": "due",
    "fire.open_read": "open_runs",
    "fire.inserted": "insert_runs",
    "fire.advanced": "advance",
    "fire.completed": "complete",
    "fire.committed": None,
    "lift.committed": None,
    "claim.taken": "take",
    "claim.committed": None,
    "start.marked": "mark_started",
    "start.committed": None,
    "finish.written": "finish",
    "finish.superseded": "supersede",
    "finish.counted": "count_stats",
    "finish.days_counted": "count_days",
    "finish.committed": None,
    "rescue.orphans_read": "orphans",
    "rescue.ended": "finish",
    "rescue.superseded": "supersede",
    "rescue.committed": None,
}
"""After which of the dialects' statements a point lies; a statement that found nothing is none."""

_DELETED = {"prune.attempts_deleted": "attempts", "prune.runs_deleted": "runs"}
_DELIVERED = ("start.entered", "start.delivered")
POINTS = (*_STATEMENTS, *_DELIVERED, *_DELETED, "prune.committed")

_operation: ContextVar[str] = ContextVar("operation", default="")


@dataclass
class _Death:
    """Where to die, and how often the place is still to be passed, the last time included."""

    point: str
    left: int

    def passes(self, point: str) -> None:
        if point != self.point:
            return
        self.left -= 1
        if self.left == 0:
            os.write(2, f"dies at {point}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str, count: int) -> None:
    """Die when `point` is passed for the `count`-th time."""
    if point not in POINTS:
        raise ValueError(f"{point!r} is none of {', '.join(POINTS)}")
    death = _Death(point, count)
    for operation, (owner, method) in _OPERATIONS.items():
        _wrap(owner, method, partial(_operating, operation, death))
    for statement in {name for name in _STATEMENTS.values() if name is not None}:
        for dialect in (PostgresStatements, SqliteStatements):
            _wrap(dialect, statement, partial(_stating, statement, death))
    _wrap(HttpTarget, "deliver", partial(_delivering, death))
    sa.event.listen(sa.engine.Engine, "after_cursor_execute", _deleting(death))


Call = Callable[..., Awaitable[Any]]


def _wrap(owner: type, name: str, around: Callable[[Call], Call]) -> None:
    call = getattr(owner, name)
    setattr(owner, name, wraps(call)(around(call)))


def _operating(name: str, death: _Death, call: Call) -> Call:
    """The operation, known by name to what happens within; its end is passed if it did a thing."""

    async def operate(*args: Any, **named: Any) -> Any:
        token = _operation.set(name)
        try:
            done = await call(*args, **named)
        finally:
            _operation.reset(token)
        # Marking answers nothing, and is asked for even when there is nothing to mark.
        if args[1:] and args[1] if name == "start" else _did(done):
            death.passes(f"{name}.committed")
        return done

    return operate


def _did(done: Any) -> bool:
    """Whether an operation had an effect; firing says so in its own words."""
    schedules = getattr(done, "schedules", None)
    return bool(done if schedules is None else schedules)


def _stating(name: str, death: _Death, call: Call) -> Call:
    async def state(*args: Any, **named: Any) -> Any:
        found = await call(*args, **named)
        if found is None or found:
            for point, statement in _STATEMENTS.items():
                if statement == name and point.startswith(f"{_operation.get()}."):
                    death.passes(point)
        return found

    return state


def _delivering(death: _Death, call: Call) -> Call:
    async def deliver(*args: Any, **named: Any) -> Any:
        death.passes("start.entered")
        outcome = await call(*args, **named)
        death.passes("start.delivered")
        return outcome

    return deliver


def _deleting(death: _Death) -> Callable[..., None]:
    def deleted(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if _operation.get() == "prune" and statement.startswith("DELETE FROM"):
            table = statement.split()[2].rpartition(".")[2].removeprefix("tickwright_")
            for point, name in _DELETED.items():
                if name == table:
                    death.passes(point)

    return deleted
