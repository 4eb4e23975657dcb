"""A service is sent seed 003's JobContext, and nothing that belongs to another run."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from tickwright.model.run import Cause, Failed, Succeeded
from tickwright.model.scope import tenant
from tickwright.targets.http import HttpTarget

from .support import EMAIL, RUN_ID, Service, claimed


async def test_a_service_receives_the_job_context(http: HttpTarget, service: Service) -> None:
    await http.deliver(claimed(EMAIL))

    [request] = service.received
    assert request.path == "/api/jobs/weekly-digest"
    assert request.body == {
        "jobName": "weekly-digest",
        "config": {"batchSize": 100},
        "executionId": str(RUN_ID),
        "triggeredBy": "scheduler",
    }


@pytest.mark.parametrize(("cause", "word"), [(Cause.MANUAL, "manual"), (Cause.ADMIN, "admin")])
async def test_a_start_by_hand_names_the_user(
    http: HttpTarget, service: Service, cause: Cause, word: str
) -> None:
    run = claimed(
        EMAIL, cause=cause, triggered_by="ann", schedule_id=None, schedule_key=None, payload={}
    )
    await http.deliver(run)

    assert service.received[0].body == {
        "jobName": "digest",
        "config": {},
        "executionId": str(RUN_ID),
        "triggeredBy": word,
        "triggeredByUser": "ann",
    }


async def test_headers_tell_what_a_service_needs_to_know(
    http: HttpTarget, service: Service
) -> None:
    await http.deliver(claimed(EMAIL, attempt=2))

    headers = service.received[0].headers
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Scheduler-Execution-Id"] == str(RUN_ID)
    assert headers["X-Scheduler-Attempt"] == "2"
    assert headers["X-Scheduler-Nominal"] == "2026-03-02T09:00:00Z"
    assert headers["Accept-Encoding"] == "identity"
    assert headers["User-Agent"].startswith("tickwright/")
    assert "Cookie" not in headers


async def test_every_attempt_carries_the_same_idempotency_key(
    http: HttpTarget, service: Service
) -> None:
    for attempt in (1, 2, 3):
        await http.deliver(claimed(EMAIL, attempt=attempt, lease_token=attempt))
    await http.deliver(claimed(EMAIL, cause=Cause.MANUAL, id=UUID(int=7)))

    keys = [request.headers["Idempotency-Key"] for request in service.received]
    assert keys[0] == claimed(EMAIL).idempotency_key
    assert keys[:3] == [keys[0]] * 3
    assert keys[3] != keys[0]


async def test_a_key_that_is_not_ascii_stays_one_readable_header(
    http: HttpTarget, service: Service
) -> None:
    run = claimed(EMAIL, scope=tenant("håkan"), schedule_id=None, job_key="a\r\nX: 1")
    await http.deliver(run)

    key = service.received[0].headers["Idempotency-Key"]
    assert key.startswith("s1:h%C3%A5kan:a%0D%0AX%3A%201:m:".replace("%3A", ":"))
    assert "X" not in service.received[0].headers


@pytest.mark.parametrize("prefix", ["", "/", "/internal", "/internal/"])
async def test_the_path_of_the_address_is_kept_before_the_endpoint(
    service: Service, prefix: str
) -> None:
    target = HttpTarget({"email-service": service.url + prefix})
    await target.open()
    await target.deliver(claimed(EMAIL | {"endpoint": "/jobs/a%2Fb?x=1&y=å"}))
    await target.close()

    assert service.received[0].path == f"{prefix.rstrip('/')}/jobs/a%2Fb?x=1&y=%C3%A5"


async def test_the_password_of_an_address_is_sent_and_never_shown(service: Service) -> None:
    service.status = 500
    with_password = service.url.replace("http://", "http://ann:s3cret@")
    target = HttpTarget({"EMAIL_SERVICE": with_password})
    await target.open()
    outcome = await target.deliver(claimed(EMAIL))
    await target.close()

    assert service.received[0].headers["Authorization"] == "Basic YW5uOnMzY3JldA=="
    assert "s3cret" not in repr(outcome)


async def test_an_address_that_is_gone_fails_with_the_words_of_the_check() -> None:
    target = HttpTarget({})
    await target.open()
    outcome = await target.deliver(claimed(EMAIL))
    await target.close()

    reason = "no address is known for 'email-service'; set EMAIL_SERVICE_URL"
    assert outcome == Failed(f"target.service: {reason}", retryable=False)


async def test_cookies_of_one_run_do_not_reach_the_next(http: HttpTarget, service: Service) -> None:
    service.headers = {"Set-Cookie": "session=ann; Path=/"}
    await http.deliver(claimed(EMAIL))
    await http.deliver(claimed(EMAIL))

    assert "Cookie" not in service.received[1].headers


async def test_a_proxy_of_the_environment_is_not_used(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    target = HttpTarget({"EMAIL_SERVICE": service.url})
    await target.open()
    outcome = await target.deliver(claimed(EMAIL))
    await target.close()

    assert outcome == Succeeded()


async def test_hundreds_of_deliveries_at_once_are_all_answered(
    http: HttpTarget, service: Service
) -> None:
    service.says({"success": True})
    runs: list[Any] = [claimed(EMAIL, payload={"n": n}) for n in range(300)]

    outcomes = await asyncio.gather(*(http.deliver(run) for run in runs))

    assert outcomes == [Succeeded({"success": True})] * 300
    assert sorted(json.dumps(r.body["config"]["n"]) for r in service.received) == sorted(
        json.dumps(n) for n in range(300)
    )
