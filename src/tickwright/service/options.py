"""What a caller may say of a schedule, checked; bad input names the field and the reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypedDict, TypeVar
from uuid import UUID, uuid4

from tickwright.model.durations import duration_from_text, duration_text
from tickwright.model.errors import InvalidInput, NotFound
from tickwright.model.json import JsonObject, checked_object
from tickwright.model.schedule import Misfire, Overlap
from tickwright.model.timestamps import aware
from tickwright.model.timing import OnClosed, OutsideWindow, Timing, Window
from tickwright.triggers import Trigger, trigger_from_json

MAX_KEY = 255
MAX_NAME = 255
MAX_DESCRIPTION = 2000
MAX_SOURCE = 100
MAX_LINE = 100
_KEY = re.compile(r"[A-Za-z0-9_.:@-][A-Za-z0-9_.:@ -]*")
E = TypeVar("E", bound=StrEnum)
Check = Callable[[str, Any], Any]
CheckTarget = Callable[[JsonObject], dict[str, Any]]


class ScheduleOptions(TypedDict, total=False):
    """The optional words of a schedule; see `Scheduler.create_schedule`."""

    target: JsonObject
    payload: JsonObject
    starts_at: datetime | None
    ends_at: datetime | None
    max_runs: int | None
    misfire: Misfire | str
    overlap: Overlap | str
    overlap_limit: int
    calendars: Sequence[str]
    on_closed: OnClosed | str
    window: str | None
    outside_window: OutsideWindow | str
    jitter: str | timedelta
    allow_manual: bool
    enabled: bool
    name: str | None
    description: str | None
    category: str | None
    source: str
    metadata: JsonObject


@dataclass(frozen=True, slots=True)
class Wishes:
    """Checked options. What the caller did not say is absent from `given`."""

    given: Mapping[str, Any] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def get(self, name: str, default: Any = None) -> Any:
        return self.given.get(name, default)


def check_key(field_name: str, key: object) -> str:
    """A key people can type: letters, digits and `_ . : @ -`, inner spaces, at most 255."""
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY:
        raise InvalidInput(field_name, f"must be a text of 1 to {MAX_KEY} characters")
    if not _KEY.fullmatch(key) or key != key.strip():
        allowed = "letters, digits, `_`, `.`, `:`, `@`, `-` and inner spaces"
        raise InvalidInput(field_name, f"may hold {allowed}")
    return key


def check_ref(ref: UUID | str) -> UUID | str:
    """NotFound when no schedule can have such a name: some databases cannot even be asked."""
    try:
        return ref if isinstance(ref, UUID) else check_key("ref", ref)
    except InvalidInput:
        raise NotFound("there is no schedule of that name") from None


def made_up_key(job_key: object) -> str:
    """A key for a schedule that was given none; it begins like its job's."""
    suffix = uuid4().hex
    return f"{check_key('jobKey', job_key)[: MAX_KEY - len(suffix) - 1]}-{suffix}"


def check_note(field_name: str, text: object) -> str | None:
    """What is said beside the options, such as who asks and why."""
    return _text(MAX_DESCRIPTION)(field_name, text)


def check_request_key(text: object) -> str | None:
    """What makes one request of several: an empty one would make one of all."""
    if text == "":
        raise InvalidInput("requestId", "must not be empty")
    return _text(MAX_NAME)("requestId", text)


def check_trigger(trigger: Trigger | JsonObject, default_timezone: str = "UTC") -> Trigger:
    """The trigger; a wall-clock rule that names no zone gets the default one."""
    if isinstance(trigger, Mapping):
        return trigger_from_json(trigger, default_timezone)
    if isinstance(trigger, Trigger):
        return trigger
    raise InvalidInput("trigger", "must be a trigger, such as cron('0 9 * * 1')")


def check_options(options: Mapping[str, Any], check_target: CheckTarget) -> Wishes:
    """The options in their stored forms; InvalidInput naming the first that is wrong."""
    checks: dict[str, Check] = {**_CHECKS, "target": lambda _, value: check_target(value)}
    given: dict[str, Any] = {}
    for name, value in options.items():
        if name not in checks:
            raise InvalidInput(camel(name), "is not a known option")
        given[name] = checks[name](camel(name), value)
    starts_at, ends_at = given.get("starts_at"), given.get("ends_at")
    if starts_at and ends_at and ends_at < starts_at:
        raise InvalidInput("endsAt", "lies before startsAt")
    return Wishes(given)


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _moment(name: str, value: object) -> datetime | None:
    return None if value is None else aware(name, value)


def _count(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**62:
        raise InvalidInput(name, "must be a whole number from 1 up")
    return value


def _line(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_LINE:
        raise InvalidInput(name, f"must be a whole number from 1 to {MAX_LINE}")
    return value


def _calendars(name: str, value: object) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidInput(name, "must be a list of calendars' keys")
    keys = [check_key(f"{name}.{n}", key) for n, key in enumerate(value)]
    Timing(calendars=tuple(keys))
    return keys


def _window(name: str, value: object) -> str | None:
    return None if value is None else str(Window.from_text(value))


def _jitter(name: str, value: object) -> str:
    jitter = value if isinstance(value, timedelta) else duration_from_text(name, value)
    return duration_text(Timing(jitter=jitter).jitter)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(name, "must be true or false")
    return value


def _text(limit: int) -> Callable[[str, object], str | None]:
    def check(name: str, value: object) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > limit:
            raise InvalidInput(name, f"must be a text of at most {limit} characters")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidInput(name, "holds a lone surrogate") from None
        if "\x00" in value:
            raise InvalidInput(name, "holds a NUL character")
        return value

    return check


def _source(name: str, value: object) -> str | None:
    if value is None:
        raise InvalidInput(name, "must be a text")
    return _text(MAX_SOURCE)(name, value)


def _one_of(kind: type[E]) -> Check:
    def check(name: str, value: Any) -> E:
        try:
            return kind(value)
        except ValueError:
            known = ", ".join(kind)
            raise InvalidInput(name, f"must be one of {known}") from None

    return check


_CHECKS: dict[str, Check] = {
    "payload": checked_object,
    "starts_at": _moment,
    "ends_at": _moment,
    "max_runs": _count,
    "misfire": _one_of(Misfire),
    "overlap": _one_of(Overlap),
    "overlap_limit": _line,
    "calendars": _calendars,
    "on_closed": _one_of(OnClosed),
    "window": _window,
    "outside_window": _one_of(OutsideWindow),
    "jitter": _jitter,
    "allow_manual": _flag,
    "enabled": _flag,
    "name": _text(MAX_NAME),
    "description": _text(MAX_DESCRIPTION),
    "category": _text(MAX_NAME),
    "source": _source,
    "metadata": checked_object,
}
