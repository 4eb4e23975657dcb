"""What becomes of a rule's instants before they are due: calendars, windows, jitter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any

from tickwright.model.durations import duration_from_text, duration_text
from tickwright.model.errors import InvalidInput

MAX_CALENDARS = 10
MAX_JITTER = timedelta(days=1)
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class OnClosed(StrEnum):
    """What becomes of an occurrence on a closed day; rolls keep its time of day.

    The `modified` ones stay within the month (ISDA business day conventions).
    """

    SKIP = "skip"
    NEXT = "next"
    PREVIOUS = "previous"
    NEAREST = "nearest"
    MODIFIED_NEXT = "modified_next"
    MODIFIED_PREVIOUS = "modified_previous"


class OutsideWindow(StrEnum):
    """What becomes of an occurrence outside its time window."""

    SKIP = "skip"
    DEFER = "defer"


@dataclass(frozen=True, slots=True)
class Window:
    """The time of day in which occurrences may be due, such as `22:00-06:00`, without its end."""

    opens: time
    closes: time

    def __post_init__(self) -> None:
        if self.opens == self.closes:
            raise InvalidInput("window", "opens and closes at the same time")

    def has(self, reading: datetime) -> bool:
        """Whether a clock's naive reading lies in the window."""
        now = reading.time()
        if self.opens < self.closes:
            return self.opens <= now < self.closes
        return now >= self.opens or now < self.closes

    @classmethod
    def from_text(cls, text: object) -> Window:
        found = _WINDOW.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise InvalidInput("window", "must be two times of day such as 22:00-06:00")
        hours = [int(part) for part in found.groups()]
        return cls(time(hours[0], hours[1]), time(hours[2], hours[3]))

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}"


@dataclass(frozen=True, slots=True)
class Timing:
    """How the instants of a rule become due, on the clock of `timezone`.

    An occurrence that falls on a day on which one of `calendars` (by key) is closed is skipped or
    moved, then kept within the window, then delayed by up to `jitter`.
    """

    calendars: tuple[str, ...] = ()
    on_closed: OnClosed = OnClosed.SKIP
    window: Window | None = None
    outside_window: OutsideWindow = OutsideWindow.SKIP
    jitter: timedelta = timedelta(0)
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if len(self.calendars) > MAX_CALENDARS:
            raise InvalidInput("calendars", f"must be at most {MAX_CALENDARS}")
        if len(set(self.calendars)) < len(self.calendars):
            raise InvalidInput("calendars", "names one of them twice")
        if not timedelta(0) <= self.jitter <= MAX_JITTER:
            raise InvalidInput("jitter", "must be at most a day, and not negative")

    @property
    def plain(self) -> bool:
        """Whether every instant is due as it stands."""
        return not self.calendars and self.window is None and not self.jitter

    def to_json(self) -> dict[str, Any]:
        """As schedules say it; the zone is their trigger's."""
        return {
            "calendars": list(self.calendars),
            "onClosed": self.on_closed.value,
            "window": self.window and str(self.window),
            "outsideWindow": self.outside_window.value,
            "jitter": duration_text(self.jitter),
        }

    def stored(self) -> dict[str, Any]:
        return {**self.to_json(), "timezone": self.timezone}

    @classmethod
    def from_stored(cls, data: Mapping[str, Any]) -> Timing:
        """What `stored` gave."""
        return cls(
            calendars=tuple(data["calendars"]),
            on_closed=OnClosed(data["onClosed"]),
            window=Window.from_text(data["window"]) if data["window"] else None,
            outside_window=OutsideWindow(data["outsideWindow"]),
            jitter=duration_from_text("jitter", data["jitter"]),
            timezone=data["timezone"],
        )
