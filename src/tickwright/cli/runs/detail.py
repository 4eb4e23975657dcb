"""One run, shown; and changed, then shown."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from tickwright.cli.wording import moment_in_words, progress_in_words
from tickwright.model.clock import SystemClock

if TYPE_CHECKING:
    from datetime import datetime

    from tickwright.cli.options import Place
    from tickwright.cli.session import Session
    from tickwright.model.run import Run

RunId = Annotated[UUID, typer.Argument(metavar="RUN", help="The run's id.")]
Work = Callable[["Session"], Awaitable["Run"]]


def show_after(place: Place, work: Work, *, as_json: bool) -> None:
    """Print the run that `work` answers with."""
    from tickwright.cli.output import console, print_json, print_pairs
    from tickwright.cli.session import in_session
    from tickwright.cli.shapes import run_json

    async def seen(session: Session) -> tuple[Run, datetime]:
        return await work(session), await SystemClock().now()

    run, now = in_session(place, seen)
    if as_json:
        print_json(run_json(run))
    else:
        print_pairs(console(), list(pairs(run, now).items()))


def pairs(run: Run, now: datetime) -> dict[str, str]:
    said: dict[str, Any] = {
        "Run": run.id,
        "Schedule": run.schedule_key,
        "Job": run.job_key,
        "Status": f"{run.status.value} ({run.reason})" if run.reason else run.status.value,
        "Waits for": run.gate and run.gate.value,
        "Cause": run.cause.value,
        "Repeats": run.replay_of,
        "Due": moment_in_words(run.nominal_at, now),
        "Started": run.started_at and moment_in_words(run.started_at, now),
        "Finished": run.finished_at and moment_in_words(run.finished_at, now),
        "Attempt": run.attempt if run.attempt > 1 else None,
        "Worker": run.worker_id,
        "Progress": run.progress and progress_in_words(run.progress),
        "Payload": json.dumps(dict(run.payload), ensure_ascii=False),
        "Result": None if run.result is None else json.dumps(run.result, ensure_ascii=False),
        "Error": run.error and run.error.splitlines()[0],
    }
    return {name: str(value) for name, value in said.items() if value is not None}
