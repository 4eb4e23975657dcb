"""The options that make a calendar, for creating and updating."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from tickwright.model.errors import InvalidInput
from tickwright.model.json import MAX_JSON_BYTES

_NONE = "none"
_KINDS = ("closed", "open", "freeze")
Key = Annotated[str, typer.Argument(metavar="KEY", help="Which calendar.")]


@dataclass(frozen=True, slots=True)
class Wishes:
    """A calendar, or the parts of one that are to change."""

    file: Annotated[
        Path | None,
        typer.Option("--file", help="JSON or YAML to begin with, - for stdin.", show_default=False),
    ] = None
    tz: Annotated[
        str | None, typer.Option("--tz", help="IANA zone of its days.", show_default=False)
    ] = None
    weekdays: Annotated[
        str | None,
        typer.Option("--weekdays", help="Such as mon,tue,sat, or none.", show_default=False),
    ] = None
    holidays: Annotated[
        list[str] | None,
        typer.Option(
            "--holidays", help="Of a country or part, such as DE-BY, or none.", show_default=False
        ),
    ] = None
    closed: Annotated[
        list[str] | None,
        typer.Option(
            "--closed",
            metavar="SPAN[=NAME]",
            help="2026-12-24, 2026-12-24..2026-12-31, or times such as 2026-12-24T12:00.",
            show_default=False,
        ),
    ] = None
    open: Annotated[
        list[str] | None,
        typer.Option(
            "--open",
            metavar="SPAN[=NAME]",
            help="Days that are open all the same.",
            show_default=False,
        ),
    ] = None
    freeze: Annotated[
        list[str] | None,
        typer.Option(
            "--freeze",
            metavar="SPAN[=NAME]",
            help="Closed whatever else is said.",
            show_default=False,
        ),
    ] = None
    name: Annotated[str | None, typer.Option("--name", help="For people.", show_default=False)] = (
        None
    )
    description: Annotated[
        str | None, typer.Option("--description", help="For people.", show_default=False)
    ] = None

    def changes(self) -> dict[str, Any]:
        """What was said, by the API's names, but for the exceptions of options."""
        said: dict[str, Any] = {} if self.file is None else _read(self.file)
        said |= {"timezone": self.tz} if self.tz else {}
        said |= {"name": self.name} if self.name else {}
        said |= {"description": self.description} if self.description else {}
        if self.weekdays is not None:
            days = self.weekdays.split(",")
            said["weekdays"] = [] if days == [_NONE] else [day.strip() for day in days]
        if self.holidays:
            wanted = [] if self.holidays == [_NONE] else self.holidays
            said["holidays"] = [_holidays(each) for each in wanted]
        return said

    def exceptions(self) -> list[dict[str, Any]]:
        """The exceptions that options say."""
        return [_exception(kind, each) for kind in _KINDS for each in getattr(self, kind) or ()]


def bytes_of(file: Path) -> bytes:
    """What is in the file, or comes from stdin; InvalidInput when it cannot be read."""
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(MAX_JSON_BYTES + 1)
        with file.open("rb") as opened:
            return opened.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise InvalidInput("file", f"cannot be read: {error.strerror or error}") from None


def _read(file: Path) -> dict[str, Any]:
    from tickwright.service.calendar_files import read_definition

    return read_definition(file.name, bytes_of(file))


def _holidays(text: str) -> dict[str, Any]:
    country, dash, subdivision = text.partition("-")
    return {"country": country, **({"subdivision": subdivision} if dash else {})}


def _exception(kind: str, text: str) -> dict[str, Any]:
    span, equals, name = text.partition("=")
    first, dots, last = span.strip().partition("..")
    return {
        "kind": kind,
        "from": first,
        **({"to": last} if dots else {}),
        **({"name": name.strip()} if equals else {}),
    }
