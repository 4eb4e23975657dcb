"""A database that is stopped at once, ends its connections, or stays away for a while.

Invariant: nobody starts a process again. While it is away every process stays up and says so, and
within ten seconds of its return work goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.faults.campaign import campaign, together, verdict
from tests.faults.forms import Form, Verdict
from tests.faults.judge.case import Case
from tests.faults.judge.history import Fault, History
from tests.faults.world.clients import Habits
from tests.faults.world.faults import Act, Planned
from tests.faults.world.system import Settings, System, now

NAME = "database"
RESUME_SECONDS = 10.0
_NOTICE_SECONDS = 1.0
_PROBE_SECONDS = 0.5
_LIVE_SECONDS = 1.0
_READY_SECONDS = 5.0
_HABITS = Habits(schedules=6, pace=0.3, longest=3)
_QUIET_SECONDS = 25.0
_SHORT = [
    Planned(2.0, "terminate"),
    Planned(3.0, "away", seconds=0.0),
    Planned(9.0, "away", seconds=4.0),
]
_LONG = (
    [
        *(Planned(2.0 + n, "terminate") for n in range(20)),
        *(Planned(25.0 + 15 * n, "away", seconds=0.2 * n) for n in range(12)),
    ],
    [Planned(3.0, "away", seconds=60.0), Planned(90.0, "away", seconds=60.0)],
    [Planned(3.0, "away", seconds=600.0)],
)


async def run(form: Form, folder: Path) -> Verdict:
    """One campaign, or for the long form one for each kind of absence."""
    plans = _LONG if form.long else [_SHORT]
    return together(
        [await _round(form, plan, folder / f"{NAME}-{n + 1}") for n, plan in enumerate(plans)]
    )


async def _round(form: Form, plan: list[Planned], folder: Path) -> Verdict:
    last = max(planned.at + planned.seconds for planned in plan)
    settings = Settings(
        seed=form.seed,
        seconds=last + (_QUIET_SECONDS if form.long else RESUME_SECONDS / 2),
        habits=_HABITS,
        patience=90,
    )
    history = await campaign(settings, plan, folder, _ACTS)
    return verdict(
        NAME,
        history,
        folder / "history",
        injected=len(history.faults),
        further=[*_said_otherwise(history), *_slow_to_resume(history)],
    )


async def terminate(system: System, planned: Planned) -> Mapping[str, Any]:
    """End every connection from the server's side."""
    assert system.cluster is not None
    await system.cluster.terminate_backends(system.url)
    return {}


async def away(system: System, planned: Planned) -> Mapping[str, Any]:
    """Stop the server without a goodbye, watch what the services say, and start it again."""
    assert system.cluster is not None
    system.cluster.stop_immediate()
    answers: list[dict[str, Any]] = []
    deadline = time.monotonic() + planned.seconds
    await asyncio.sleep(min(_NOTICE_SECONDS, planned.seconds))
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        while time.monotonic() < deadline:
            for service in system.services:
                answers.append(await _probed(http, service))
            await asyncio.sleep(_PROBE_SECONDS)
    await system.cluster.start()
    return {"answers": answers, "ended_at": now()}


_ACTS: Mapping[str, Act] = {"terminate": terminate, "away": away}


async def _probed(http: httpx.AsyncClient, service: str) -> dict[str, Any]:
    """What `/live`, `/ready` and the API answer, and how long the first two take."""
    began = time.monotonic()
    live = await http.get(f"{service}/live")
    lived = time.monotonic()
    ready = await http.get(f"{service}/ready")
    readied = time.monotonic()
    asked = await http.get(f"{service}/schedules")
    return {
        "live": live.status_code,
        "live_seconds": lived - began,
        "ready": ready.status_code,
        "ready_seconds": readied - lived,
        "api": asked.status_code,
        "retry_after": asked.headers.get("Retry-After"),
    }


def _said_otherwise(history: History) -> list[str]:
    """Answers that do not fit an absent database."""
    wrong = []
    for fault in history.faults:
        for said in fault.detail.get("answers", []):
            fits = (said["live"], said["ready"], said["api"]) == (200, 503, 503)
            quick = said["live_seconds"] < _LIVE_SECONDS and said["ready_seconds"] < _READY_SECONDS
            if not (fits and quick and said["retry_after"]):
                wrong.append(f"while the database was away a service said {said}")
    return wrong


def _slow_to_resume(history: History) -> list[str]:
    """Absences after which nothing was taken up within ten seconds."""
    case = Case(history)
    claimed = sorted(claim.at for run in case.runs.values() for claim in run.claims())
    return [
        f"{wait:.1f} s until work went on after the database was back"
        for fault in history.faults
        if (wait := _wait(fault, claimed)) > RESUME_SECONDS
    ]


def _wait(fault: Fault, claimed: list[float]) -> float:
    back = fault.ended_at or 0.0
    return next((at - back for at in claimed if at > back), RESUME_SECONDS + 1)
