"""A FastAPI application that embeds the scheduler and mounts its API under /scheduler."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from tickwright import Scheduler, cron, tenant
from tickwright.api import create_app

scheduler = Scheduler("sqlite:///fastapi.db")
ACME = tenant("acme")


@scheduler.handler("invoice.remind")
async def remind(tenant_id: str | None, payload: dict[str, str]) -> dict[str, int]:
    return {"reminded": 3}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with scheduler:
        await scheduler.register(
            ACME, "reminders", "invoice.remind", cron("0 9 * * 1-5", tz="Europe/Berlin")
        )
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/scheduler", create_app(scheduler, default_scope=ACME, version="1", manage=False))


async def main() -> None:
    transport = httpx.ASGITransport(app)
    async with lifespan(app), httpx.AsyncClient(transport=transport, base_url="http://app") as web:
        answer = await web.get("/scheduler/schedules")
        print([(row["key"], row["nextRunAt"]) for row in answer.json()["data"]])


if __name__ == "__main__":
    asyncio.run(main())
