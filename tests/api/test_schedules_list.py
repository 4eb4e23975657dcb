"""Lists of schedules: paging with totals, filters that hold, order that is stable."""

from __future__ import annotations

import httpx
import pytest

from .support import CRON, ON_SQLITE, create, paths_of, problem_of


async def keys(client: httpx.AsyncClient, query: str) -> list[str]:
    answer = await client.get(f"/schedules?{query}")
    assert answer.status_code == 200, answer.text
    return [each["key"] for each in answer.json()["data"]]


async def test_an_empty_list_is_a_page_too(client: httpx.AsyncClient) -> None:
    answer = await client.get("/schedules")

    assert answer.json() == {
        "data": [],
        "pagination": {"page": 1, "pageSize": 20, "total": 0, "totalPages": 0},
    }


async def test_pages_hold_everything_exactly_once(client: httpx.AsyncClient) -> None:
    made = [(await create(client, key=f"s{number}"))["key"] for number in range(7)]

    pages = [
        (await client.get(f"/schedules?page={page}&pageSize=3")).json() for page in (1, 2, 3, 4)
    ]

    assert [each["key"] for page in pages for each in page["data"]] == made[::-1]
    assert [len(page["data"]) for page in pages] == [3, 3, 1, 0]
    assert pages[0]["pagination"] == {"page": 1, "pageSize": 3, "total": 7, "totalPages": 3}


async def test_filters_narrow_the_list(client: httpx.AsyncClient) -> None:
    await create(client, key="a", jobKey="mail", category="email", name="Weekly 100%")
    await create(client, key="b", enabled=False, description="weekly 1000")
    await create(client, key="c")
    await client.post("/schedules/c/cancel")

    assert await keys(client, "status=active") == ["a"]
    assert await keys(client, "enabled=true") == ["a"]
    assert await keys(client, "enabled=false") == ["b"]
    assert await keys(client, "enabled=false&status=paused") == ["b"]
    assert await keys(client, "status=cancelled") == ["c"]
    assert await keys(client, "jobKey=mail") == ["a"]
    assert await keys(client, "category=email") == ["a"]
    assert await keys(client, "search=WEEKLY") == ["b", "a"]
    assert await keys(client, "search=100%25") == ["a"]
    assert await keys(client, "search=nothing") == []


async def test_the_order_can_be_chosen(client: httpx.AsyncClient) -> None:
    await create(client, key="b", name="1", trigger=CRON | {"expression": "0 9 * * 3"})
    await create(client, key="a", name="2", trigger=CRON | {"expression": "0 9 * * 2"})
    await create(client, key="c", name="3", enabled=False)

    assert await keys(client, "sort=createdAt") == ["b", "a", "c"]
    assert await keys(client, "sort=key") == ["a", "b", "c"]
    assert await keys(client, "sort=-name") == ["c", "a", "b"]
    assert await keys(client, "sort=nextRunAt") == ["a", "b", "c"]


@ON_SQLITE
@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("page=0", "page"),
        ("page=x", "page"),
        ("page=99999999999999999999", "page"),
        ("pageSize=0", "pageSize"),
        ("pageSize=101", "pageSize"),
        ("status=asleep", "status"),
        ("enabled=perhaps", "enabled"),
        ("status=failed&enabled=true", "enabled"),
        ("sort=payload", "sort"),
        ("sort=id;drop table schedules", "sort"),
        ("search=" + "x" * 256, "search"),
        ("page_size=5", "page_size"),
        ("colour=red", "colour"),
    ],
)
async def test_a_bad_query_is_refused_by_name(
    client: httpx.AsyncClient, query: str, path: str
) -> None:
    problem = problem_of(await client.get(f"/schedules?{query}"), 422, "invalid_input")

    assert paths_of(problem) == [path]
