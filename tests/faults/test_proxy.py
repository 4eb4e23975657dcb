"""The proxy does to connections what it says, and counts it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from sqlalchemy.engine import make_url

from tests.faults.world.processes import until
from tests.faults.world.proxy import Proxy

_PATIENCE_SECONDS = 5.0
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Connection]]


class Echo:
    """A server that answers each line with itself, and remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.talking = 0
        self.broken = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.talking += 1
        try:
            while line := await reader.readline():
                self.heard.append(line)
                writer.write(line)
                await writer.drain()
        except ConnectionError:
            self.broken += 1
        self.talking -= 1
        writer.close()


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(echo.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Proxy(f"postgresql://somebody@127.0.0.1:{port}/anything") as between:
        yield between
    await until(lambda: not echo.talking, 2, "nobody is left talking")
    server.close()


@pytest.fixture
async def connect(proxy: Proxy) -> AsyncIterator[Connect]:
    """Connections through the proxy that end with their test."""
    made: list[Connection] = []

    async def connected() -> Connection:
        url = make_url(proxy.url)
        made.append(await asyncio.open_connection(url.host, url.port))
        return made[-1]

    yield connected
    for _, writer in made:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def said(connection: Connection, line: bytes) -> bytes:
    """What comes back for `line`; nothing when the connection ends instead."""
    reader, writer = connection
    writer.write(line)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await reader.readline()
    except ConnectionError:
        return b""


async def test_what_is_said_passes_both_ways(proxy: Proxy, echo: Echo, connect: Connect) -> None:
    connection = await connect()
    assert await said(connection, b"COMMIT;\n") == b"COMMIT;\n"
    connection[1].close()
    await until(lambda: not proxy.connections, 2, "the link ends with its client")
    assert proxy.counts == {}
    assert echo.broken == 0


async def test_a_reset_breaks_all_connections_and_new_ones_are_taken(
    proxy: Proxy, connect: Connect
) -> None:
    old = [await connect() for _ in range(3)]
    for connection in old:
        assert await said(connection, b"here\n")
    await proxy.reset()
    for connection in old:
        assert await said(connection, b"gone\n") == b""
    assert await said(await connect(), b"again\n") == b"again\n"
    assert proxy.counts["reset"] == 3


async def test_while_it_is_cut_connecting_is_refused(proxy: Proxy, connect: Connect) -> None:
    connection = await connect()
    assert await said(connection, b"here\n")
    await proxy.cut()
    assert await said(connection, b"gone\n") == b""
    with pytest.raises(ConnectionRefusedError):
        await connect()
    await proxy.mend()
    assert await said(await connect(), b"again\n") == b"again\n"
    assert proxy.counts["cut"] == 1


async def test_what_is_stalled_arrives_once_it_flows_again(
    proxy: Proxy, echo: Echo, connect: Connect
) -> None:
    connection = await connect()
    proxy.stall()
    waiting = asyncio.create_task(said(connection, b"slowly\n"))
    await until(lambda: proxy.counts["stalled"], 2, "something is held up")
    await asyncio.sleep(0.05)
    assert echo.heard == []
    assert not waiting.done()
    proxy.flow()
    assert await waiting == b"slowly\n"


async def test_latency_delays_each_direction(proxy: Proxy, connect: Connect) -> None:
    connection = await connect()
    proxy.latency = 0.1
    began = time.monotonic()
    assert await said(connection, b"slowly\n") == b"slowly\n"
    assert time.monotonic() - began >= 0.2


async def test_an_unsent_commit_never_reaches_the_server(
    proxy: Proxy, echo: Echo, connect: Connect
) -> None:
    connection = await connect()
    proxy.commits = "unsent"
    assert await said(connection, b"INSERT\n") == b"INSERT\n"
    assert await said(connection, b"COMMIT;\n") == b""
    await until(lambda: echo.broken, 2, "the server is told")
    assert echo.heard == [b"INSERT\n"]
    assert proxy.counts == {"unsent": 1}


async def test_an_unanswered_commit_is_made_and_its_client_told_nothing(
    proxy: Proxy, echo: Echo, connect: Connect
) -> None:
    connection = await connect()
    proxy.commits = "unanswered"
    assert await said(connection, b"COMMIT;\n") == b""
    assert echo.heard == [b"COMMIT;\n"]
    assert proxy.counts == {"unanswered": 1}
