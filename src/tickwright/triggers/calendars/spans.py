"""Named stretches of days or of time, merged so that each point is found in one look."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T", bound=Any)


class Spans(Generic[T]):
    """Stretches from a point up to but without another; where two overlap the earlier one names."""

    def __init__(self, spans: Iterable[tuple[T, T, str]]) -> None:
        self._starts: list[T] = []
        self._ends: list[T] = []
        self._names: list[str] = []
        for start, end, name in sorted(spans):
            begin = max(start, self._ends[-1]) if self._ends else start
            if begin < end:
                self._starts.append(begin)
                self._ends.append(end)
                self._names.append(name)

    def __bool__(self) -> bool:
        return bool(self._starts)

    @property
    def end(self) -> T | None:
        """Where the last of them ends."""
        return self._ends[-1] if self._ends else None

    def at(self, point: T) -> str | None:
        """The name of the stretch that holds `point`."""
        n = bisect_right(self._starts, point) - 1
        return self._names[n] if n >= 0 and point < self._ends[n] else None

    def covering(self, start: T, end: T) -> str | None:
        """The name of what holds `start`, if nothing up to `end` is left open."""
        n = bisect_right(self._starts, start) - 1
        if n < 0 or start >= self._ends[n]:
            return None
        last = n
        while self._ends[last] < end:
            last += 1
            if last == len(self._starts) or self._starts[last] > self._ends[last - 1]:
                return None
        return self._names[n]

    def touching(self, start: T, end: T) -> str | None:
        """The name of the first stretch that holds anything from `start` to before `end`."""
        held = self.at(start)
        n = bisect_right(self._starts, start)
        if held is None and n < len(self._starts) and self._starts[n] < end:
            return self._names[n]
        return held
