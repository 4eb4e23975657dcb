"""Waiting runs that each post to a service: deliveries a second until the last is recorded.

Tickwright uses its own HTTP target. The floor and the peers post from their handlers, through one
session of the same client with as many connections.
"""

from __future__ import annotations

import asyncio
import time

import aiohttp

from bench.lines.base import (
    Budget,
    Figure,
    Form,
    Incomplete,
    Line,
    Sample,
    Task,
    Variant,
    quiet,
    until_recorded,
)

CONNECTIONS = 100
PATIENCE_SECONDS = 180.0
_LOOK_SECONDS = 0.05
_BODY = b'{"jobName":"bench","config":{"n":1},"executionId":"1","triggeredBy":"scheduler"}'
_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}


def variants(form: Form) -> list[Variant]:
    count = 200 if form.short else 10_000
    return [Variant(f"{count:,} waiting", {"count": count})]


async def measure(task: Task) -> Sample:
    url = f"{task.place.sink_url}/{task.place.prefix}"
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, headers=_HEADERS) as session:

        async def handler(due: float | None) -> None:
            async with session.post(url, data=_BODY) as response:
                await response.read()

        async with task.opened(handler) as contender:
            count = round(task.options["count"] * contender.share)
            await contender.deliveries(count)
            contender.prepare()
            quiet()
            async with contender.working():
                ready = time.time()
                deadline = time.monotonic() + PATIENCE_SECONDS
                while (await _seen(session, url))["count"] < count:
                    if time.monotonic() > deadline:
                        raise Incomplete(f"{count} were not delivered")
                    await asyncio.sleep(_LOOK_SECONDS)
                recorded = await until_recorded(contender, PATIENCE_SECONDS)
            seen = await _seen(session, url)
    return {"count": seen["count"], "rate": count / (recorded - min(ready, seen["first"]))}


async def _seen(session: aiohttp.ClientSession, url: str) -> dict[str, float]:
    async with session.get(url) as response:
        answer: dict[str, float] = await response.json()
        return answer


LINE = Line(
    name="deliveries",
    title="HTTP deliveries",
    figures=(
        Figure(
            "rate",
            "deliveries a second, claim to finish",
            unit="/s",
            digits=0,
            higher_is_better=True,
            budgets=(Budget(3_000),),
        ),
    ),
    variants=variants,
    measure=measure,
)
