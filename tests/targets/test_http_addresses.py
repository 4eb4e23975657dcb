"""Which addresses are known, and which targets are refused before anything is sent."""

from __future__ import annotations

import logging

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.model.run import Failed
from tickwright.targets.http import HttpTarget, services_from_environment

from .support import Service, claimed

TARGET = {"type": "http", "service": "email-service", "endpoint": "/job"}


def known() -> HttpTarget:
    return HttpTarget({"EMAIL_SERVICE": "http://email.internal:7006/base"})


def test_services_are_the_http_addresses_of_the_environment() -> None:
    environ = {
        "EMAIL_SERVICE_URL": "http://localhost:7006",
        "CRAWLER_SERVICE_URL": " HTTPS://crawler.example/base/ ",
        "DATABASE_URL": "postgresql://db/x",
        "REDIS_URL": "redis://r",
        "NATS_URL": "nats://n",
        "EMPTY_URL": "",
        "_URL": "http://nobody",
        "EMAIL_SERVICE": "http://no-suffix",
        "lower_url": "http://lower",
        "PATH_URL": "/just/a/path",
    }

    assert services_from_environment(environ) == {
        "EMAIL_SERVICE": "http://localhost:7006",
        "CRAWLER_SERVICE": "HTTPS://crawler.example/base/",
    }


def test_settings_of_our_own_are_not_services() -> None:
    own = ("FRONTEND_URL", "JWKS_URL", "SUPABASE_URL", "TICKWRIGHT_PUBLIC_URL")

    assert services_from_environment(dict.fromkeys(own, "http://x")) == {}
    assert services_from_environment({"FRONTEND_SERVICE_URL": "http://x"}) != {}


@pytest.mark.parametrize(
    "value",
    [
        "http://",
        "http:///path",
        "https://h:99999",
        "http://h:0",
        "http://[::1",
        "http://h?token=s3cret",
        "http://s3cret@h#x",
        "http://h/\0",
    ],
)
def test_an_address_that_cannot_be_used_is_left_out_with_a_warning(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert services_from_environment({"BROKEN_URL": value}) == {}

    assert "BROKEN_URL names no service" in caplog.text
    assert "s3cret" not in caplog.text
    with pytest.raises(InvalidInput) as refused:
        HttpTarget({"broken": value})
    assert refused.value.field == "services.broken"


@pytest.mark.parametrize("service", ["email-service", "email_service", "EMAIL-SERVICE"])
def test_a_service_is_found_under_its_variable(service: str) -> None:
    assert known().check(TARGET | {"service": service})["service"] == service


def test_a_service_without_an_address_is_refused_and_never_localhost() -> None:
    with pytest.raises(InvalidInput) as refused:
        known().check(TARGET | {"service": "crawler-service"})

    assert refused.value.field == "target.service"
    assert refused.value.reason == (
        "no address is known for 'crawler-service'; set CRAWLER_SERVICE_URL"
    )


@pytest.mark.parametrize(
    "service", ["", "a" * 101, "a b", "a.b", "a/b", "é", "email-service\n", "\ud800", "a\0"]
)
def test_names_that_no_variable_can_have_are_refused(service: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        known().check(TARGET | {"service": service})

    assert refused.value.field == "target.service"


BAD_ENDPOINTS = [
    "",
    "job",
    "http://evil.example/",
    "@evil.example/",
    ":80@evil.example",
    "//evil.example/job",
    "/\\evil.example/job",
    "\\\\evil.example",
    "/a\\b",
    "/a%5Cb",
    "/a\r\nHost: evil",
    "/a%0d%0aHost:%20evil",
    "/a\0",
    "/a%00",
    "/a\tb",
    "/\ud800",
    "/a\u202eb",
    "/..",
    "/../admin",
    "/a/../../admin",
    "/a/%2e%2e/admin",
    "/a/.%2E/admin",
    "/a/%2e%2e%2fadmin",
    "/./admin",
    "/a#fragment",
    "/" + "a" * 2000,
]


@pytest.mark.parametrize("endpoint", BAD_ENDPOINTS)
def test_endpoints_that_leave_the_address_are_refused(endpoint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        known().check(TARGET | {"endpoint": endpoint})

    assert refused.value.field == "target.endpoint"
    assert refused.value.reason.encode()


@pytest.mark.parametrize("endpoint", BAD_ENDPOINTS)
async def test_a_bad_endpoint_that_got_stored_anyway_is_not_sent(
    http: HttpTarget, service: Service, endpoint: str
) -> None:
    outcome = await http.deliver(claimed(TARGET | {"endpoint": endpoint}))

    assert isinstance(outcome, Failed)
    assert not outcome.retryable
    assert service.received == []


@pytest.mark.parametrize(
    "endpoint", ["/", "/a", "/a/b?x=../y&z=//q", "/a/b..c/...", "/å", "/a b", "/a%2Fb", "/@x:80"]
)
async def test_ordinary_endpoints_reach_their_service(
    http: HttpTarget, service: Service, endpoint: str
) -> None:
    assert http.check(TARGET | {"endpoint": endpoint})["endpoint"] == endpoint

    await http.deliver(claimed(TARGET | {"endpoint": endpoint}))

    assert len(service.received) == 1
