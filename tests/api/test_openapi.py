"""The OpenAPI document says what the API does, and /docs says it to people."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from fastapi.openapi.models import OpenAPI

from .support import ON_SQLITE, create

pytestmark = ON_SQLITE
ROUTES = {
    "GET /live": "live",
    "GET /ready": "ready",
    "GET /health": "health",
    "GET /schedules": "listSchedules",
    "POST /schedules": "createSchedule",
    "GET /schedules/{ref}": "getSchedule",
    "PATCH /schedules/{ref}": "updateSchedule",
    "DELETE /schedules/{ref}": "deleteSchedule",
    "POST /schedules/{ref}/pause": "pauseSchedule",
    "POST /schedules/{ref}/resume": "resumeSchedule",
    "POST /schedules/{ref}/cancel": "cancelSchedule",
    "POST /schedules/{ref}/trigger": "triggerSchedule",
    "GET /jobs": "listJobs",
    "POST /jobs": "createJob",
    "GET /jobs/{key}": "getJob",
    "PATCH /jobs/{key}": "updateJob",
    "DELETE /jobs/{key}": "deleteJob",
    "GET /calendars": "listCalendars",
    "POST /calendars": "createCalendar",
    "GET /calendars/{key}": "getCalendar",
    "PATCH /calendars/{key}": "updateCalendar",
    "DELETE /calendars/{key}": "deleteCalendar",
    "GET /calendars/{key}/days": "listCalendarDays",
    "POST /calendars/{key}/import": "importCalendar",
    "GET /runs": "listRuns",
    "GET /runs/{runId}": "getRun",
    "GET /runs/{runId}/logs": "getRunLogs",
    "GET /runs/{runId}/stream": "streamRun",
    "POST /runs": "runJob",
    "POST /runs/cancel": "cancelRuns",
    "POST /runs/retry": "retryRuns",
    "POST /runs/{runId}/retry": "retryRun",
    "POST /runs/{runId}/cancel": "cancelRun",
    "GET /workers": "listWorkers",
    "GET /changes": "listChanges",
    "POST /api/jobs/register": "registerServiceJob",
    "GET /api/jobs": "listServiceJobs",
    "GET /api/jobs/{name}": "getServiceJob",
    "POST /api/jobs/{name}/trigger": "triggerServiceJob",
    "POST /api/jobs/{name}/enable": "enableServiceJob",
    "POST /api/jobs/{name}/disable": "disableServiceJob",
    "DELETE /api/jobs/{name}": "deleteServiceJob",
    "PUT /api/jobs/{name}/cron": "changeServiceJobCron",
    "GET /api/jobs/{name}/history": "getServiceJobHistory",
    "GET /api/jobs/{name}/stats": "getServiceJobStats",
}


@pytest.fixture
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    read: dict[str, Any] = answer.json()
    return read


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


async def test_every_route_is_documented_under_a_name_that_stays(document: dict[str, Any]) -> None:
    found = {route: operation["operationId"] for route, operation in operations(document)}

    assert found == ROUTES


async def test_it_is_a_valid_document(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    OpenAPI.model_validate(document)
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    used = set(references(document))
    assert used == schemas
    for route, operation in operations(document):
        named = {part[1:-1] for part in route.split("/") if part.startswith("{")}
        declared = (
            {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            if ("parameters" in operation)
            else set()
        )
        assert named == declared, route
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]


async def test_errors_are_documented_as_what_they_are(document: dict[str, Any]) -> None:
    for route, operation in operations(document):
        errors = {
            status: list(response["content"])
            for status, response in operation["responses"].items()
            if int(status) >= 400 and status != "503"
        }
        assert "500" in errors, route
        for status, kinds in errors.items():
            plain = "/api/jobs" in route and status != "500"
            assert kinds == ["application/json" if plain else "application/problem+json"], route
        if "requestBody" in operation:
            assert {"413", "415"} <= set(errors), route


async def test_wire_names_are_camel_case(document: dict[str, Any]) -> None:
    rows = {"Execution", "JobStats"}
    for name, schema in document["components"]["schemas"].items():
        for field in schema.get("properties", {}):
            assert ("_" in field) <= (name in rows), f"{name}.{field}"


async def test_answers_have_exactly_the_documented_fields(
    client: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    shapes = document["components"]["schemas"]
    schedule = await create(client)
    run = (await client.post("/schedules/nightly/trigger")).json()

    assert set(schedule) == set(shapes["ScheduleAnswer"]["properties"])
    assert set(run) == set(shapes["RunAnswer"]["properties"])


class Page(HTMLParser):
    """Collects what a browser would fetch, run, and jump to."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: set[str] = set()
        self.targets: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "link", "img", "iframe") or "src" in given:
            self.fetched.append(tag)
        if given.get("id"):
            self.ids.add(str(given["id"]))
        if str(given.get("href", "")).startswith("#"):
            self.targets.add(str(given["href"])[1:])
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_the_page_holds_every_operation_and_loads_nothing(
    client: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    answer = await client.get("/docs")
    page = Page()
    page.feed(answer.text)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert page.open == []
    assert page.fetched == []
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    assert set(ROUTES.values()) <= page.ids
    assert page.targets <= page.ids
    for name in document["components"]["schemas"]:
        assert name in page.ids


async def test_what_the_title_holds_is_shown_as_text(client: httpx.AsyncClient) -> None:
    from tickwright.api.docs import page

    document = (await client.get("/openapi.json")).json()
    document["info"]["title"] = "<script>alert(1)</script>"

    assert "<script>" not in page(document)
