"""`/jobs`: the policies of kinds of work."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .support import ON_SQLITE, paths_of, problem_of

POLICY: dict[str, Any] = {
    "queue": "mail",
    "priority": 9,
    "maxAttempts": 7,
    "backoff": {
        "kind": "list",
        "base": "10s",
        "factor": 2.0,
        "cap": "1h",
        "jitter": False,
        "delays": ["1s", "1m30s"],
    },
    "timeout": "15m",
    "maxLost": 1,
    "onAmbiguous": "fail",
    "deadLetter": False,
    "concurrency": 3,
    "tenantConcurrency": 10,
    "keyConcurrency": 1,
    "concurrencyKey": "customer.id",
    "rate": {"starts": 100, "per": "1m", "byKey": True},
    "heartbeatTimeout": "30s",
    "slaStart": "10s",
    "slaDuration": "5m",
    "pauseAfter": 4,
    "keepFor": "30d",
    "keepLast": 500,
}


async def define(client: httpx.AsyncClient, key: str = "mail", **policy: Any) -> dict[str, Any]:
    answer = await client.post("/jobs", json={"key": key, **policy})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_everything_that_can_be_said_is_answered(client: httpx.AsyncClient) -> None:
    answer = await client.post("/jobs", json={"key": "mail", **POLICY})
    assert answer.status_code == 201
    assert (answer.headers["location"], answer.headers["etag"]) == ("/jobs/mail", '"1"')
    made = answer.json()
    assert {name: made[name] for name in POLICY} == POLICY
    assert (made["key"], made["version"], made["scope"]["type"]) == ("mail", 1, "tenant")
    assert (await client.get("/jobs/mail")).json() == made


async def test_what_is_not_said_has_its_default(client: httpx.AsyncClient) -> None:
    made = await define(client)
    assert (made["queue"], made["priority"], made["maxAttempts"]) == ("default", 5, 3)
    assert (made["timeout"], made["onAmbiguous"], made["deadLetter"]) == ("1h", "retry", True)
    assert made["backoff"]["kind"] == "exponential"


async def test_a_key_is_defined_once(client: httpx.AsyncClient) -> None:
    await define(client)
    again = await client.post("/jobs", json={"key": "mail", "priority": 1})
    problem_of(again, 409, "conflict")
    assert (await client.get("/jobs/mail")).json()["priority"] == 5


async def test_only_what_is_named_changes(client: httpx.AsyncClient) -> None:
    await define(client, **POLICY)
    answer = await client.patch("/jobs/mail", json={"priority": 1, "timeout": "2h"})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert {name: answer.json()[name] for name in POLICY} == POLICY | {
        "priority": 1,
        "timeout": "2h",
    }


async def test_a_bound_is_given_up_with_null(client: httpx.AsyncClient) -> None:
    await define(client, **POLICY)
    after = (await client.patch("/jobs/mail", json={"rate": None, "keepFor": None})).json()
    assert {name: after[name] for name in POLICY} == POLICY | {"rate": None, "keepFor": None}


async def test_a_change_that_others_outran_is_refused(client: httpx.AsyncClient) -> None:
    await define(client)
    await client.patch("/jobs/mail", json={"priority": 1})
    stale = {"If-Match": '"1"'}
    changed = await client.patch("/jobs/mail", json={"priority": 2}, headers=stale)
    deleted = await client.delete("/jobs/mail", headers=stale)
    assert (changed.status_code, deleted.status_code) == (412, 412)
    assert (await client.get("/jobs/mail")).json()["priority"] == 1


async def test_a_deleted_job_is_gone(client: httpx.AsyncClient) -> None:
    await define(client)
    assert (await client.delete("/jobs/mail")).status_code == 204
    for method, body in (("GET", None), ("PATCH", {"priority": 1}), ("DELETE", None)):
        assert (await client.request(method, "/jobs/mail", json=body)).status_code == 404


async def test_jobs_are_listed_in_the_order_of_their_keys(client: httpx.AsyncClient) -> None:
    for key in ("report", "mail.b", "mail.a"):
        await define(client, key)
    listed = (await client.get("/jobs", params={"search": "MAIL", "pageSize": 1})).json()
    assert [job["key"] for job in listed["data"]] == ["mail.a"]
    assert (listed["pagination"]["total"], listed["pagination"]["totalPages"]) == (2, 2)


async def test_every_change_is_in_the_audit_trail(client: httpx.AsyncClient) -> None:
    await define(client)
    await client.patch("/jobs/mail", json={"priority": 1})
    await client.delete("/jobs/mail")
    changes = (await client.get("/changes")).json()["data"]
    assert [change["action"] for change in changes] == ["delete", "update", "create"]
    assert (changes[1]["before"]["priority"], changes[1]["after"]["priority"]) == (5, 1)
    assert changes[0]["after"] is None


@ON_SQLITE
@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"key": "a/b"}, "key"),
        ({"key": ""}, "key"),
        ({"priority": 10}, "priority"),
        ({"priority": "high"}, "priority"),
        ({"maxAttempts": 0}, "maxAttempts"),
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": "8d"}, "timeout"),
        ({"onAmbiguous": "maybe"}, "onAmbiguous"),
        ({"backoff": {"kind": "list"}}, "backoff.delays"),
        ({"backoff": {"kind": "list", "delays": ["x"]}}, "backoff.delays.0"),
        ({"backoff": {"speed": 1}}, "backoff.speed"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_is_wrong_is_named(
    client: httpx.AsyncClient, body: dict[str, Any], path: str
) -> None:
    answer = await client.post("/jobs", json={"key": "mail", **body})
    assert paths_of(problem_of(answer, 422, "invalid_input")) == [path]


async def test_a_change_names_something(client: httpx.AsyncClient) -> None:
    await define(client)
    assert (await client.patch("/jobs/mail", json={})).status_code == 422
