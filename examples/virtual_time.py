"""Testing an application's schedules without waiting: a week passes in a blink."""

import asyncio
from datetime import timedelta
from typing import Any

from tickwright import cron, tenant
from tickwright.testing import ManualScheduler


async def main() -> None:
    sent: list[str | None] = []

    async def send(tenant_id: str | None, payload: dict[str, Any]) -> None:
        sent.append(tenant_id)

    async with ManualScheduler() as scheduler:
        scheduler.register_handler("report.send", send)
        await scheduler.create_schedule(tenant("acme"), "report.send", cron("0 9 * * 1-5"))
        await scheduler.advance(timedelta(days=7))
    print(len(sent), "reports in a week of working days")
    assert len(sent) == 5


asyncio.run(main())
