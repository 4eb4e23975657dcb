"""Calendars from mounted files: the system's, brought up to date when their files change.

Invariant: a file that cannot be read changes nothing, is told about once, and stops no other.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tickwright.model.calendar import (
    WEEK,
    CalendarDefinition,
    ExceptionKind,
    definition_from_json,
    definition_to_json,
)
from tickwright.model.errors import InvalidInput, StoreUnavailable, TickwrightError
from tickwright.model.json import MAX_JSON_BYTES, JsonObject, checked_object
from tickwright.triggers.calendars.ics import exceptions_in
from tickwright.triggers.wallclock.zones import zone_of

_log = logging.getLogger("tickwright.calendars")
EVERY = timedelta(seconds=30)
MAX_FILES = 1000
_YAML = (".yaml", ".yml")
_SUFFIXES = (".json", *_YAML, ".ics")
Define = Callable[[str, JsonObject], Awaitable[object]]
Today = Callable[[], Awaitable[date]]
Texts = Mapping[str, bytes]


class CalendarFiles:
    """Reads `<key>.json`, `.yaml`, `.yml` and `.ics`, and defines the calendars they are about.

    `path` is one such file or a folder of them. Contents are compared, not times or names, so
    that folders which are swapped through a symbolic link are noticed like any other.
    """

    def __init__(self, path: Path, timezone: str, define: Define, today: Today) -> None:
        self._path = path
        self._timezone = timezone
        self._define = define
        self._today = today
        self._seen: dict[str, Texts] = {}
        self._complaint = ""

    async def tick(self) -> timedelta:
        """Define the calendars whose files changed since they were last looked at."""
        try:
            found = await asyncio.to_thread(_read, self._path)
        except (OSError, InvalidInput) as error:
            self._complain(f"calendars cannot be read: {error}")
            return EVERY
        self._complaint = ""
        for key, texts in found.items():
            if texts != self._seen.get(key):
                await self._bring(key, texts)
        self._seen = {key: texts for key, texts in self._seen.items() if key in found}
        return EVERY

    async def _bring(self, key: str, texts: Texts) -> None:
        today = await self._today()
        try:
            definition = await asyncio.to_thread(_definition, texts, self._timezone, today)
            await self._define(key, definition_to_json(definition))
        except StoreUnavailable:
            raise
        except TickwrightError as error:
            _log.error("the calendar %s cannot be taken from %s: %s", key, sorted(texts), error)
        self._seen[key] = texts

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            _log.error("%s", complaint)
        self._complaint = complaint


def read_definition(name: str, text: bytes) -> dict[str, Any]:
    """The JSON object in a JSON or YAML file; InvalidInput for `file` when there is none."""
    try:
        value = _yaml(text) if name.endswith(_YAML) else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            "file", f"{name} cannot be read: {' '.join(str(error).split())}"
        ) from None
    return checked_object("file", value)


def _read(path: Path) -> dict[str, Texts]:
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    paths = [each for each in paths if each.suffix in _SUFFIXES and each.name[0] != "."]
    if len(paths) > MAX_FILES:
        raise InvalidInput("calendarsPath", f"holds more than {MAX_FILES:,} calendars")
    if not paths and not path.is_dir():
        raise InvalidInput("calendarsPath", f"{path} is no folder and no {', '.join(_SUFFIXES)}")
    found: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
    for each in paths:
        with each.open("rb") as file:
            found[each.stem][each.name] = file.read(MAX_JSON_BYTES + 1)
    return dict(found)


def _definition(texts: Texts, timezone: str, today: date) -> CalendarDefinition:
    """What the files of one key say together: one definition at most, and its events."""
    events = {name: text for name, text in texts.items() if name.endswith(".ics")}
    said = {name: text for name, text in texts.items() if name not in events}
    for name, text in texts.items():
        if len(text) > MAX_JSON_BYTES:
            raise InvalidInput("file", f"{name} has more than {MAX_JSON_BYTES:,} bytes")
    if len(said) > 1:
        raise InvalidInput("file", f"{' and '.join(sorted(said))} define the same calendar")
    # Events alone close days; which weekdays are open is for another calendar to say.
    definition = CalendarDefinition(timezone=timezone, weekdays=WEEK)
    for name, text in said.items():
        base = CalendarDefinition(timezone=timezone)
        definition = definition_from_json(read_definition(name, text), base)
    zone = zone_of(definition.timezone, "timezone")
    for text in events.values():
        more = exceptions_in(text, zone, ExceptionKind.CLOSED, today)
        together = dict.fromkeys((*definition.exceptions, *more))
        definition = replace(definition, exceptions=tuple(together))
    return definition


def _yaml(text: bytes) -> Any:
    import yaml

    # Every scalar is a text: YAML's own reading makes false of Norway and times of dates.
    try:
        return yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except yaml.YAMLError as error:
        raise ValueError(error) from None
