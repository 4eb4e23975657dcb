"""Bodies that two parsers could read differently, or that no database could keep, are refused."""

from __future__ import annotations

import json
from contextlib import suppress
from time import perf_counter

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwright.api.body import read_json
from tickwright.api.errors import Refused

from .support import CRON, DIGEST, ON_SQLITE, create, problem_of

JSON = {"Content-Type": "application/json"}
GOOD = json.dumps({"jobKey": "report", "trigger": CRON})[:-1]
MALFORMED = {
    "empty object cut off": b"{",
    "no value": b" ",
    "two values": b"{}{}",
    "trailing comma": b'{"jobKey": "a",}',
    "single quotes": b"{'jobKey': 'a'}",
    "comment": b"{} // see",
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"jobKey": "a"}'.encode("utf-16"),
    "latin-1": '{"jobKey": "t\u00e4glich"}'.encode("latin-1"),
    "overlong UTF-8": b'{"jobKey": "\xc0\x80"}',
    "surrogate bytes": b'{"jobKey": "\xed\xa0\x80"}',
    "raw control character": b'{"jobKey": "a\x01"}',
    "NaN": f'{GOOD}, "payload": {{"a": NaN}}}}'.encode(),
    "Infinity": f'{GOOD}, "payload": {{"a": Infinity}}}}'.encode(),
    "minus Infinity": f'{GOOD}, "payload": {{"a": -Infinity}}}}'.encode(),
    "1e999": f'{GOOD}, "payload": {{"a": 1e999}}}}'.encode(),
    "2^63": f'{GOOD}, "payload": {{"a": 9223372036854775808}}}}'.encode(),
    "below -2^63": f'{GOOD}, "payload": {{"a": -9223372036854775809}}}}'.encode(),
    "10,000 digits": f'{GOOD}, "payload": {{"a": {"9" * 10_000}}}}}'.encode(),
    "a name twice": f'{GOOD}, "jobKey": "other"}}'.encode(),
    "a name twice, deep down": f'{GOOD}, "payload": {{"a": {{"b": 1, "b": 2}}}}}}'.encode(),
    "a name twice, escaped": f'{GOOD}, "job\\u004bey": "other"}}'.encode(),
    "lone surrogate": f'{GOOD}, "name": "\\ud800"}}'.encode(),
    "lone surrogate in a name": f'{GOOD}, "payload": {{"\\udfff": 1}}}}'.encode(),
    "NUL": f'{GOOD}, "name": "a\\u0000b"}}'.encode(),
    "NUL in a name": f'{GOOD}, "metadata": {{"\\u0000": 1}}}}'.encode(),
    "51 levels": f'{GOOD}, "payload": {{"a": {"[" * 49}{"]" * 49}}}}}'.encode(),
    "100,000 levels": b"[" * 100_000,
    "100,000 closed levels": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
}


@ON_SQLITE
@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_body_is_refused(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.post("/schedules", content=MALFORMED[name], headers=JSON)

    problem_of(answer, 400, "malformed_json")
    assert (await client.get("/schedules")).json()["pagination"]["total"] == 0


@ON_SQLITE
@pytest.mark.parametrize("name", MALFORMED)
async def test_service_jobs_refuse_it_in_their_own_words(
    client: httpx.AsyncClient, name: str
) -> None:
    for method, path in (("POST", "/api/jobs/register"), ("PUT", "/api/jobs/x/cron")):
        answer = await client.request(method, path, content=MALFORMED[name], headers=JSON)
        assert answer.status_code == 400
        assert set(answer.json()) == {"error", "message"}


@ON_SQLITE
async def test_every_route_with_a_body_reads_it_with_the_same_care(
    client: httpx.AsyncClient,
) -> None:
    await create(client)
    for method, path in (
        ("PATCH", "/schedules/nightly"),
        ("POST", "/schedules/nightly/pause"),
        ("POST", "/schedules/nightly/cancel"),
        ("POST", "/schedules/nightly/trigger"),
    ):
        answer = await client.request(method, path, content=b'{"a": NaN}', headers=JSON)
        problem_of(answer, 400, "malformed_json")


async def test_what_is_odd_but_sound_is_kept_as_it_is(client: httpx.AsyncClient) -> None:
    payload = {
        "emoji": "\U0001f9d1\u200d\U0001f680",
        "nfc": "\u00e9",
        "nfd": "e\u0301",
        "rtl": "\u202eabc",
        "zero width": "a\u200bb",
        "limits": [2**63 - 1, -(2**63), 5e-324, 0.1, 1e15],
        "a\u0301": 1,
        "\u00e1": 2,
        "markup": "<script>alert(1)</script>",
        "sql": "'; DROP TABLE runs; --",
        "escape": "\\ud800 in letters",
        "deep": json.loads("[" * 47 + "]" * 47),
    }

    created = await create(client, payload=payload, name="\U0001f4ec \u202e\u200b")

    read = (await client.get(f"/schedules/{created['id']}")).json()
    assert read["payload"] == payload
    assert read["name"] == "\U0001f4ec \u202e\u200b"


@ON_SQLITE
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json", ""],
)
async def test_only_json_is_read(client: httpx.AsyncClient, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    body = json.dumps({"jobKey": "report", "trigger": CRON})

    problem_of(
        await client.post("/schedules", content=body, headers=headers),
        415,
        "unsupported_media_type",
    )
    told = await client.post("/api/jobs/register", content=json.dumps(DIGEST), headers=headers)
    assert (told.status_code, set(told.json())) == (415, {"error", "message"})


@ON_SQLITE
@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"]
)
async def test_json_has_several_names(client: httpx.AsyncClient, content_type: str) -> None:
    body = json.dumps({"jobKey": "report", "trigger": CRON})

    answer = await client.post("/schedules", content=body, headers={"Content-Type": content_type})

    assert answer.status_code == 201


@ON_SQLITE
@pytest.mark.parametrize("headers", [{}, JSON])
async def test_an_empty_body_will_do_where_none_is_needed(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    await create(client)

    for action, status in (("pause", 200), ("resume", 200), ("trigger", 202), ("cancel", 200)):
        answer = await client.post(f"/schedules/nightly/{action}", content=b"", headers=headers)
        assert answer.status_code == status


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore"))
)
def test_whatever_comes_is_read_or_refused(raw: bytes) -> None:
    with suppress(Refused):
        read_json(raw)


finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | finite | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_sound_json_is_read_as_it_was_written(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 1_000_000,
        b"[" + b"{}," * 340_000 + b"{}]",
        b"[" + b"1," * 500_000 + b"1]",
        b'"' + b"\\u0041" * 170_000 + b'"',
        b"1" * 1_000_000,
        b"0." + b"1" * 1_000_000,
        b'{"' + b'":1,"'.join(b"%d" % n for n in range(90_000)) + b'":1}',
    ],
    ids=["brackets", "objects", "numbers", "escapes", "digits", "fraction", "names"],
)
def test_reading_the_worst_megabyte_does_not_take_long(raw: bytes) -> None:
    begun = perf_counter()

    with suppress(Refused):
        read_json(raw)

    assert perf_counter() - begun < 3
