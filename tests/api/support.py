"""What the API's tests share: requests in few words, and an engine that is driven by hand."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tickwright.bootstrap import Scheduler
from tickwright.model.scope import tenant

ACME = tenant("acme")
OTHER = tenant("other")
CRON = {"type": "cron", "expression": "0 9 * * 1", "timezone": "UTC"}
EMAIL = {"type": "http", "service": "email-service", "endpoint": "/api/jobs/weekly-digest"}
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
UNKNOWN_ID = "01950000-0000-7000-8000-000000000001"

DIGEST: dict[str, Any] = {
    "name": "weekly-digest",
    "displayName": "Weekly Digest",
    "description": "Send weekly trending content to users",
    "cronExpression": "0 9 * * 1",
    "enabled": True,
    "jobType": "email",
    "service": "email-service",
    "endpoint": "/api/jobs/weekly-digest",
    "config": {"batchSize": 100, "maxUsers": 10000},
}


class Engine:
    """Plans and executes in rounds, so that a test says when something happens."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._runtime = scheduler._runtime

    async def open(self) -> None:
        await self._runtime.register()

    async def round(self) -> None:
        await self._runtime.tick()

    async def close(self) -> None:
        for target in self._runtime.parts.targets.values():
            await target.close()


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def create(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    """A new schedule, as the API answers it."""
    body = {"key": "nightly", "jobKey": "report", "trigger": CRON} | changes
    answer = await client.post("/schedules", json=body)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def register(client: httpx.AsyncClient, **changes: Any) -> None:
    answer = await client.post("/api/jobs/register", json=DIGEST | changes)
    assert answer.status_code == 200, answer.text


def problem_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document, with what every one of them must hold."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["type"] == f"/problems/{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert document["requestId"] == answer.headers["x-request-id"]
    return document


def paths_of(problem: dict[str, Any]) -> list[str]:
    return [error["path"] for error in problem["errors"]]
