"""Process clocks that jump, drift or stand still, while the database's clock is right.

libfaketime is preloaded into every process and reads what its wall clock is to say from a file;
the monotonic clock is left alone, as it is on a machine whose time is set.
"""

from __future__ import annotations

import random
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.faults.campaign import campaign, verdict
from tests.faults.forms import Form, Verdict
from tests.faults.world.clients import Habits
from tests.faults.world.faults import Act, Planned
from tests.faults.world.system import Settings, System

NAME = "clocks"
SHORT_JUMPS = 8
LONG_JUMPS = 60
EVERY_SECONDS = 1.5
_PLACES = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",
    "/usr/lib*/faketime/libfaketimeMT.so.1",
    f"{sysconfig.get_path('purelib')}/libfaketime/vendor/libfaketime/src/libfaketimeMT.so.1",
)
_NAMES = ("service-1", "service-2", "worker-1", "worker-2", "worker-3")
_JUMPS = ("+1h", "-1h", "+3s", "-3s", "+400d", "-400d", "+0 x3", "+0 x0.2", "2026-03-29 01:59:59")
_RIGHT = "+0"
_HABITS = Habits(schedules=6, pace=0.3, longest=3)


async def run(form: Form, folder: Path) -> Verdict:
    """One jump after the other, of one process or all of them."""
    preloaded, files = library(), folder / "clocks"
    files.mkdir(parents=True)
    for name in _NAMES:
        _file(files, name).write_text(_RIGHT)

    def environment(name: str) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(preloaded),
            "FAKETIME_TIMESTAMP_FILE": str(_file(files, name)),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    jumps = LONG_JUMPS if form.long else SHORT_JUMPS
    settings = Settings(
        seed=form.seed,
        seconds=jumps * EVERY_SECONDS + 3,
        habits=_HABITS,
        forked=False,
        environment=environment,
    )
    planned, acts = _planned(form.seed, jumps, files)
    history = await campaign(settings, planned, folder / NAME, acts)
    return verdict(NAME, history, folder / NAME / "history", injected=len(history.faults))


def library() -> Path:
    """Where libfaketime for programs with threads is; LookupError when it is nowhere."""
    for place in _PLACES:
        for path in Path("/").glob(place.lstrip("/")):
            return path
    raise LookupError("libfaketime is not installed; `make .venv/.tools` tries to")


def _file(files: Path, name: str) -> Path:
    return files / name


def _planned(seed: int, jumps: int, files: Path) -> tuple[list[Planned], dict[str, Act]]:
    """Each jump is a kind of its own: what the clock says is in its name."""
    chance = random.Random(f"{seed} clocks")
    planned = [
        Planned(
            at=round((n + chance.random()) * EVERY_SECONDS, 3),
            kind=f"clock {chance.choice(_JUMPS)}",
            target=chance.choice((*_NAMES, "")),
        )
        for n in range(jumps)
    ]
    return planned, {each.kind: _jump(each.kind.partition(" ")[2], files) for each in planned}


def _jump(to: str, files: Path) -> Act:
    async def act(system: System, planned: Planned) -> Mapping[str, Any]:
        for name in [planned.target] if planned.target else _NAMES:
            _file(files, name).write_text(to)
        return {"says": to}

    return act
