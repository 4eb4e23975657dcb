"""Whatever a service sends or stops sending, the run ends with an outcome and memory is bounded."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from tickwright.model.json import checked_text
from tickwright.model.run import Failed, Outcome, Succeeded
from tickwright.targets.http import MAX_BODY_BYTES, HttpTarget

from .support import Script, Service, claimed, raw_service

TARGET = {"type": "http", "service": "email-service", "endpoint": "/job?token=s3cret"}
MEGABYTE = 1024 * 1024


async def answer_of(script: Script) -> Outcome:
    """The outcome of a delivery to a server that does what `script` does."""
    async with raw_service(script) as url:
        target = HttpTarget({"EMAIL_SERVICE": url})
        await target.open()
        try:
            return await target.deliver(claimed(TARGET))
        finally:
            await target.close()


async def failure_of(script: Script) -> Failed:
    outcome = await answer_of(script)
    assert isinstance(outcome, Failed)
    return outcome


def sends(*pieces: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
        await reader.read()

    return script


def endless(head: bytes, piece: bytes, sent: list[int]) -> Script:
    """Sends `piece` until the other side has had enough."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            sent.append(len(piece))
            await writer.drain()

    return script


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join((b"HTTP/1.1 " + status, length, *headers, b"", body))


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("status", [b"200 OK", b"500 Oh"])
async def test_a_body_of_20_megabytes_is_read_to_64_kib(status: bytes) -> None:
    sent: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n\r\n" % (20 * MEGABYTE)
        await endless(head, b"x" * MAX_BODY_BYTES, sent)(reader, writer)

    outcome = await answer_of(script)

    expected = "x" * 1000
    if status == b"200 OK":
        assert outcome == Succeeded({"body": expected})
    else:
        assert outcome == Failed(f"HTTP 500 Oh: {expected}")
    assert sum(sent) < 20 * MEGABYTE


@pytest.mark.parametrize("piece", [b"10000\r\n" + b"x" * 65536 + b"\r\n", b"1\r\nx\r\n" * 1000])
async def test_a_body_without_end_is_read_to_64_kib(piece: bytes) -> None:
    let_go = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await endless(CHUNKED, piece, [])(reader, writer)
        except ConnectionError:
            let_go.set()

    tracemalloc.start()
    try:
        async with raw_service(script) as url:
            target = HttpTarget({"EMAIL_SERVICE": url})
            await target.open()
            outcome = await target.deliver(claimed(TARGET))
            await let_go.wait()
            await target.close()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert outcome == Succeeded({"body": "x" * 1000})
    assert peak < 10 * MEGABYTE


async def test_json_cut_at_64_kib_counts_as_text() -> None:
    body = json.dumps({"success": True, "metadata": "x" * MAX_BODY_BYTES}).encode()

    outcome = await answer_of(sends(answer(body)))

    assert isinstance(outcome, Succeeded)
    assert outcome.result["body"].startswith('{"success": true')


async def test_json_of_just_64_kib_is_read_whole() -> None:
    body = b'{"success": false}'
    body += b" " * (MAX_BODY_BYTES - len(body))

    assert (await failure_of(sends(answer(body)))).error == "the service reported success: false"


async def test_a_gzip_bomb_stays_packed() -> None:
    bomb = gzip.compress(b" " * (30 * MEGABYTE))
    tracemalloc.start()
    try:
        failed = await failure_of(sends(answer(bomb, b"Content-Encoding: gzip")))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "gzip-coded" in failed.error
    assert not failed.retryable
    assert peak < 10 * MEGABYTE


async def test_a_body_that_only_claims_to_be_packed_is_left_alone() -> None:
    failed = await failure_of(sends(answer(b"no gzip", b"Content-Encoding: gzip")))

    assert "gzip-coded" in failed.error


async def test_a_packed_failure_is_not_taken_for_a_success() -> None:
    body = gzip.compress(b'{"success": false}')

    assert not (await failure_of(sends(answer(body, b"Content-Encoding: gzip")))).retryable
    assert await answer_of(sends(answer(b"", b"Content-Encoding: gzip"))) == Succeeded()


@pytest.mark.parametrize("code", [300, 301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(code: int) -> None:
    visits: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(b"visit")
        head = answer(b"", b"Location: http://169.254.169.254/", status=b"%d Elsewhere" % code)
        await sends(head)(reader, writer)

    outcome = await answer_of(script)

    error = f"HTTP {code} Elsewhere: redirects are not followed"
    assert outcome == Failed(error, retryable=False)
    assert len(visits) == 1


def reset(before: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        await writer.drain()
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    return script


@pytest.mark.parametrize(
    "script",
    [
        reset(b""),
        sends(b""),
        sends(b"HTTP/1.1 200 OK\r\nContent-Le"),
        sends(answer(b"{}").replace(b": 2", b": 20")),
        sends(answer(b'{"success": true}').replace(b": 17", b": 2")),
        sends(CHUNKED + b"5\r\nab"),
        sends(CHUNKED + b"zz\r\nab\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} "),
        sends(b"SSH-2.0-OpenSSH_9.2\r\n"),
        sends(b"\x15\x03\x01\x00\x02\x02\x46"),
        sends(b"HTTP/1.1 999999 What\r\n\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (20 * MEGABYTE)),
        sends(b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 100_000),
    ],
    ids=lambda script: None,
)
async def test_a_broken_answer_is_a_failure_that_can_be_retried(script: Script) -> None:
    failed = await failure_of(script)

    assert failed.retryable
    assert failed.ambiguous, "the request was sent"
    assert failed.error.startswith("no answer from 127.0.0.1:")
    assert "s3cret" not in failed.error
    assert len(failed.error) < 700


async def hangs_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hangs_in_the_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-A: b")
    await reader.read()


async def hangs_in_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(CHUNKED + b"1\r\nx\r\n")
    await reader.read()


async def floods_with_100(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10, [])(reader, writer)


@pytest.mark.parametrize(
    "script", [hangs_at_once, hangs_in_the_head, hangs_in_the_body, floods_with_100]
)
async def test_a_service_that_never_ends_can_be_cancelled_and_is_let_go(script: Script) -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        entered.set()
        try:
            await script(reader, writer)
        finally:
            left.set()

    async with raw_service(watched) as url:
        target = HttpTarget({"EMAIL_SERVICE": url})
        await target.open()
        delivery = asyncio.create_task(target.deliver(claimed(TARGET)))
        await entered.wait()
        delivery.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivery
        await left.wait()
        await target.close()


@pytest.fixture
async def unreachable() -> AsyncIterator[HttpTarget]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        target = HttpTarget(
            {
                "EMAIL_SERVICE": f"http://ann:s3cret@127.0.0.1:{port}",
                "UNKNOWN": "http://ann:s3cret@no-such-host.invalid",
                "LABEL": f"http://ann:s3cret@{'a' * 70}.invalid",
                "TLS": f"https://ann:s3cret@127.0.0.1:{port}",
            }
        )
        await target.open()
        yield target
        await target.close()


@pytest.mark.parametrize("service", ["email-service", "unknown", "label", "tls"])
async def test_a_service_that_cannot_be_reached_is_named_without_its_password(
    unreachable: HttpTarget, service: str
) -> None:
    failed = await unreachable.deliver(claimed(TARGET | {"service": service}))

    assert isinstance(failed, Failed)
    assert failed.retryable
    assert not failed.ambiguous, "nothing was sent"
    assert failed.error.startswith("no answer from ")
    assert "s3cret" not in failed.error


async def test_a_service_that_speaks_no_tls_is_a_failure(service: Service) -> None:
    target = HttpTarget({"EMAIL_SERVICE": service.url.replace("http:", "https:")})
    await target.open()
    outcome = await target.deliver(claimed(TARGET))
    await target.close()

    assert isinstance(outcome, Failed)
    assert outcome.retryable
    assert outcome.error.startswith("no answer from 127.0.0.1:")


@pytest.mark.parametrize(
    "body",
    [b"[" * 60_000, b'{"a":' * 10_000, b'{"a":1}' * 9000, b"\x00\xff" * 1000, b"\xef\xbb\xbf{}"],
)
@pytest.mark.parametrize("status", [b"200 OK", b"400 \xff\x80bad"])
async def test_bodies_that_are_hardly_json_do_no_harm(body: bytes, status: bytes) -> None:
    outcome = await answer_of(sends(answer(body, status=status)))

    assert isinstance(outcome, Succeeded | Failed)
    checked_text("result", outcome.result)
    if isinstance(outcome, Failed):
        assert len(outcome.error.encode()) < 2000
        assert "\0" not in outcome.error
