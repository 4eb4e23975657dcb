"""Times of a day as bit masks: bit n of a mask stands for the value n."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

Time = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class DayTimes:
    """Every hour of some combined with every minute and every second of some; none is empty."""

    hours: int
    minutes: int
    seconds: int
    first: Time = field(init=False, compare=False)
    last: Time = field(init=False, compare=False)

    def __post_init__(self) -> None:
        masks = (self.hours, self.minutes, self.seconds)
        first, last = map(lowest, masks), map(highest, masks)
        object.__setattr__(self, "first", tuple(first))
        object.__setattr__(self, "last", tuple(last))

    @property
    def count(self) -> int:
        return self.hours.bit_count() * self.minutes.bit_count() * self.seconds.bit_count()

    def nth(self, index: int) -> Time:
        """The time with this index, counted from 0."""
        rest, second = divmod(index, self.seconds.bit_count())
        hour, minute = divmod(rest, self.minutes.bit_count())
        return (
            nth_bit(self.hours, hour),
            nth_bit(self.minutes, minute),
            nth_bit(self.seconds, second),
        )

    def count_before(self, hour: int, minute: int, second: int) -> int:
        """How many of them lie before this time."""
        found = 0
        within = True
        for mask, value in ((self.hours, hour), (self.minutes, minute), (self.seconds, second)):
            found = found * mask.bit_count()
            if within:
                found += (mask & ((1 << value) - 1)).bit_count()
                within = bool(mask >> value & 1)
        return found

    def since(self, hour: int, minute: int, second: int) -> Time | None:
        """The first of them from this time on."""
        if self.hours >> hour & 1:
            if self.minutes >> minute & 1 and (seconds := self.seconds >> second):
                return hour, minute, second + lowest(seconds)
            if minutes := self.minutes >> (minute + 1):
                return hour, minute + 1 + lowest(minutes), self.first[2]
        if hours := self.hours >> (hour + 1):
            return hour + 1 + lowest(hours), self.first[1], self.first[2]
        return None

    def upto(self, hour: int, minute: int, second: int) -> Time | None:
        """The last of them up to this time."""
        if self.hours >> hour & 1:
            if self.minutes >> minute & 1 and (seconds := self.seconds & ((2 << second) - 1)):
                return hour, minute, highest(seconds)
            if minutes := self.minutes & ((1 << minute) - 1):
                return hour, highest(minutes), self.last[2]
        if hours := self.hours & ((1 << hour) - 1):
            return highest(hours), self.last[1], self.last[2]
        return None


def mask_of(values: Iterable[int]) -> int:
    """The mask with these bits set."""
    mask = 0
    for value in values:
        mask |= 1 << value
    return mask


def lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def highest(mask: int) -> int:
    return mask.bit_length() - 1


def nth_bit(mask: int, index: int) -> int:
    """The value of the bit with this index among those that are set, counted from 0."""
    for _ in range(index):
        mask &= mask - 1
    return lowest(mask)
