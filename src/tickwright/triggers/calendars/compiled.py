"""Stored calendars made ready once per text, as many as a bounded amount of memory takes."""

from __future__ import annotations

from threading import Lock

from tickwright.model.calendar import definition_from_json
from tickwright.model.json import loads
from tickwright.triggers.calendars.open_days import OpenDays
from tickwright.triggers.calendars.public_holidays import check_source

MOST = 16_000_000
_OVERHEAD = 4_000


class CompiledCalendars:
    """Those used last; `most` is about a third of the bytes that they may take together."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._size = 0
        self._by_text: dict[str, OpenDays] = {}
        self._lock = Lock()

    def of(self, text: str) -> OpenDays:
        """InvalidInput for a text that this version, or the holidays it has, cannot read."""
        with self._lock:
            found = self._by_text.pop(text, None)
            if found is None:
                found = _compile(text)
                self._size += len(text) + _OVERHEAD
            self._by_text[text] = found
            while self._size > self._most:
                oldest = next(iter(self._by_text))
                del self._by_text[oldest]
                self._size -= len(oldest) + _OVERHEAD
            return found


def _compile(text: str) -> OpenDays:
    definition = definition_from_json(loads(text))
    for n, source in enumerate(definition.holidays):
        check_source(f"holidays.{n}", source)
    return OpenDays(definition)
