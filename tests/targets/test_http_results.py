"""A service's JobResult decides how the run ended, and without one its HTTP status does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tickwright.model.json import checked_text
from tickwright.model.run import Failed, Items, Succeeded
from tickwright.targets.http import HttpTarget

from .support import EMAIL, Service, claimed


async def test_a_job_result_is_kept_with_its_items(http: HttpTarget, service: Service) -> None:
    report = {
        "success": True,
        "itemsProcessed": 10,
        "itemsSucceeded": 8,
        "itemsFailed": 2,
        "metadata": {"campaign": "spring"},
    }
    service.says(report)

    assert await http.deliver(claimed(EMAIL)) == Succeeded(report, Items(10, 8, 2))


@pytest.mark.parametrize("junk", [-1, 1.5, "7", True, None, [], 10**30, 10**13])
async def test_items_that_are_no_counts_are_ignored(
    http: HttpTarget, service: Service, junk: object
) -> None:
    service.says({"success": True, "itemsProcessed": junk, "itemsFailed": 3})

    outcome = await http.deliver(claimed(EMAIL))

    assert isinstance(outcome, Succeeded)
    assert outcome.items == Items(0, 0, 3)


async def test_success_false_is_a_failure_although_the_status_is_200(
    http: HttpTarget, service: Service
) -> None:
    report = {"success": False, "error": "quota used up", "itemsProcessed": 4, "itemsFailed": 4}
    service.says(report)

    expected = Failed("quota used up", result=report, items=Items(4, 0, 4))
    assert await http.deliver(claimed(EMAIL)) == expected


@pytest.mark.parametrize(
    ("success", "shown"), [(False, "false"), (None, "null"), ("false", "false"), (0, "0")]
)
async def test_only_true_is_success(
    http: HttpTarget, service: Service, success: object, shown: str
) -> None:
    service.says({"success": success})

    outcome = await http.deliver(claimed(EMAIL))

    assert isinstance(outcome, Failed)
    assert outcome.error == f"the service reported success: {shown}"
    assert outcome.retryable


@pytest.mark.parametrize(
    "body", [b'\xef\xbb\xbf{"success": false}', b'{"success": false, "by": "\xff\xc3"}']
)
async def test_careless_encoding_does_not_hide_a_failure(
    http: HttpTarget, service: Service, body: bytes
) -> None:
    service.body = body

    outcome = await http.deliver(claimed(EMAIL))

    assert isinstance(outcome, Failed)
    assert outcome.error == "the service reported success: false"


@pytest.mark.parametrize("said", [{"queued": 3}, [1, 2], "fine", 7, None, {}])
async def test_json_that_speaks_of_no_success_is_one(
    http: HttpTarget, service: Service, said: object
) -> None:
    service.says(said)

    assert await http.deliver(claimed(EMAIL)) == Succeeded(said)


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (b"", None),
        (b"  \n", None),
        (b"OK", {"body": "OK"}),
        (b'{"success": tru', {"body": '{"success": tru'}),
        (b"\xff\xfe\x00", {"body": "\N{REPLACEMENT CHARACTER}" * 3}),
    ],
)
async def test_a_good_status_without_json_is_a_success(
    http: HttpTarget, service: Service, body: bytes, result: object
) -> None:
    service.body, service.content_type = body, "text/plain"

    assert await http.deliver(claimed(EMAIL)) == Succeeded(result)


@pytest.mark.parametrize("status", [201, 202, 204, 299])
async def test_every_2xx_is_a_success(http: HttpTarget, service: Service, status: int) -> None:
    service.status = status

    assert await http.deliver(claimed(EMAIL)) == Succeeded()


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *((status, False) for status in (400, 401, 404, 407, 409, 422, 600)),
        *((status, True) for status in (408, 425, 429, 500, 503, 599)),
    ],
)
async def test_the_status_decides_whether_another_try_can_help(
    http: HttpTarget, service: Service, status: int, retryable: bool
) -> None:
    service.status = status

    outcome = await http.deliver(claimed(EMAIL))

    assert isinstance(outcome, Failed)
    assert outcome.retryable is retryable
    assert outcome.error.startswith(f"HTTP {status}")


async def test_a_job_endpoint_that_answers_500_keeps_its_report(
    http: HttpTarget, service: Service
) -> None:
    report = {"success": False, "error": "SMTP is down", "itemsProcessed": 5, "itemsFailed": 5}
    service.says(report, status=500)

    assert await http.deliver(claimed(EMAIL)) == Failed(
        "HTTP 500 Internal Server Error: SMTP is down", result=report, items=Items(5, 0, 5)
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "no such job"}, "no such job"),
        ({"error": {"code": 4, "message": "no such job"}}, "no such job"),
        ({"error": ["a", 1]}, '["a",1]'),
        ({"title": "Not Found", "detail": "no such job"}, "no such job"),
        ({"else": 1}, '{"else": 1}'),
        ("text", '"text"'),
    ],
)
async def test_a_failure_quotes_the_service(
    http: HttpTarget, service: Service, body: object, words: str
) -> None:
    service.says(body, status=404)

    outcome = await http.deliver(claimed(EMAIL))

    assert isinstance(outcome, Failed)
    assert outcome.error == f"HTTP 404 Not Found: {words}"


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(minutes=2)),
        ("1000000000", timedelta(hours=1)),
        ("9" * 5000, timedelta(hours=1)),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
async def test_retry_after_is_honoured_up_to_an_hour(
    http: HttpTarget, service: Service, header: str, wait: timedelta | None
) -> None:
    service.status, service.headers = 429, {"Retry-After": header}

    outcome = await http.deliver(claimed(EMAIL))

    assert isinstance(outcome, Failed)
    assert outcome.retry_after == wait


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
async def test_numbers_no_database_takes_do_not_hide_the_report(
    http: HttpTarget, service: Service, number: str
) -> None:
    service.body = b'{"success": false, "error": "broken", "rate": %s}' % number.encode()

    outcome = await http.deliver(claimed(EMAIL))

    assert outcome == Failed("broken", result={"success": False, "error": "broken", "rate": None})


NESTED: Any = "deep"
for _ in range(200):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    "said",
    [
        {"success": False, "error": "a\0b\ud800", "a\0": ["\udfff\0"]},
        {"success": False, "error": {"message": ["a\0"]}},
        {"success": False, "nested": NESTED},
        {"success": True, "nested": {"a": NESTED}},
        ["\0\ud800"],
        "\0",
    ],
)
@pytest.mark.parametrize("status", [200, 500])
async def test_what_is_kept_can_be_stored(
    http: HttpTarget, service: Service, said: object, status: int
) -> None:
    service.says(said, status)

    outcome = await http.deliver(claimed(EMAIL))

    assert isinstance(outcome, Succeeded | Failed)
    checked_text("result", outcome.result)
    if isinstance(outcome, Failed):
        assert "\0" not in outcome.error
        assert outcome.error.encode()
