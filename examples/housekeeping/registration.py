"""Telling the scheduler which jobs this service has, as soon as it is there to listen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from aiohttp import ClientError, ClientSession, ClientTimeout

from .job import Job
from .jobs import JOBS

log = logging.getLogger("housekeeping")
ABOUT_A_MINUTE = (0.1, 0.2, 0.4, 0.8, *[1.0] * 58)


class NotRegistered(Exception):
    """The scheduler did not become ready, or did not take a job."""


async def register_jobs(
    scheduler_url: str, service_token: str | None = None, pauses: Iterable[float] = ABOUT_A_MINUTE
) -> None:
    """Repeating it is harmless: the scheduler knows a job by its name."""
    url = scheduler_url.rstrip("/")
    headers = {"X-Service-Token": service_token} if service_token else {}
    async with ClientSession(headers=headers, timeout=ClientTimeout(total=5)) as session:
        await wait_until_ready(session, f"{url}/ready", pauses)
        for job in JOBS:
            await register(session, f"{url}/api/jobs/register", job)
    log.info("registered %s", ", ".join(job.name for job in JOBS))


async def wait_until_ready(session: ClientSession, url: str, pauses: Iterable[float]) -> None:
    for pause in pauses:
        try:
            async with session.get(url) as answer:
                if answer.ok:
                    return
        except (ClientError, TimeoutError):
            pass
        await asyncio.sleep(pause)
    raise NotRegistered(f"no scheduler became ready at {url}")


async def register(session: ClientSession, url: str, job: Job) -> None:
    try:
        async with session.post(url, json=job.registration()) as answer:
            if not answer.ok:
                raise NotRegistered(f"{job.name}: {answer.status} {await answer.text()}")
    except (ClientError, TimeoutError) as lost:
        raise NotRegistered(f"{job.name}: {lost!r}") from lost
