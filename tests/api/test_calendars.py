"""`/calendars`: which days are open."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tickwright.api import create_app
from tickwright.bootstrap import Scheduler
from tickwright.model.errors import InvalidInput, VersionConflict
from tickwright.model.scope import SYSTEM

from .support import ACME, ON_SQLITE, client_of, paths_of, problem_of

CALENDAR: dict[str, Any] = {
    "name": "Bavaria",
    "description": "Working days of the Munich office",
    "timezone": "Europe/Berlin",
    "weekdays": ["mon", "tue", "wed", "thu", "fri"],
    "holidays": [{"country": "DE", "subdivision": "BY", "categories": [], "language": None}],
    "exceptions": [
        {"kind": "closed", "from": "2040-01-05", "to": "2040-01-06", "name": "Works holiday"},
        {"kind": "open", "from": "2040-01-07", "to": "2040-01-07", "name": None},
        {"kind": "freeze", "from": "2040-01-10T18:00", "to": "2040-01-11T06:00", "name": "Ice"},
    ],
}
ICS = "\r\n".join(
    [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//y//EN", "BEGIN:VEVENT", "UID:1"),
        *("DTSTART;VALUE=DATE:20400110", "SUMMARY:Inventory", "END:VEVENT", "END:VCALENDAR", ""),
    ]
)
AS_ICS = {"Content-Type": "text/calendar; charset=utf-8"}


async def make(client: httpx.AsyncClient, key: str = "office", **said: Any) -> dict[str, Any]:
    answer = await client.post("/calendars", json={"key": key, **said})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_everything_that_can_be_said_is_answered(client: httpx.AsyncClient) -> None:
    answer = await client.post("/calendars", json={"key": "office", **CALENDAR})
    assert answer.status_code == 201, answer.text
    assert (answer.headers["location"], answer.headers["etag"]) == ("/calendars/office", '"1"')
    made = answer.json()
    assert {name: made[name] for name in CALENDAR} == CALENDAR
    assert (made["key"], made["version"], made["scope"]["type"]) == ("office", 1, "tenant")
    assert (await client.get("/calendars/office")).json() == made


async def test_what_is_not_said_has_its_default(client: httpx.AsyncClient) -> None:
    made = await make(client)
    assert (made["timezone"], made["holidays"], made["exceptions"]) == ("UTC", [], [])
    assert made["weekdays"] == ["mon", "tue", "wed", "thu", "fri"]


async def test_a_key_is_made_once(client: httpx.AsyncClient) -> None:
    await make(client)
    again = await client.post("/calendars", json={"key": "office", "timezone": "Asia/Tokyo"})
    problem_of(again, 409, "conflict")


async def test_only_what_is_named_changes(client: httpx.AsyncClient) -> None:
    await make(client, **CALENDAR)
    answer = await client.patch("/calendars/office", json={"holidays": [], "name": None})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert {name: answer.json()[name] for name in CALENDAR} == CALENDAR | {
        "holidays": [],
        "name": None,
    }
    problem_of(await client.patch("/calendars/office", json={}), 422, "invalid_input")


async def test_a_change_that_others_outran_is_refused(client: httpx.AsyncClient) -> None:
    await make(client)
    await client.patch("/calendars/office", json={"name": "One"})
    stale = {"If-Match": '"1"'}
    changed = await client.patch("/calendars/office", json={"name": "Two"}, headers=stale)
    deleted = await client.delete("/calendars/office", headers=stale)
    assert (changed.status_code, deleted.status_code) == (412, 412)
    assert (await client.get("/calendars/office")).json()["name"] == "One"


async def test_a_deleted_calendar_is_gone(client: httpx.AsyncClient) -> None:
    await make(client)
    assert (await client.delete("/calendars/office")).status_code == 204
    asked = [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/days"), ("POST", "/import")]
    for method, more in asked:
        body = {"name": "x"} if method == "PATCH" else None
        answer = await client.request(method, f"/calendars/office{more}", json=body)
        problem_of(answer, 404, "not_found")


async def test_days_are_told_with_their_reasons(client: httpx.AsyncClient) -> None:
    await make(client, **CALENDAR)
    span = {"from": "2040-01-05", "to": "2040-01-11"}
    told = (await client.get("/calendars/office/days", params=span)).json()
    days = told["data"]
    assert told["knownUntil"] == "2100-12-31"
    assert [(each["date"][8:], each["open"], each["reason"], each["partly"]) for each in days] == [
        ("05", False, "Works holiday", None),
        ("06", False, "Works holiday", None),
        ("07", True, None, None),
        ("08", False, "Sunday", None),
        ("09", True, None, None),
        ("10", True, None, "Ice"),
        ("11", True, None, "Ice"),
    ]


async def test_days_begin_today_where_the_calendar_is(client: httpx.AsyncClient) -> None:
    await make(client, timezone="Pacific/Kiritimati")
    await make(client, "west", timezone="Pacific/Pago_Pago")
    first = [
        (await client.get(f"/calendars/{key}/days")).json()["data"] for key in ("office", "west")
    ]
    assert [days[0]["date"] for days in first] == ["2040-01-02", "2040-01-01"]
    assert [len(days) for days in first] == [31, 31]
    until = (await client.get("/calendars/office/days", params={"to": "2040-01-03"})).json()
    assert len(until["data"]) == 2


@ON_SQLITE
@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"from": "2040-01-01", "to": "2041-02-04"}, "to"),
        ({"from": "2040-01-02", "to": "2040-01-01"}, "to"),
        ({"from": "9999-12-30"}, "to"),
        ({"from": "yesterday"}, "from"),
        ({"until": "2040-01-01"}, "until"),
    ],
)
async def test_days_nobody_can_be_told_of_are_refused(
    client: httpx.AsyncClient, params: dict[str, str], path: str
) -> None:
    await make(client)
    answer = await client.get("/calendars/office/days", params=params)
    assert paths_of(problem_of(answer, 422, "invalid_input")) == [path]


async def test_a_file_of_events_becomes_exceptions(client: httpx.AsyncClient) -> None:
    made = await make(client, **CALENDAR)
    answer = await client.post("/calendars/office/import", content=ICS, headers=AS_ICS)
    event = {"kind": "closed", "from": "2040-01-10", "to": "2040-01-10", "name": "Inventory"}
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert answer.json()["exceptions"] == [*made["exceptions"], event]
    again = await client.post("/calendars/office/import", content=ICS, headers=AS_ICS)
    assert again.json() == answer.json()
    params = {"kind": "freeze", "replace": "true"}
    only = await client.post("/calendars/office/import", content=ICS, headers=AS_ICS, params=params)
    assert only.json()["exceptions"] == [{**event, "kind": "freeze"}]


async def test_what_is_no_file_of_events_changes_nothing(client: httpx.AsyncClient) -> None:
    made = await make(client, **CALENDAR)
    path = "/calendars/office/import"
    for content in ("hello", "", b"\xff", "x" * 1024 * 1024):
        answer = await client.post(path, content=content, headers=AS_ICS)
        assert paths_of(problem_of(answer, 422, "invalid_input")) == ["ics"]
    too_large = await client.post(path, content="x" * (1024 * 1024 + 1), headers=AS_ICS)
    problem_of(too_large, 413, "too_large")
    as_json = await client.post(path, json={"ics": ICS})
    assert "text/calendar" in problem_of(as_json, 415, "unsupported_media_type")["detail"]
    as_ics = await client.post("/calendars", content=ICS, headers=AS_ICS)
    problem_of(as_ics, 415, "unsupported_media_type")
    wrong = await client.post(path, content=ICS, headers=AS_ICS, params={"kind": "shut"})
    assert paths_of(problem_of(wrong, 422, "invalid_input")) == ["kind"]
    assert (await client.get("/calendars/office")).json() == made


async def test_a_shared_calendar_is_read_by_all_and_changed_by_its_owner(
    client: httpx.AsyncClient, scheduler: Scheduler
) -> None:
    shared = await scheduler.create_calendar(SYSTEM, "office", CALENDAR)
    read = (await client.get("/calendars/office")).json()
    assert (read["id"], read["scope"]["type"]) == (str(shared.id), "system")
    assert (await client.get("/calendars/office/days")).status_code == 200
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("PATCH", "", {"json": {"name": "Mine"}}),
        ("DELETE", "", {}),
        ("POST", "/import", {"content": ICS, "headers": AS_ICS}),
    ]
    for method, more, body in asked:
        answer = await client.request(method, f"/calendars/office{more}", **body)
        assert "shared" in problem_of(answer, 422, "not_possible")["detail"]
    await make(client, timezone="Asia/Tokyo")
    listed = (await client.get("/calendars")).json()["data"]
    assert [(each["timezone"], each["scope"]["type"]) for each in listed] == [
        ("Asia/Tokyo", "tenant"),
        ("Europe/Berlin", "system"),
    ]
    assert (await client.delete("/calendars/office")).status_code == 204
    assert (await client.get("/calendars/office")).json() == read


async def test_calendars_are_listed_in_the_order_of_their_keys(client: httpx.AsyncClient) -> None:
    for key in ("office", "plant.b", "plant.a"):
        await make(client, key)
    listed = (await client.get("/calendars", params={"search": "PLANT", "pageSize": 1})).json()
    assert [each["key"] for each in listed["data"]] == ["plant.a"]
    assert (listed["pagination"]["total"], listed["pagination"]["totalPages"]) == (2, 2)


async def test_every_change_is_in_the_audit_trail(client: httpx.AsyncClient) -> None:
    await make(client)
    await client.patch("/calendars/office", json={"timezone": "Asia/Tokyo"})
    await client.patch("/calendars/office", json={"timezone": "Asia/Tokyo"})
    await client.post("/calendars/office/import", content=ICS, headers=AS_ICS)
    await client.delete("/calendars/office")
    changes = (await client.get("/changes")).json()["data"]
    assert [change["action"] for change in changes] == ["delete", "import", "update", "create"]
    assert {change["resource"] for change in changes} == {"calendar"}
    assert changes[2]["before"]["timezone"] == "UTC"
    assert changes[2]["after"]["timezone"] == "Asia/Tokyo"


@ON_SQLITE
@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"key": "a/b"}, "key"),
        ({"colour": "red"}, "colour"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"weekdays": ["monday"]}, "weekdays.0"),
        ({"weekdays": []}, "weekdays"),
        ({"holidays": [{"country": "UK"}]}, "holidays.0.country"),
        ({"holidays": [{"country": "DE", "subdivision": "XX"}]}, "holidays.0.subdivision"),
        ({"holidays": [{"subdivision": "BY"}]}, "holidays.0.country"),
        ({"exceptions": [{"to": "2040-01-01"}]}, "exceptions.0.from"),
        ({"exceptions": [{"from": "2040-01-02", "to": "2040-01-01"}]}, "exceptions.0.to"),
        ({"exceptions": [{"from": "2040-01-02", "kind": "shut"}]}, "exceptions.0.kind"),
        ({"exceptions": [{"from": "2040-01-01"}] * 5001}, "exceptions"),
        ({"exceptions": [{"from": "2040-01-01", "to": "2042-01-01"}]}, "weekdays"),
    ],
)
async def test_what_is_wrong_is_named(
    client: httpx.AsyncClient, body: dict[str, Any], path: str
) -> None:
    answer = await client.post("/calendars", json={"key": "office", **body})
    assert paths_of(problem_of(answer, 422, "invalid_input")) == [path]


async def test_events_are_read_for_the_calendar_as_it_was(scheduler: Scheduler) -> None:
    """The zone by which times were read must be the one they are kept with."""
    await scheduler.create_calendar(ACME, "office", CALENDAR)
    loop = asyncio.get_running_loop()

    class Slow(bytes):
        """Somebody else is quicker than its reader."""

        def decode(self, *args: Any, **more: Any) -> str:
            changes = {"timezone": "Asia/Tokyo"}
            quicker = scheduler.update_calendar(ACME, "office", changes)
            asyncio.run_coroutine_threadsafe(quicker, loop).result()
            return super().decode(*args, **more)

    with pytest.raises(VersionConflict):
        await scheduler.import_calendar(ACME, "office", Slow(ICS.encode()))


@ON_SQLITE
async def test_a_calendar_has_at_most_a_megabyte(scheduler: Scheduler) -> None:
    long = [{"from": "2040-01-01", "name": "☃" * 255}] * 5000
    with pytest.raises(InvalidInput) as refused:
        await scheduler.create_calendar(ACME, "office", {"exceptions": long})
    assert refused.value.field == "exceptions"
    short = [{"from": "2040-01-03", "name": "A day as any other"}] * 5000
    made = await scheduler.create_calendar(ACME, "office", {"exceptions": short})
    assert len(made.definition.exceptions) == 5000


@ON_SQLITE
async def test_the_installations_zone_is_the_default(
    database_url: str, scheduler: Scheduler
) -> None:
    there = Scheduler(database_url, clock=scheduler._store.clock, default_timezone="Asia/Tokyo")
    await there.open()
    try:
        async with client_of(create_app(there, default_scope=ACME, version="1", manage=False)) as c:
            assert (await make(c))["timezone"] == "Asia/Tokyo"
    finally:
        await there.stop()
