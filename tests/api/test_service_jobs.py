"""Service jobs as seed 003 has them: register, list, enable, disable, change, delete."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.targets.support import Service
from tickwright.api import service_jobs

from .support import CRON, DIGEST, EMAIL, ON_SQLITE, Engine, create, register

MISSING = {"error": "Not Found", "message": "there is no job none"}


async def job(client: httpx.AsyncClient, name: str = "weekly-digest") -> dict[str, Any]:
    answer = await client.get(f"/api/jobs/{name}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_registered_job_is_listed_and_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/jobs/register", json=DIGEST)

    assert answer.status_code == 200
    assert answer.json() == {"success": True, "message": "Job weekly-digest is registered"}
    told = DIGEST | {
        "isRunning": True,
        "lastRunAt": None,
        "lastRunStatus": None,
        "lastRunDuration": None,
        "nextRunAt": "2040-01-09T09:00:00Z",
        "totalRuns": 0,
        "successfulRuns": 0,
        "failedRuns": 0,
    }
    assert (await client.get("/api/jobs")).json() == {"jobs": [told]}
    assert await job(client) == told | {"activeRuns": 0}


async def test_a_job_is_a_schedule_like_any_other(client: httpx.AsyncClient) -> None:
    await register(client)

    schedule = (await client.get("/schedules/weekly-digest")).json()

    assert (schedule["trigger"], schedule["target"]) == (CRON, EMAIL)
    assert (schedule["source"], schedule["category"]) == ("service:email-service", "email")
    assert (schedule["jobKey"], schedule["payload"]) == ("weekly-digest", DIGEST["config"])


async def test_config_may_be_left_out(client: httpx.AsyncClient) -> None:
    body = {name: value for name, value in DIGEST.items() if name != "config"}

    assert (await client.post("/api/jobs/register", json=body)).status_code == 200
    assert (await job(client))["config"] == {}


async def test_a_disabled_job_is_registered_but_not_armed(client: httpx.AsyncClient) -> None:
    await register(client, enabled=False)

    found = await job(client)

    assert (found["enabled"], found["isRunning"], found["nextRunAt"]) == (False, False, None)


async def test_registering_again_brings_it_up_to_date(client: httpx.AsyncClient) -> None:
    await register(client)

    await register(
        client, displayName="Digest", cronExpression="0 10 * * *", config={}, jobType="other"
    )

    [found] = (await client.get("/api/jobs")).json()["jobs"]
    assert (found["displayName"], found["jobType"], found["config"]) == ("Digest", "other", {})
    assert found["nextRunAt"] == "2040-01-02T10:00:00Z"


async def test_registering_with_enabled_false_stops_it(client: httpx.AsyncClient) -> None:
    await register(client)

    await register(client, enabled=False)

    assert (await job(client))["isRunning"] is False


async def test_registering_again_never_undoes_what_an_admin_set(client: httpx.AsyncClient) -> None:
    await register(client)
    await client.put("/api/jobs/weekly-digest/cron", json={"cronExpression": "30 6 * * *"})
    await client.post("/api/jobs/weekly-digest/disable")

    await register(client, cronExpression="0 12 * * *", displayName="Renamed")
    stopped = await job(client)
    await client.post("/api/jobs/weekly-digest/enable")
    await register(client, enabled=False)
    running = await job(client)

    assert (stopped["enabled"], stopped["cronExpression"]) == (False, "30 6 * * *")
    assert stopped["displayName"] == "Renamed"
    assert (running["enabled"], running["nextRunAt"]) == (True, "2040-01-03T06:30:00Z")


async def test_disabling_stops_it_and_enabling_arms_it_again(client: httpx.AsyncClient) -> None:
    await register(client)

    disabled = await client.post("/api/jobs/weekly-digest/disable")
    stopped = await job(client)
    enabled = await client.post("/api/jobs/weekly-digest/enable", json={})
    armed = await job(client)

    assert (disabled.status_code, disabled.json()) == (
        200,
        {"message": "Job weekly-digest is disabled"},
    )
    assert (stopped["enabled"], stopped["isRunning"]) == (False, False)
    assert (enabled.status_code, enabled.json()) == (
        200,
        {"message": "Job weekly-digest is enabled"},
    )
    assert (armed["enabled"], armed["nextRunAt"]) == (True, "2040-01-09T09:00:00Z")


async def test_the_cron_expression_can_be_changed(client: httpx.AsyncClient) -> None:
    await register(client)

    answer = await client.put(
        "/api/jobs/weekly-digest/cron", json={"cronExpression": "  */15  * * * * "}
    )

    assert answer.status_code == 200
    assert answer.json() == {
        "message": "Job weekly-digest has a new cron expression",
        "cronExpression": "*/15 * * * *",
    }
    assert (await job(client))["nextRunAt"] == "2040-01-02T09:15:00Z"


async def test_a_deleted_job_is_gone(client: httpx.AsyncClient) -> None:
    await register(client)

    answer = await client.delete("/api/jobs/weekly-digest")

    assert (answer.status_code, answer.json()) == (200, {"message": "Job weekly-digest is deleted"})
    assert (await client.get("/api/jobs")).json() == {"jobs": []}
    assert (await client.delete("/api/jobs/weekly-digest")).status_code == 404


async def test_an_unknown_job_is_not_found(client: httpx.AsyncClient) -> None:
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/trigger"),
        ("POST", "/enable"),
        ("POST", "/disable"),
        ("PUT", "/cron"),
        ("GET", "/history"),
        ("GET", "/stats"),
    ):
        body = {"cronExpression": "* * * * *"} if method == "PUT" else None
        answer = await client.request(method, f"/api/jobs/none{path}", json=body)
        assert (answer.status_code, answer.json()) == (404, MISSING), path


async def test_other_schedules_are_no_business_of_this_surface(client: httpx.AsyncClient) -> None:
    await create(client, key="handler")
    await create(client, key="hourly", target=EMAIL, trigger={"type": "interval", "every": "1h"})
    await create(client, key="ours", target=EMAIL)

    assert [each["name"] for each in (await client.get("/api/jobs")).json()["jobs"]] == ["ours"]
    for key in ("handler", "hourly"):
        assert (await client.get(f"/api/jobs/{key}")).status_code == 404
        assert (await client.delete(f"/api/jobs/{key}")).status_code == 404
        assert (await client.get(f"/schedules/{key}")).status_code == 200
    taken = await client.post("/api/jobs/register", json=DIGEST | {"name": "handler"})
    assert (taken.status_code, taken.json()["error"]) == (400, "Bad Request")
    assert (await client.get("/schedules/handler")).json()["version"] == 1


async def test_an_overridden_rule_does_not_stop_its_service_from_registering(
    client: httpx.AsyncClient,
) -> None:
    await register(client)
    await client.patch(
        "/schedules/weekly-digest", json={"trigger": {"type": "interval", "every": "1h"}}
    )

    await register(client)

    schedule = (await client.get("/schedules/weekly-digest")).json()
    assert schedule["trigger"]["type"] == "interval"


@ON_SQLITE
async def test_a_list_longer_than_one_batch_is_complete(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_jobs, "_BATCH", 3)
    names = [f"job-{number}" for number in range(8)]
    for name in names[::-1]:
        await register(client, name=name)

    assert [each["name"] for each in (await client.get("/api/jobs")).json()["jobs"]] == names


@ON_SQLITE
@pytest.mark.parametrize("field", [name for name in DIGEST if name != "config"])
async def test_every_field_is_required(client: httpx.AsyncClient, field: str) -> None:
    body = {name: value for name, value in DIGEST.items() if name != field}

    answer = await client.post("/api/jobs/register", json=body)

    assert answer.status_code == 400
    assert answer.json() == {"error": "Bad Request", "message": f"{field}: is missing"}


@ON_SQLITE
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": 7}, "name"),
        ({"displayName": ""}, "displayName"),
        ({"displayName": "x" * 256}, "displayName"),
        ({"description": None}, "description"),
        ({"description": "x" * 2001}, "description"),
        ({"cronExpression": ""}, "cronExpression"),
        ({"cronExpression": "every day"}, "cronExpression"),
        ({"cronExpression": "61 * * * *"}, "cronExpression"),
        ({"cronExpression": "0 0 30 2 *"}, "cronExpression"),
        ({"enabled": "yes"}, "enabled"),
        ({"enabled": 1}, "enabled"),
        ({"jobType": "billing"}, "jobType"),
        ({"service": "nowhere"}, "service"),
        ({"service": "../email"}, "service"),
        ({"service": "x" * 256}, "service"),
        ({"endpoint": ""}, "endpoint"),
        ({"endpoint": "http://169.254.169.254/"}, "endpoint"),
        ({"endpoint": "//evil/"}, "endpoint"),
        ({"endpoint": "/../admin"}, "endpoint"),
        ({"config": []}, "config"),
        ({"config": None}, "config"),
        ({"tenantId": "other"}, "tenantId"),
    ],
)
async def test_what_is_wrong_is_named(
    client: httpx.AsyncClient, changes: dict[str, Any], field: str
) -> None:
    answer = await client.post("/api/jobs/register", json=DIGEST | changes)

    assert answer.status_code == 400
    assert answer.json()["error"] == "Bad Request"
    assert answer.json()["message"].startswith(f"{field}: ")
    assert (await client.get("/api/jobs")).json() == {"jobs": []}


@ON_SQLITE
@pytest.mark.parametrize(
    "body", [{}, {"cronExpression": ""}, {"cronExpression": "x"}, {"cronExpression": 7}, []]
)
async def test_a_bad_cron_expression_changes_nothing(
    client: httpx.AsyncClient, body: object
) -> None:
    await register(client)

    answer = await client.put("/api/jobs/weekly-digest/cron", json=body)

    assert (answer.status_code, set(answer.json())) == (400, {"error", "message"})
    assert (await job(client))["cronExpression"] == "0 9 * * 1"


async def test_a_cancelled_job_is_a_conflict(client: httpx.AsyncClient) -> None:
    await register(client)
    await client.post("/schedules/weekly-digest/cancel")

    for action in ("enable", "disable", "trigger"):
        answer = await client.post(f"/api/jobs/weekly-digest/{action}")
        assert (answer.status_code, answer.json()["error"]) == (409, "Conflict")


async def test_a_job_named_like_a_route_is_no_trouble(client: httpx.AsyncClient) -> None:
    await register(client, name="register")

    assert (await job(client, "register"))["name"] == "register"
    assert (await client.post("/api/jobs/register/disable")).status_code == 200


async def test_the_service_is_told_what_seed_003_promises(
    client: httpx.AsyncClient, engine: Engine, service: Service
) -> None:
    await register(client)
    run = (await client.post("/schedules/weekly-digest/trigger")).json()
    await engine.round()

    [received] = service.received
    assert received.path == "/api/jobs/weekly-digest"
    assert received.body == {
        "jobName": "weekly-digest",
        "config": DIGEST["config"],
        "executionId": run["id"],
        "triggeredBy": "manual",
        "triggeredByUser": "api",
    }
