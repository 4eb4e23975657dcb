"""From the instants a rule gives to the moments at which they are due. Pure.

Invariant: what becomes of an instant depends on the rule, the timing, the calendars and the
schedule's id alone, so planning, previews and explanations agree about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from tickwright.model.plan import OpenTimes
from tickwright.model.timing import OnClosed, OutsideWindow, Timing
from tickwright.triggers.base import Trigger
from tickwright.triggers.wallclock.zones import instants_of, zone_of

MOST_DAYS = 31
"""Days within which an occurrence on a closed day is moved, or else skipped."""

_DAY = timedelta(days=1)
_LOOK_AHEAD = timedelta(days=MOST_DAYS + 2)
_MOST_AHEAD = 400
_MOST_CLOSED = 2000
_WHOLE = 2**64
_NOBODY = UUID(int=0)
NextAfter = Callable[[Trigger, datetime], datetime | None]


@dataclass(slots=True)
class Occurrence:
    """One instant of a rule: when it is due, or why it is not, with notes for people.

    Of several that come to the same `slot`, which is when they are due but for their jitter, the
    last one happens.
    """

    nominal: datetime
    due: datetime
    skipped: str | None = None
    notes: tuple[str, ...] = ()
    slot: datetime | None = None


@dataclass(slots=True)
class Course:
    """A rule with everything that moves its instants, the last of which is at `ends_at`.

    Neither this nor an occurrence is frozen, because they are made by the thousand.
    """

    trigger: Trigger
    step: NextAfter
    ends_at: datetime | None = None
    timing: Timing | None = None
    open_times: OpenTimes | None = None
    schedule_id: UUID = _NOBODY

    @property
    def rolls(self) -> bool:
        """Whether an occurrence may move to another day, also to an earlier one."""
        return (
            self.timing is not None
            and self.open_times is not None
            and self.timing.on_closed is not OnClosed.SKIP
        )

    def after(self, nominal: datetime) -> datetime | None:
        """The next instant within the bounds."""
        following = self.step(self.trigger, nominal)
        if following is not None and self.ends_at is not None and following > self.ends_at:
            return None
        return following

    def at(self, nominal: datetime) -> Occurrence:
        """What becomes of that instant."""
        if self.timing is None:
            return Occurrence(nominal, nominal)
        return self._delayed(_settled(self.timing, self.open_times, nominal))

    def _delayed(self, occurrence: Occurrence) -> Occurrence:
        """By its jitter, which never reaches the next instant nor a closed time."""
        timing = self.timing
        if timing is None or not timing.jitter or occurrence.skipped is not None:
            return occurrence
        following = self.after(occurrence.nominal)
        room = timing.jitter
        if following is not None:
            room = min(room, following - occurrence.nominal)
        due = occurrence.due + room * _fraction(self.schedule_id, occurrence.nominal)
        if _reason(self.open_times, due) is not None or not _inside(timing, due):
            return occurrence
        return replace(occurrence, due=due, slot=occurrence.due)


def wake_at(course: Course, nominal: datetime | None) -> datetime | None:
    """When something has to be decided next, if `nominal` is the first undecided instant."""
    if nominal is None or course.timing is None:
        return nominal
    if course.rolls:
        dues = [each.due for each in ahead(course, nominal) if each.skipped is None]
        return min(dues, default=nominal)
    for _ in range(_MOST_CLOSED):
        occurrence = course.at(nominal)
        following = course.after(nominal)
        if occurrence.skipped is None or following is None:
            return occurrence.due
        nominal = following
    return nominal


def ahead(course: Course, nominal: datetime) -> Iterator[Occurrence]:
    """Occurrences from `nominal` on, as far as one that rolls can come before it."""
    horizon, moment = nominal + _LOOK_AHEAD, nominal
    for _ in range(_MOST_AHEAD):
        yield course.at(moment)
        following = course.after(moment)
        if following is None or following > horizon:
            return
        moment = following


def same_slot(one: Occurrence, other: Occurrence) -> bool:
    """Whether both come to the same moment, so that only one of them happens."""
    if one.skipped is not None or other.skipped is not None:
        return False
    return (one.slot or one.due) == (other.slot or other.due)


@lru_cache(maxsize=50_000)
def _settled(timing: Timing, open_times: OpenTimes | None, nominal: datetime) -> Occurrence:
    """What becomes of it but for its jitter: schedules with one calendar share the answer."""
    return _windowed(timing, open_times, _adjusted(timing, open_times, nominal))


def _adjusted(timing: Timing, open_times: OpenTimes | None, nominal: datetime) -> Occurrence:
    """Moved from a closed day, or skipped."""
    reason = _reason(open_times, nominal)
    if reason is None:
        return Occurrence(nominal, nominal)
    if timing.on_closed is OnClosed.SKIP:
        return Occurrence(nominal, nominal, "calendar", (reason,))
    due = _rolled(timing, open_times, nominal)
    if due is None:
        return Occurrence(nominal, nominal, "calendar_no_day", (reason,))
    return Occurrence(nominal, due, None, (f"moved from {reason}",))


def _windowed(timing: Timing, open_times: OpenTimes | None, occurrence: Occurrence) -> Occurrence:
    """Kept within the window, or skipped."""
    if occurrence.skipped is not None or _inside(timing, occurrence.due):
        return occurrence
    note = f"outside {timing.window}"
    if timing.outside_window is OutsideWindow.SKIP:
        return Occurrence(occurrence.nominal, occurrence.nominal, "window", (note,))
    due = _opening(timing, occurrence.due)
    if (closed := _reason(open_times, due)) is not None:
        return Occurrence(occurrence.nominal, occurrence.nominal, "calendar", (closed,))
    return Occurrence(occurrence.nominal, due, None, (*occurrence.notes, note))


def _reason(open_times: OpenTimes | None, moment: datetime) -> str | None:
    return None if open_times is None else open_times.closed_at(moment)


def _inside(timing: Timing, moment: datetime) -> bool:
    return timing.window is None or timing.window.has(_reading(timing, moment))


def _rolled(timing: Timing, open_times: OpenTimes | None, nominal: datetime) -> datetime | None:
    """The same time of day on the open day that the adjustment asks for."""
    rule = timing.on_closed
    forward = _first_open(timing, open_times, nominal, 1)
    back = _first_open(timing, open_times, nominal, -1)
    if rule in (OnClosed.MODIFIED_NEXT, OnClosed.MODIFIED_PREVIOUS):
        first, other = (forward, back) if rule is OnClosed.MODIFIED_NEXT else (back, forward)
        month = _reading(timing, nominal).month
        stays = first is not None and _reading(timing, first).month == month
        return first if stays else other
    if rule is OnClosed.NEAREST and forward is not None and back is not None:
        return forward if forward - nominal <= nominal - back else back
    if rule is OnClosed.NEAREST:
        return forward or back
    return forward if rule is OnClosed.NEXT else back


def _first_open(
    timing: Timing, open_times: OpenTimes | None, nominal: datetime, direction: int
) -> datetime | None:
    reading = _reading(timing, nominal)
    for days in range(1, MOST_DAYS + 1):
        moment = _moment(timing, reading + direction * days * _DAY)
        if _reason(open_times, moment) is None:
            return moment
    return None


def _opening(timing: Timing, due: datetime) -> datetime:
    """When the window opens next."""
    assert timing.window is not None
    reading = _reading(timing, due)
    opens = datetime.combine(reading.date(), timing.window.opens)
    return _moment(timing, opens if opens > reading else opens + _DAY)


def _reading(timing: Timing, moment: datetime) -> datetime:
    """What the clock of the zone shows then."""
    return moment.astimezone(zone_of(timing.timezone, "timezone")).replace(tzinfo=None)


def _moment(timing: Timing, reading: datetime) -> datetime:
    """When the clock shows that first; a time that does not exist is the end of its gap."""
    return instants_of(zone_of(timing.timezone, "timezone"), reading)[0]


def _fraction(schedule_id: UUID, nominal: datetime) -> float:
    """From 0 to 1, the same for an occurrence on every process."""
    text = f"{schedule_id}{nominal.timestamp():.6f}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest()) / _WHOLE
