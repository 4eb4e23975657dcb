"""Creating schedules: what comes back, and what is refused by name of the field."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .support import CRON, EMAIL, ON_SQLITE, create, paths_of, problem_of

ONCE = {"type": "one_shot", "at": "2040-01-03T00:00:00Z"}


async def test_the_whole_schedule_comes_back(client: httpx.AsyncClient) -> None:
    body = {
        "key": "digest",
        "jobKey": "mail.digest",
        "trigger": CRON,
        "target": EMAIL,
        "payload": {"size": 3},
        "startsAt": "2040-01-08T00:00:00Z",
        "endsAt": "2040-03-01T01:00:00+01:00",
        "maxRuns": 7,
        "misfire": "skip",
        "overlap": "allow",
        "name": "Digest",
        "description": "All of it",
        "category": "email",
        "metadata": {"team": "growth"},
    }

    answer = await client.post("/schedules", json=body)

    assert answer.status_code == 201
    created = answer.json()
    assert answer.headers["location"] == f"/schedules/{created['id']}"
    assert answer.headers["etag"] == '"1"'
    assert {name: created[name] for name in body} == body | {"endsAt": "2040-03-01T00:00:00Z"}
    assert created["scope"] == {"type": "tenant", "tenantId": "acme", "organizationId": None}
    assert created["triggerText"] == "At 09:00 on Monday (UTC)"
    assert created["nextRunAt"] == "2040-01-09T09:00:00Z"
    assert (created["status"], created["enabled"], created["health"]) == ("active", True, "ok")
    assert (created["createdBy"], created["source"], created["version"]) == ("api", "user", 1)
    assert created["createdAt"] == created["updatedAt"] == "2040-01-02T09:00:00Z"
    assert created["registered"]["policy"] == {
        "maxRuns": 7,
        "misfire": "skip",
        "overlap": "allow",
        "overlapLimit": 1,
        "allowManual": True,
    }
    assert created["override"] == {}
    counters = ("firedCount", "runCount", "successCount", "failureCount")
    assert [created[name] for name in counters] == [0, 0, 0, 0]
    lasts = ("lastRunAt", "lastSuccessAt", "lastStatus", "lastDurationMs", "statusReason")
    assert [created[name] for name in lasts] == [None] * 5


@pytest.mark.parametrize(
    ("trigger", "stored", "first"),
    [
        (
            {"type": "cron", "expression": "0 0 31 * *", "dstGap": "shift", "monthEnd": "clamp"},
            {"timezone": "UTC"},
            "2040-01-31T00:00:00Z",
        ),
        (
            {"type": "cron", "expression": "H 9 * * *"},
            {"timezone": "UTC", "seed": "acme/spread"},
            "2040-01-02T09:10:00Z",
        ),
        ({"type": "interval", "every": "PT1H30M"}, None, "2040-01-02T10:30:00Z"),
        (
            {"type": "one_shot", "at": "2040-03-25T02:30:00", "timezone": "Europe/Berlin"},
            {},
            "2040-03-25T01:00:00Z",
        ),
        (
            {"type": "rrule", "rule": "FREQ=MONTHLY;BYMONTHDAY=-1", "start": "2026-01-31T09:00:00"},
            {"timezone": "UTC"},
            "2040-01-31T09:00:00Z",
        ),
        (
            {
                "type": "rrule",
                "rule": "DTSTART;TZID=Europe/Berlin:20260131T090000\nRRULE:FREQ=DAILY",
            },
            None,
            "2040-01-03T08:00:00Z",
        ),
    ],
)
async def test_the_shapes_of_triggers(
    client: httpx.AsyncClient,
    trigger: dict[str, str],
    stored: dict[str, str] | None,
    first: str,
) -> None:
    body = {"key": "spread", "jobKey": "report", "trigger": trigger}
    created = (await client.post("/schedules", json=body)).json()
    assert created["nextRunAt"] == first
    if stored is not None:
        assert created["trigger"] == trigger | stored


async def test_what_is_left_out_has_its_default(client: httpx.AsyncClient) -> None:
    created = (await client.post("/schedules", json={"jobKey": "report", "trigger": CRON})).json()

    assert created["key"].startswith("report-")
    assert created["target"] == {"type": "handler", "name": "report"}
    assert created["health"] == "no_handler"
    assert (created["misfire"], created["overlap"]) == ("fire_once", "skip")
    assert (created["payload"], created["metadata"]) == ({}, {})


async def test_a_long_job_key_still_gets_a_key_of_its_own(client: httpx.AsyncClient) -> None:
    body = {"jobKey": "x" * 255, "trigger": CRON}

    first, second = [(await client.post("/schedules", json=body)).json() for _ in range(2)]

    assert first["key"] != second["key"]
    assert len(first["key"]) == 255


async def test_it_is_read_by_id_and_by_key(client: httpx.AsyncClient) -> None:
    created = await create(client, key="team:reports nightly@eu")

    for ref in (created["id"], created["key"]):
        answer = await client.get(f"/schedules/{ref}")
        assert answer.status_code == 200
        assert answer.json() == created
        assert answer.headers["etag"] == '"1"'


async def test_a_schedule_can_be_born_paused(client: httpx.AsyncClient) -> None:
    created = await create(client, enabled=False)

    assert (created["status"], created["enabled"], created["nextRunAt"]) == ("paused", False, None)


async def test_a_taken_key_is_a_conflict(client: httpx.AsyncClient) -> None:
    await create(client)

    answer = await client.post(
        "/schedules", json={"key": "nightly", "jobKey": "report", "trigger": CRON}
    )

    problem_of(answer, 409, "conflict")


async def test_a_time_long_past_is_refused_unless_it_is_to_run_now(
    client: httpx.AsyncClient,
) -> None:
    past = {"type": "one_shot", "at": "2039-12-31T00:00:00Z"}

    refused = await client.post("/schedules", json={"jobKey": "report", "trigger": past})
    created = await create(client, trigger=past, past="run_now")

    assert paths_of(problem_of(refused, 422, "invalid_input")) == ["trigger"]
    assert created["nextRunAt"] == "2039-12-31T00:00:00Z"


@ON_SQLITE
@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"jobKey": None}, "jobKey"),
        ({"jobKey": ""}, "jobKey"),
        ({"jobKey": 7}, "jobKey"),
        ({"jobKey": "a/b"}, "jobKey"),
        ({"key": ""}, "key"),
        ({"key": "a/b"}, "key"),
        ({"key": "x" * 256}, "key"),
        ({"key": "\u202eabc"}, "key"),
        ({"trigger": None}, "trigger"),
        ({"trigger": "0 9 * * *"}, "trigger"),
        ({"trigger": {}}, "trigger.type"),
        ({"trigger": {"type": "lunar"}}, "trigger.type"),
        ({"trigger": {"type": "cron"}}, "trigger.expression"),
        ({"trigger": CRON | {"expression": "61 * * * *"}}, "trigger.expression"),
        ({"trigger": CRON | {"timezone": "Mars/Base"}}, "trigger.timezone"),
        ({"trigger": CRON | {"tz": "UTC"}}, "trigger.tz"),
        ({"trigger": {"type": "interval", "every": "0s"}}, "trigger.every"),
        ({"trigger": ONCE | {"at": "2040-01-03"}}, "trigger.at"),
        ({"target": None}, "target"),
        ({"target": {}}, "target.type"),
        ({"target": {"type": "command", "name": "ls"}}, "target.type"),
        ({"target": EMAIL | {"service": "nowhere"}}, "target.service"),
        ({"target": EMAIL | {"endpoint": "http://evil/"}}, "target.endpoint"),
        ({"payload": None}, "payload"),
        ({"payload": [1]}, "payload"),
        ({"startsAt": "yesterday"}, "startsAt"),
        ({"startsAt": "2040-01-03T00:00:00"}, "startsAt"),
        ({"startsAt": 0}, "startsAt"),
        ({"endsAt": "2040-01-02T08:00:00Z"}, "trigger"),
        ({"startsAt": "2040-03-01T00:00:00Z", "endsAt": "2040-02-01T00:00:00Z"}, "endsAt"),
        ({"maxRuns": 0}, "maxRuns"),
        ({"maxRuns": -1}, "maxRuns"),
        ({"maxRuns": 1.5}, "maxRuns"),
        ({"maxRuns": True}, "maxRuns"),
        ({"maxRuns": 2**63 - 1}, "maxRuns"),
        ({"misfire": "fire_some"}, "misfire"),
        ({"misfire": 1}, "misfire"),
        ({"overlap": "sometimes"}, "overlap"),
        ({"enabled": "true"}, "enabled"),
        ({"enabled": None}, "enabled"),
        ({"name": "x" * 256}, "name"),
        ({"description": "x" * 2001}, "description"),
        ({"category": 7}, "category"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata": None}, "metadata"),
        ({"past": "perhaps"}, "past"),
        ({"job_key": "report"}, "job_key"),
        ({"version": 3}, "version"),
        ({"tenantId": "other"}, "tenantId"),
        ({"status": "completed"}, "status"),
        ({"firedCount": 0}, "firedCount"),
    ],
)
async def test_what_is_wrong_is_named(
    client: httpx.AsyncClient, changes: dict[str, Any], path: str
) -> None:
    answer = await client.post("/schedules", json={"jobKey": "report", "trigger": CRON} | changes)

    problem = problem_of(answer, 422, "invalid_input")
    assert paths_of(problem) == [path]
    assert path in problem["detail"]
    assert (await client.get("/schedules")).json()["pagination"]["total"] == 0


async def test_every_mistake_is_told_at_once(client: httpx.AsyncClient) -> None:
    answer = await client.post("/schedules", json={"maxRuns": 0, "colour": "red"})

    problem = problem_of(answer, 422, "invalid_input")
    assert {error["path"]: error["message"] for error in problem["errors"]} == {
        "jobKey": "is missing",
        "trigger": "is missing",
        "maxRuns": "must be greater than or equal to 1",
        "colour": "is not a known field",
    }


@ON_SQLITE
@pytest.mark.parametrize("body", [[], "text", 7, None])
async def test_a_body_that_is_no_object_is_refused(client: httpx.AsyncClient, body: object) -> None:
    answer = await client.post("/schedules", json=body)

    assert paths_of(problem_of(answer, 422, "invalid_input")) == ["body"]


async def test_when_it_may_happen_is_said_and_answered(client: httpx.AsyncClient) -> None:
    made = await client.post("/calendars", json={"key": "office", "weekdays": ["mon", "wed"]})
    assert made.status_code == 201
    timing = {
        "calendars": ["office"],
        "onClosed": "next",
        "window": "08:00-18:00",
        "outsideWindow": "defer",
        "jitter": "5m",
    }
    rule = {"type": "cron", "expression": "0 9 * * *"}
    answer = await client.post("/schedules", json={"jobKey": "report", "trigger": rule, **timing})
    assert answer.status_code == 201, answer.text
    created = answer.json()
    assert {name: created[name] for name in timing} == timing
    plain = await client.patch(
        f"/schedules/{created['id']}", json={"calendars": [], "jitter": "0s"}
    )
    assert (plain.json()["calendars"], plain.json()["window"]) == ([], "08:00-18:00")
    unknown = {"jobKey": "report", "trigger": rule, "calendars": ["nowhere"]}
    refused = await client.post("/schedules", json=unknown)
    problem = problem_of(refused, 422, "invalid_input")
    assert "calendars" in str(problem)
