"""The options that make a job's policy, for creating and updating."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from tickwright.model.errors import InvalidInput
from tickwright.model.job import Ambiguity, BackoffKind
from tickwright.service.options import camel

_PLAIN = ("queue", "priority", "max_attempts", "timeout", "max_lost", "dead_letter")
_COUNTS = ("concurrency", "tenant_concurrency", "key_concurrency", "pause_after", "keep_last")
_TEXTS = ("concurrency_key", "heartbeat_timeout", "sla_start", "sla_duration", "keep_for")
_NONE = "none"
Key = Annotated[str, typer.Argument(metavar="KEY", help="Which job.")]


@dataclass(frozen=True, slots=True)
class Wishes:
    """A policy, or the parts of one that are to change."""

    queue: Annotated[
        str | None, typer.Option("--queue", help="Where its runs wait.", show_default=False)
    ] = None
    priority: Annotated[
        int | None, typer.Option("--priority", help="1 to 9; higher first.", show_default=False)
    ] = None
    max_attempts: Annotated[
        int | None, typer.Option("--max-attempts", help="1 to 100.", show_default=False)
    ] = None
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", help="Of one attempt, such as 15m.", show_default=False),
    ] = None
    max_lost: Annotated[
        int | None,
        typer.Option("--max-lost", help="How many workers it may lose.", show_default=False),
    ] = None
    on_ambiguous: Annotated[
        Ambiguity | None,
        typer.Option(
            "--on-ambiguous", help="When an attempt may have done its work.", show_default=False
        ),
    ] = None
    dead_letter: Annotated[
        bool | None,
        typer.Option(
            "--dead-letter/--no-dead-letter",
            help="Whether a run without attempts left is dead, or just failed.",
            show_default=False,
        ),
    ] = None
    backoff: Annotated[
        BackoffKind | None,
        typer.Option("--backoff", help="How delays grow.", show_default=False),
    ] = None
    base: Annotated[
        str | None, typer.Option("--base", help="First delay, such as 10s.", show_default=False)
    ] = None
    factor: Annotated[
        float | None,
        typer.Option("--factor", help="Growth of each delay.", show_default=False),
    ] = None
    cap: Annotated[
        str | None, typer.Option("--cap", help="Longest delay, such as 1h.", show_default=False)
    ] = None
    jitter: Annotated[
        bool | None,
        typer.Option(
            "--jitter/--no-jitter", help="Half of each delay is random.", show_default=False
        ),
    ] = None
    delay: Annotated[
        list[str] | None,
        typer.Option("--delay", help="One of a list of delays, in turn.", show_default=False),
    ] = None

    concurrency: Annotated[
        str | None,
        typer.Option("--concurrency", help="Running runs of the job, or none.", show_default=False),
    ] = None
    tenant_concurrency: Annotated[
        str | None,
        typer.Option(
            "--tenant-concurrency", help="Running runs of the tenant, or none.", show_default=False
        ),
    ] = None
    key_concurrency: Annotated[
        str | None,
        typer.Option(
            "--key-concurrency",
            help="Running runs per value of the key, or none.",
            show_default=False,
        ),
    ] = None
    concurrency_key: Annotated[
        str | None,
        typer.Option(
            "--concurrency-key", help="A field of the payload, or none.", show_default=False
        ),
    ] = None
    rate: Annotated[
        str | None,
        typer.Option(
            "--rate", help="Starts per time, such as 100/1m, or none.", show_default=False
        ),
    ] = None
    rate_by_key: Annotated[
        bool, typer.Option("--rate-by-key", help="The rate is for each value of the key.")
    ] = False
    heartbeat_timeout: Annotated[
        str | None,
        typer.Option(
            "--heartbeat-timeout",
            help="Silence that stops an attempt, or none.",
            show_default=False,
        ),
    ] = None
    sla_start: Annotated[
        str | None,
        typer.Option(
            "--sla-start", help="Lateness that raises an event, or none.", show_default=False
        ),
    ] = None
    sla_duration: Annotated[
        str | None,
        typer.Option(
            "--sla-duration", help="Duration that raises an event, or none.", show_default=False
        ),
    ] = None
    pause_after: Annotated[
        str | None,
        typer.Option(
            "--pause-after", help="Failures that pause a schedule, or none.", show_default=False
        ),
    ] = None
    keep_for: Annotated[
        str | None,
        typer.Option("--keep-for", help="How long ended runs stay, or none.", show_default=False),
    ] = None
    keep_last: Annotated[
        str | None,
        typer.Option("--keep-last", help="How many ended runs stay, or none.", show_default=False),
    ] = None

    def changes(self) -> dict[str, Any]:
        """What was said, by the API's names; what was not is absent."""
        said: dict[str, Any] = {camel(name): getattr(self, name) for name in _PLAIN}
        said["onAmbiguous"] = self.on_ambiguous and self.on_ambiguous.value
        said["backoff"] = self._backoff() or None
        said = {name: value for name, value in said.items() if value is not None}
        return said | self._bounds()

    def _bounds(self) -> dict[str, Any]:
        """What may be given up with `none`, which is null in the API."""
        said: dict[str, Any] = {camel(name): _count(name, getattr(self, name)) for name in _COUNTS}
        said |= {camel(name): getattr(self, name) for name in _TEXTS}
        said["rate"] = _rate(self.rate, self.rate_by_key)
        return {
            name: None if value == _NONE else value
            for name, value in said.items()
            if value is not None
        }

    def _backoff(self) -> dict[str, Any]:
        said = {
            "kind": self.backoff.value if self.backoff else ("list" if self.delay else None),
            "base": self.base,
            "factor": self.factor,
            "cap": self.cap,
            "jitter": self.jitter,
            "delays": self.delay or None,
        }
        return {name: value for name, value in said.items() if value is not None}


def _count(name: str, value: str | None) -> int | str | None:
    if value is None or value == _NONE:
        return value
    try:
        return int(value)
    except ValueError:
        raise InvalidInput(camel(name), f"{value!r} is no whole number and not `none`") from None


def _rate(value: str | None, by_key: bool) -> dict[str, Any] | str | None:
    if value is None or value == _NONE:
        return value
    starts, _, per = value.partition("/")
    if not starts.isdecimal() or not per:
        raise InvalidInput("rate", f"{value!r} is no rate such as 100/1m")
    return {"starts": int(starts), "per": per, "byKey": by_key}
