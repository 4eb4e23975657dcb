"""A host application whose handler holds up its event loop, as `--app` names it."""

from __future__ import annotations

import time
from typing import Any

from tests.faults.engine_process import HANDLER
from tickwright import Scheduler

HELD_UP = "the loop is held up"

scheduler = Scheduler()


@scheduler.handler(HANDLER)
async def hold_up_the_loop(_tenant_id: str | None, payload: dict[str, Any]) -> None:
    print(HELD_UP, flush=True)
    time.sleep(payload["hold_up"])  # noqa: ASYNC251 - that is the mistake
