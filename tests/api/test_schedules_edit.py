"""Changing schedules: parts, versions, pausing, cancelling, deleting."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .support import CRON, ON_SQLITE, UNKNOWN_ID, create, paths_of, problem_of


async def test_only_what_is_named_changes(client: httpx.AsyncClient) -> None:
    before = await create(client, name="Old", description="Kept", maxRuns=3, payload={"a": 1})

    answer = await client.patch(
        "/schedules/nightly", json={"name": "New", "maxRuns": None, "payload": {"b": 2}}
    )

    assert answer.status_code == 200
    after = answer.json()
    assert answer.headers["etag"] == '"2"'
    assert (after["name"], after["maxRuns"], after["payload"]) == ("New", None, {"b": 2})
    assert (after["description"], after["trigger"]) == ("Kept", before["trigger"])
    assert after["nextRunAt"] == before["nextRunAt"]
    assert (await client.get(f"/schedules/{before['id']}")).json() == after


async def test_a_new_rule_counts_from_now(client: httpx.AsyncClient) -> None:
    await create(client)

    after = await client.patch(
        "/schedules/nightly", json={"trigger": CRON | {"expression": "30 10 * * *"}}
    )

    assert after.json()["nextRunAt"] == "2040-01-02T10:30:00Z"
    assert after.json()["triggerText"] == "At 10:30 every day (UTC)"


async def test_enabled_is_written_like_any_other_field(client: httpx.AsyncClient) -> None:
    await create(client)

    paused = (await client.patch("/schedules/nightly", json={"enabled": False})).json()
    active = (await client.patch("/schedules/nightly", json={"enabled": True})).json()

    assert (paused["status"], paused["nextRunAt"]) == ("paused", None)
    assert (active["status"], active["nextRunAt"]) == ("active", "2040-01-09T09:00:00Z")


@ON_SQLITE
@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "body"),
        ({"trigger": None}, "trigger"),
        ({"trigger": {"type": "cron", "expression": "x"}}, "trigger.expression"),
        ({"target": {"type": "handler"}}, "target.name"),
        ({"payload": 3}, "payload"),
        ({"startsAt": "soon"}, "startsAt"),
        ({"endsAt": 12}, "endsAt"),
        ({"maxRuns": "3"}, "maxRuns"),
        ({"misfire": "never"}, "misfire"),
        ({"overlap": None}, "overlap"),
        ({"enabled": 1}, "enabled"),
        ({"name": 3}, "name"),
        ({"description": "x" * 2001}, "description"),
        ({"category": []}, "category"),
        ({"metadata": None}, "metadata"),
        ({"key": "other"}, "key"),
        ({"jobKey": "other"}, "jobKey"),
        ({"version": 1}, "version"),
        ({"status": "completed"}, "status"),
    ],
)
async def test_a_bad_change_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, body: dict[str, Any], path: str
) -> None:
    before = await create(client)

    problem = problem_of(await client.patch("/schedules/nightly", json=body), 422, "invalid_input")

    assert paths_of(problem) == [path]
    assert (await client.get("/schedules/nightly")).json() == before


async def test_the_second_of_two_editors_is_told(client: httpx.AsyncClient) -> None:
    await create(client)
    seen = {"If-Match": (await client.get("/schedules/nightly")).headers["etag"]}

    first = await client.patch("/schedules/nightly", json={"name": "first"}, headers=seen)
    second = await client.patch("/schedules/nightly", json={"name": "second"}, headers=seen)

    assert first.status_code == 200
    problem_of(second, 412, "version_conflict")
    assert (await client.get("/schedules/nightly")).json()["name"] == "first"


async def test_any_version_will_do_for_a_star(client: httpx.AsyncClient) -> None:
    await create(client)

    answer = await client.patch("/schedules/nightly", json={"name": "x"}, headers={"If-Match": "*"})

    assert answer.status_code == 200


@ON_SQLITE
@pytest.mark.parametrize("tag", ["3", '"a"', 'W/"1"', '"1", "2"', "", f'"{"9" * 30}"'])
async def test_a_precondition_nobody_can_read_is_not_ignored(
    client: httpx.AsyncClient, tag: str
) -> None:
    await create(client)

    answer = await client.patch("/schedules/nightly", json={"name": "x"}, headers={"If-Match": tag})

    assert paths_of(problem_of(answer, 422, "invalid_input")) == ["If-Match"]


async def test_pausing_and_resuming(client: httpx.AsyncClient) -> None:
    await create(client)

    paused = (await client.post("/schedules/nightly/pause", json={"reason": "holidays"})).json()
    again = (await client.post("/schedules/nightly/pause")).json()
    resumed = (await client.post("/schedules/nightly/resume")).json()

    assert (paused["status"], paused["statusReason"]) == ("paused", "holidays")
    assert again == paused
    assert (resumed["status"], resumed["statusReason"]) == ("active", None)
    assert resumed["nextRunAt"] == "2040-01-09T09:00:00Z"


async def test_a_cancelled_schedule_is_over(client: httpx.AsyncClient) -> None:
    await create(client)

    cancelled = await client.post("/schedules/nightly/cancel", json={"reason": "replaced"})
    resumed = await client.post("/schedules/nightly/resume")
    paused = await client.post("/schedules/nightly/pause")
    changed = await client.patch("/schedules/nightly", json={"name": "x"})

    assert cancelled.json()["status"] == "cancelled"
    assert cancelled.json()["statusReason"] == "replaced"
    for answer in (resumed, paused, changed):
        problem_of(answer, 422, "not_possible")


@ON_SQLITE
@pytest.mark.parametrize("action", ["pause", "cancel"])
async def test_a_reason_is_a_short_text(client: httpx.AsyncClient, action: str) -> None:
    await create(client)

    for body in ({"reason": "x" * 501}, {"reason": 3}, {"why": "x"}):
        answer = await client.post(f"/schedules/nightly/{action}", json=body)
        problem_of(answer, 422, "invalid_input")

    assert (await client.get("/schedules/nightly")).json()["version"] == 1


async def test_a_deleted_schedule_is_gone_and_its_key_free(client: httpx.AsyncClient) -> None:
    first = await create(client)

    deleted = await client.delete("/schedules/nightly")

    assert (deleted.status_code, deleted.content) == (204, b"")
    problem_of(await client.get(f"/schedules/{first['id']}"), 404, "not_found")
    problem_of(await client.delete("/schedules/nightly"), 404, "not_found")
    assert (await create(client))["id"] != first["id"]


@ON_SQLITE
@pytest.mark.parametrize("ref", [UNKNOWN_ID, "no-such-key", "%2e%2e", "a%20b", "%F0%9F%98%80"])
async def test_an_unknown_schedule_is_not_found(client: httpx.AsyncClient, ref: str) -> None:
    path = f"/schedules/{ref}"
    answers = [
        await client.get(path),
        await client.patch(path, json={"name": "x"}),
        await client.delete(path),
        *[
            await client.post(f"{path}/{action}")
            for action in ("pause", "resume", "cancel", "trigger")
        ],
    ]

    for answer in answers:
        problem_of(answer, 404, "not_found")
