"""`tickwright run`: one run of a schedule by hand, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tickwright.cli.command import FAILED, OK, TIMED_OUT, command, complain, note
from tickwright.cli.json_option import json_object
from tickwright.cli.options import Json, Named, Place

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.run import Run
    from tickwright.model.schedule import Schedule

_DEFAULT_SECONDS = 60.0
_LONGEST_SECONDS = 7 * 86_400.0


@command
def run(  # noqa: PLR0913 - every option is a parameter
    named: Named,
    place: Place,
    *,
    payload: Annotated[
        str | None,
        typer.Option("--payload", help="A JSON object instead of its own.", show_default=False),
    ] = None,
    wait: Annotated[
        bool | None,
        typer.Option(
            "--wait/--no-wait",
            help="Wait for the result; by default when a worker is there to give one.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0, max=_LONGEST_SECONDS, help="Seconds to wait at most."),
    ] = _DEFAULT_SECONDS,
    force: Annotated[
        bool, typer.Option("--force", help="Run it although it is not active.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a schedule's job once, now; exit code 1 when the run fails, 124 when it takes too long.

    The schedule's own times are not touched.
    """
    from tickwright.cli.session import in_session
    from tickwright.model.run import RunStatus
    from tickwright.model.states import OPEN_RUNS

    wanted = _Wanted(
        named,
        None if payload is None else json_object("payload", payload),
        wait=wait,
        force=force,
        timeout=timedelta(seconds=timeout),
    )
    made, waited = in_session(place, lambda session: _triggered(session, wanted))
    _show(made, as_json=as_json)
    if made.status not in OPEN_RUNS:
        raise typer.Exit(OK if made.status is RunStatus.SUCCEEDED else FAILED)
    if waited:
        complain(f"the run has not ended within {timeout:g} s; it goes on")
        raise typer.Exit(TIMED_OUT)
    if wait is None:
        note("queued: no worker that serves it is online")


@dataclass(frozen=True, slots=True)
class _Wanted:
    named: str
    payload: dict[str, Any] | None
    wait: bool | None
    force: bool
    timeout: timedelta


async def _triggered(session: Session, wanted: _Wanted) -> tuple[Run, bool]:
    """The run, ended or not, and whether it was waited for."""
    schedule = await session.scheduler.get_schedule(session.scope, wanted.named)
    made = await session.scheduler.trigger_schedule(
        session.scope,
        schedule.id,
        payload=wanted.payload,
        triggered_by=session.actor,
        force=wanted.force,
    )
    wait = await _attended(session, schedule) if wanted.wait is None else wanted.wait
    return (await _ended(session, made, wanted.timeout) if wait else made), wait


async def _ended(session: Session, made: Run, timeout: timedelta) -> Run:
    from asyncio import CancelledError

    try:
        return await session.scheduler.wait_for_run(session.scope, made.id, timeout)
    except CancelledError:
        note(f"run {made.id} goes on without us")
        raise


async def _attended(session: Session, schedule: Schedule) -> bool:
    """Whether a live worker serves what the schedule needs."""
    from tickwright.model.schedule import Health

    (health,) = await session.scheduler.health(schedule)
    status = await session.scheduler.status()
    return status.workers_online > 0 and health is not Health.NO_HANDLER


def _show(made: Run, *, as_json: bool) -> None:
    import json

    from tickwright.cli.output import console, print_json, print_pairs
    from tickwright.cli.shapes import run_json

    if as_json:
        print_json(run_json(made))
        return
    pairs = [("Run", str(made.id)), ("Status", made.status.value)]
    if made.duration is not None:
        pairs.append(("Duration", f"{made.duration.total_seconds():.3f} s"))
    if made.attempt > 1:
        pairs.append(("Attempt", str(made.attempt)))
    if made.result is not None:
        pairs.append(("Result", json.dumps(made.result, ensure_ascii=False)))
    if made.error:
        pairs.append(("Error", made.error.splitlines()[0]))
    print_pairs(console(), pairs)
