"""The ten lines: a handler, a schedule, and a scheduler that runs both in this program."""

import asyncio
from datetime import timedelta

from tickwright import Scheduler, every, tenant

scheduler = Scheduler("sqlite:///embed.db")


@scheduler.handler("report.send")
async def send_report(tenant_id: str | None, payload: dict[str, str]) -> None:
    print(f"report for {tenant_id} to {payload['to']}")


async def main() -> None:
    async with scheduler:
        acme = tenant("acme")
        schedule = await scheduler.register(
            acme, "daily-report", "report.send", every("1d"), payload={"to": "ops@acme.example"}
        )
        run = await scheduler.trigger_schedule(acme, schedule.id)
        run = await scheduler.wait_for_run(acme, run.id, timedelta(seconds=10))
        print(run.status, "and again at", schedule.next_run_at)


asyncio.run(main())
