"""The contract every trigger keeps, and the readers of its wire shape; refuses, never guesses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol, Self, TypeVar, runtime_checkable

from tickwright.model.errors import InvalidInput, TickwrightError

Choice = TypeVar("Choice", bound=StrEnum)


class TriggerError(TickwrightError):
    """The trigger cannot say when it happens next."""

    code = "trigger_error"


@runtime_checkable
class Trigger(Protocol):
    """When a schedule happens: an immutable, hashable value that is stored as JSON.

    A trigger knows nominal instants and nothing else: calendars, jitter, misfires, bounds and
    counts are decided by others from what it answers. Two triggers with equal fields are equal,
    so that a batch of schedules can share what was computed for one of them. A trigger that
    exists is valid: whatever is wrong with one is refused with `InvalidInput`, naming the field
    (`trigger.expression`, `trigger.every` …), when it is made.
    """

    kind: ClassVar[str]
    """The value of `type` on the wire; unique among all members."""

    recurring: ClassVar[bool]
    """Whether it may happen more than once; a schedule that is spent after one run says no."""

    def next_after(self, moment: datetime) -> datetime | None:
        """The first nominal instant strictly after `moment`, in UTC; None if there is none left.

        `moment` is aware, in any zone. The answer depends on nothing but the trigger and
        `moment`, and is always later than `moment`: a caller that steps from answer to answer
        moves forward and visits every instant exactly once. It comes after a bounded amount of
        work; an implementation that cannot keep any of this raises `TriggerError`, never loops
        and never answers with the past. An instant that does not fit into a `datetime` does not
        exist.
        """
        ...

    def previous_before(self, moment: datetime) -> datetime | None:
        """The last nominal instant strictly before `moment`, in UTC; None if there was none.

        It sees the instants that `next_after` sees: from any of them each leads to the other's
        neighbour. The same promises hold, turned around.
        """
        ...

    def anchored(self, moment: datetime, seed: str = "") -> Self:
        """The same trigger with everything filled in that it takes from its schedule.

        It counts from `moment` if it counts from somewhere and has no anchor, and draws what it
        spreads from `seed`, the schedule's identity, if it has no seed. Called once, when a
        schedule is created or given a new trigger; the result is what is stored, and needs to
        know nothing of its schedule. Triggers that lack nothing return themselves.
        """
        ...

    def to_json(self) -> dict[str, Any]:
        """Its wire shape: camelCase keys, `type` among them; `from_json` gives an equal trigger."""
        ...

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read the wire shape; missing, unknown and mistyped fields raise `InvalidInput`."""
        ...

    def __hash__(self) -> int:
        """By value, so that what was computed for a rule is found again for an equal one."""
        ...

    def describe(self) -> str:
        """In plain English, for people: "every 15 minutes"."""
        ...


def quoted(value: object, limit: int = 40) -> str:
    """What the caller sent, safe and short enough to repeat in a message."""
    if not isinstance(value, str):
        return type(value).__name__
    return ascii(value if len(value) <= limit else value[:limit] + "...")


def check_fields(
    data: Mapping[str, Any], kind: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> None:
    """Refuse a wire shape of another type, with unknown fields, or without the required ones."""
    known = ("type", *required, *optional)
    for name in data:
        if name not in known:
            raise InvalidInput(
                f"trigger.{quoted(str(name))[1:-1]}",
                f"is not a field of a {kind} trigger (it has {', '.join(known)})",
            )
        if data[name] is None:
            raise InvalidInput(f"trigger.{name}", "must not be null; leave it out instead")
    for name in ("type", *required):
        if name not in data:
            raise InvalidInput(f"trigger.{name}", f"is missing; a {kind} trigger needs it")
    if data["type"] != kind:
        raise InvalidInput("trigger.type", f"must be '{kind}', not {quoted(data['type'])}")


def text_of(value: object, field: str) -> str:
    """`value` if it is a string."""
    if not isinstance(value, str):
        raise InvalidInput(field, f"must be a string, not {quoted(value)}")
    return value


def flag_of(value: object, field: str) -> bool:
    """`value` if it is true or false."""
    if not isinstance(value, bool):
        raise InvalidInput(field, f"must be true or false, not {quoted(value)}")
    return value


def choice_of(kind: type[Choice], value: object, field: str) -> Choice:
    """The one of these words that `value` is."""
    if not isinstance(value, str) or value not in tuple(kind):
        raise InvalidInput(field, f"must be one of {', '.join(kind)}, not {quoted(value)}")
    return kind(value)
