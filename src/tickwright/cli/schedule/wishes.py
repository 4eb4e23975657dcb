"""The options that say when a schedule happens and what it does, for creating and updating."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tickwright.cli.json_option import json_object
from tickwright.model.errors import InvalidInput
from tickwright.model.json import JsonObject
from tickwright.model.schedule import Misfire, Overlap
from tickwright.model.timestamps import from_rfc3339
from tickwright.model.timing import OnClosed, OutsideWindow

if TYPE_CHECKING:
    from tickwright.service.options import ScheduleOptions

KINDS = "--cron, --every, --at, --rrule and --trigger"
OPTIONS = {"timezone": "tz", "dstGap": "dst-gap", "dstOverlap": "dst-overlap"}
_PLAIN = (
    "name",
    "description",
    "category",
    "max_runs",
    "misfire",
    "overlap",
    "overlap_limit",
    "on_closed",
    "outside_window",
    "jitter",
    "allow_manual",
)

_NONE = "none"


@dataclass(frozen=True, slots=True)
class Rule:
    """When: one kind of rule, and what goes with it."""

    cron: Annotated[
        str | None,
        typer.Option("--cron", help='Cron expression, such as "0 9 * * 1".', show_default=False),
    ] = None
    every: Annotated[
        str | None, typer.Option("--every", help="Interval, such as 15m.", show_default=False)
    ] = None
    at: Annotated[
        str | None,
        typer.Option("--at", help="Once, such as 2030-01-31T09:00:00Z.", show_default=False),
    ] = None
    rrule: Annotated[
        str | None,
        typer.Option("--rrule", help='Recurrence rule, such as "FREQ=DAILY".', show_default=False),
    ] = None
    start: Annotated[
        str | None,
        typer.Option(
            "--start", help="What --rrule counts from, as shown there.", show_default=False
        ),
    ] = None
    trigger_json: Annotated[
        str | None,
        typer.Option("--trigger", help="JSON trigger, as on the wire.", show_default=False),
    ] = None
    tz: Annotated[
        str | None,
        typer.Option("--tz", help="IANA zone whose clock is followed.", show_default=False),
    ] = None
    dst_gap: Annotated[
        str | None,
        typer.Option("--dst-gap", help="Times left out: after, shift or skip.", show_default=False),
    ] = None
    dst_overlap: Annotated[
        str | None,
        typer.Option(
            "--dst-overlap", help="Times that repeat: first, last or both.", show_default=False
        ),
    ] = None

    def trigger(self) -> JsonObject | None:
        """The trigger these say, if they say one; InvalidInput when they say two."""
        rules = self._rules()
        if len(rules) > 1:
            raise InvalidInput("trigger", f"takes only one of {KINDS}")
        if self.start is not None and self.rrule is None:
            raise InvalidInput("start", "goes with --rrule only")
        said = {"timezone": self.tz, "dstGap": self.dst_gap, "dstOverlap": self.dst_overlap}
        clock = {name: value for name, value in said.items() if value is not None}
        if clock and self.every is not None:
            raise InvalidInput(OPTIONS[next(iter(clock))], "goes with rules on the clock of a zone")
        return {**rules[0], **clock} if rules else None

    def _rules(self) -> list[JsonObject]:
        start = {} if self.start is None else {"start": self.start}
        plain = (
            (self.cron, {"type": "cron", "expression": self.cron}),
            (self.every, {"type": "interval", "every": self.every}),
            (self.at, {"type": "one_shot", "at": self.at}),
            (self.rrule, {"type": "rrule", "rule": self.rrule, **start}),
        )
        rules: list[JsonObject] = [rule for given, rule in plain if given is not None]
        if self.trigger_json is not None:
            rules.append(json_object("trigger", self.trigger_json))
        return rules


@dataclass(frozen=True, slots=True)
class Details:
    """Everything else that may be said of a schedule."""

    payload: Annotated[
        str | None,
        typer.Option("--payload", help="JSON object for the job.", show_default=False),
    ] = None
    target: Annotated[
        str | None,
        typer.Option("--target", help="JSON target; else the job's handler.", show_default=False),
    ] = None
    name: Annotated[
        str | None, typer.Option("--name", help="Name for people.", show_default=False)
    ] = None
    description: Annotated[str | None, typer.Option("--description", show_default=False)] = None
    category: Annotated[str | None, typer.Option("--category", show_default=False)] = None
    starts_at: Annotated[
        str | None, typer.Option("--starts-at", help="Not before.", show_default=False)
    ] = None
    ends_at: Annotated[
        str | None, typer.Option("--ends-at", help="Not after.", show_default=False)
    ] = None
    max_runs: Annotated[
        int | None, typer.Option("--max-runs", help="At most so many runs.", show_default=False)
    ] = None
    misfire: Annotated[
        Misfire | None,
        typer.Option("--misfire", help="For what was missed.", show_default=False),
    ] = None
    overlap: Annotated[
        Overlap | None,
        typer.Option("--overlap", help="While an earlier run is open.", show_default=False),
    ] = None
    overlap_limit: Annotated[
        int | None,
        typer.Option("--overlap-limit", help="How many wait, by `queue`.", show_default=False),
    ] = None
    calendar: Annotated[
        list[str] | None,
        typer.Option("--calendar", help="Go by this one too; none for none.", show_default=False),
    ] = None
    on_closed: Annotated[
        OnClosed | None,
        typer.Option("--on-closed", help="On a day that is closed.", show_default=False),
    ] = None
    window: Annotated[
        str | None,
        typer.Option("--window", help="Only then, such as 22:00-06:00.", show_default=False),
    ] = None
    outside_window: Annotated[
        OutsideWindow | None,
        typer.Option("--outside-window", help="Outside of it.", show_default=False),
    ] = None
    jitter: Annotated[
        str | None, typer.Option("--jitter", help="Delay, up to.", show_default=False)
    ] = None
    allow_manual: Annotated[
        bool | None,
        typer.Option(
            "--allow-manual/--no-allow-manual",
            help="Whether it may be run by hand.",
            show_default=False,
        ),
    ] = None

    def options(self) -> ScheduleOptions:
        """What was said, for the scheduler; what was not is absent."""
        found: ScheduleOptions = {}
        if self.payload is not None:
            found["payload"] = json_object("payload", self.payload)
        if self.target is not None:
            found["target"] = json_object("target", self.target)
        if self.starts_at is not None:
            found["starts_at"] = from_rfc3339("startsAt", self.starts_at)
        if self.ends_at is not None:
            found["ends_at"] = from_rfc3339("endsAt", self.ends_at)
        if self.calendar is not None:
            found["calendars"] = [key for key in self.calendar if key != _NONE]
        if self.window is not None:
            found["window"] = None if self.window == _NONE else self.window
        said = {name: getattr(self, name) for name in _PLAIN}
        found.update({name: value for name, value in said.items() if value is not None})  # type: ignore[typeddict-item]
        return found
