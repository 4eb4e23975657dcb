"""What base.py promises of every target, held against each member."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.model.run import Failed, Succeeded
from tickwright.targets.base import Target
from tickwright.targets.handler import HandlerRegistry, HandlerTarget
from tickwright.targets.http import HttpTarget

from .support import Service, claimed, running_service


@dataclass
class Member:
    """One target with a good JSON form, and ways to make its work end."""

    target: Target
    json: dict[str, Any]
    succeed: Callable[[object], None]
    fail: Callable[[], None]
    hang: Callable[[], asyncio.Event]


def handler_member() -> Member:
    registry = HandlerRegistry()

    def succeed(value: object) -> None:
        async def work(tenant_id: str | None, payload: dict[str, Any]) -> object:
            return value

        registry.register("work", work)

    def fail() -> None:
        async def work(tenant_id: str | None, payload: dict[str, Any]) -> None:
            raise ValueError("no luck")

        registry.register("work", work)

    def hang() -> asyncio.Event:
        entered = asyncio.Event()

        async def work(tenant_id: str | None, payload: dict[str, Any]) -> None:
            entered.set()
            await asyncio.Event().wait()

        registry.register("work", work)
        return entered

    return Member(HandlerTarget(registry), {"type": "handler", "name": "work"}, succeed, fail, hang)


def http_member(service: Service) -> Member:
    def fail() -> None:
        service.status, service.body = 503, b"no luck"

    def hang() -> asyncio.Event:
        service.hangs = True
        return service.arrived

    target = HttpTarget({"EMAIL_SERVICE": service.url})
    form = {"type": "http", "service": "email-service", "endpoint": "/work"}
    return Member(target, form, service.says, fail, hang)


@pytest.fixture(params=["handler", "http"])
async def member(request: pytest.FixtureRequest) -> AsyncIterator[Member]:
    async with running_service() as service:
        member = handler_member() if request.param == "handler" else http_member(service)
        await member.target.open()
        yield member
        await member.target.close()


def test_a_checked_target_is_its_own_normal_form(member: Member) -> None:
    assert member.target.check(member.json) == member.json
    assert member.target.check(member.json) is not member.json
    assert json.loads(json.dumps(member.target.check(member.json))) == member.json


def test_unknown_fields_are_refused_by_name(member: Member) -> None:
    with pytest.raises(InvalidInput) as refused:
        member.target.check(member.json | {"surprise": 1})

    assert refused.value.field == "target.surprise"


@pytest.mark.parametrize("name", ["\ud800", "x" * 10_000, "a\nb", "\0"])
def test_the_refusal_of_a_strange_field_can_itself_be_shown(member: Member, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        member.target.check(member.json | {name: 1})

    assert refused.value.field.isascii()
    assert len(refused.value.field) < 400


def test_every_field_is_required(member: Member) -> None:
    for field in member.json:
        rest = {name: value for name, value in member.json.items() if name != field}
        with pytest.raises(InvalidInput) as refused:
            member.target.check(rest)

        assert refused.value.field == f"target.{field}"


@pytest.mark.parametrize("wrong", [None, 1, True, ["x"], {"x": 1}, ""])
def test_fields_of_a_wrong_type_are_refused(member: Member, wrong: object) -> None:
    for field in member.json:
        with pytest.raises(InvalidInput) as refused:
            member.target.check(member.json | {field: wrong})

        assert refused.value.field == f"target.{field}"


@pytest.mark.parametrize("wrong", [None, "http", ["type"], 3])
def test_only_a_json_object_is_a_target(member: Member, wrong: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        member.target.check(wrong)

    assert refused.value.field == "target"


async def test_work_that_is_done_has_succeeded_with_its_result(member: Member) -> None:
    member.succeed({"sent": [1, "två"]})

    outcome = await member.target.deliver(claimed(member.json))

    assert outcome == Succeeded({"sent": [1, "två"]})


async def test_work_that_fails_is_an_outcome_and_not_an_exception(member: Member) -> None:
    member.fail()

    outcome = await member.target.deliver(claimed(member.json))

    assert isinstance(outcome, Failed)
    assert outcome.retryable
    assert "no luck" in outcome.error


async def test_cancelling_a_delivery_lets_the_cancellation_out(member: Member) -> None:
    entered = member.hang()
    delivery = asyncio.create_task(member.target.deliver(claimed(member.json)))
    await entered.wait()

    delivery.cancel()

    with pytest.raises(asyncio.CancelledError):
        await delivery


async def test_a_timeout_around_a_delivery_is_a_timeout(member: Member) -> None:
    member.hang()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await member.target.deliver(claimed(member.json))


async def test_deliveries_do_not_disturb_each_other(member: Member) -> None:
    member.succeed("ok")

    outcomes = await asyncio.gather(
        *(member.target.deliver(claimed(member.json, attempt=n)) for n in range(1, 51))
    )

    assert outcomes == [Succeeded("ok")] * 50


async def test_a_target_can_be_opened_again_after_it_was_closed(member: Member) -> None:
    member.succeed("ok")
    await member.target.close()
    await member.target.close()
    await member.target.open()

    assert await member.target.deliver(claimed(member.json)) == Succeeded("ok")


async def test_a_delivery_leaves_the_run_as_it_was(member: Member) -> None:
    member.succeed("ok")
    run = claimed(member.json, payload={"deep": {"list": [1]}})

    await member.target.deliver(run)

    assert run == claimed(member.json, payload={"deep": {"list": [1]}})
