"""Noting when the machine gives the experiment no time, so that nobody else is blamed for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.faults.judge.history import Fault

KIND = "stillness"
_LOOK_SECONDS = 0.1
_STILL_SECONDS = 0.2


@asynccontextmanager
async def noted(faults: list[Fault]) -> AsyncIterator[None]:
    """Within the block, stretches in which this process did not get to run are faults."""
    watching = asyncio.create_task(_watch(faults))
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _watch(faults: list[Fault]) -> None:
    while True:
        began, at = time.monotonic(), _now()
        await asyncio.sleep(_LOOK_SECONDS)
        late = time.monotonic() - began - _LOOK_SECONDS
        if late > _STILL_SECONDS:
            faults.append(Fault(KIND, "machine", at, _now(), {"seconds": round(late, 3)}))


def _now() -> float:
    return time.time()  # noqa: TID251 - histories are in real time
