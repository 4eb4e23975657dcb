"""An application's own row follows its run: scheduled, running, completed or failed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tickwright import Scheduler, at, tenant

scheduler = Scheduler("sqlite:///follow.db")
campaigns: dict[str, str] = {"spring": "scheduled"}
done = asyncio.Event()


@scheduler.handler("campaign.execute")
async def execute(tenant_id: str | None, payload: dict[str, str]) -> None:
    print("sending", payload["campaignId"])


@scheduler.on_run_start
def running(run: Any) -> None:
    campaigns[run.payload["campaignId"]] = "running"


@scheduler.on_run_end
def ended(end: Any) -> None:
    if not end.will_retry:
        succeeded = end.status == "succeeded"
        campaigns[end.run.payload["campaignId"]] = "completed" if succeeded else "failed"
        done.set()


async def main() -> None:
    async with scheduler:
        soon = datetime.now(UTC) + timedelta(seconds=0.2)
        await scheduler.create_schedule(
            tenant("acme"), "campaign.execute", at(soon), payload={"campaignId": "spring"}
        )
        await asyncio.wait_for(done.wait(), 10)
    print(campaigns)


asyncio.run(main())
