"""A TCP proxy before a server that can be cut, stall, be slow, or lose commits on either side.

Invariant: what it did to a connection is counted in `counts`, and nothing else happens to one.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

from sqlalchemy.engine import make_url

COMMIT = b"COMMIT"
_CHUNK = 64 * 1024
_RESET = struct.pack("ii", 1, 0)

Commits = Literal["pass", "unsent", "unanswered"]


class Proxy:
    """Forwards connections to the server of `url`; `self.url` leads through it.

    Its port stays its own while it is cut: a bound socket that never listens holds it, so that
    connecting is refused as it is by a server that went away.

    `latency` delays everything by that many seconds, in both directions. `commits` breaks the
    connection of each commit: `unsent` before the server has it, `unanswered` once it is made
    and before anybody is told. `counts` says how often what was done: `cut`, `reset`, `stalled`,
    `unsent`, `unanswered`.
    """

    def __init__(self, url: str) -> None:
        self._target = make_url(url)
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._holder.bind(("127.0.0.1", 0))
        self._port = int(self._holder.getsockname()[1])
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.latency = 0.0
        self.commits: Commits = "pass"
        self.counts: Counter[str] = Counter()
        self.url = self._target.set(host="127.0.0.1", port=self._port).render_as_string(False)

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.cut()
        self._holder.close()

    @property
    def connections(self) -> int:
        return len(self._links)

    async def mend(self) -> None:
        """Take connections again."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._connected, "127.0.0.1", self._port, reuse_port=True
            )

    async def cut(self) -> None:
        """Break all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._break("cut")

    async def reset(self) -> None:
        """Break all connections; new ones are taken at once."""
        await self._break("reset")

    def stall(self) -> None:
        """Let nothing through, in neither direction, without breaking a connection."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    async def _break(self, how: str) -> None:
        links = list(self._links)
        self.counts[how] += len(links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        # A cancelled link must not look failed to the server that made its task, and neither
        # must one whose server is away.
        with suppress(asyncio.CancelledError, OSError):
            await self._serve(reader, writer)
        self._links.discard(link)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._target.host or "127.0.0.1", self._target.port or 5432
        there: asyncio.StreamWriter | None = None
        hung_up = False
        try:
            back, there = await asyncio.open_connection(host, port)
            lost = asyncio.Event()
            pumps = [
                asyncio.create_task(self._ask(reader, there, lost)),
                asyncio.create_task(self._answer(back, writer, lost)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                hung_up = any(each.done() and _hung_up(each) for each in pumps)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            for end in (writer, there):
                if end is not None:
                    _close(end, broken=not hung_up)

    async def _ask(
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, lost: asyncio.Event
    ) -> bool:
        """Pass on what the client says; whether the client ended it."""
        while data := await reader.read(_CHUNK):
            await self._travel()
            if self.commits != "pass" and COMMIT in data:
                if self.commits == "unsent":
                    self.counts["unsent"] += 1
                    return False
                lost.set()
            there.write(data)
            await there.drain()
        return True

    async def _answer(
        self, back: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event
    ) -> bool:
        """Pass on what the server says; whether the server ended it."""
        while data := await back.read(_CHUNK):
            await self._travel()
            if lost.is_set():
                # What came is the answer to the commit: it was made, and nobody will know.
                self.counts["unanswered"] += 1
                return False
            writer.write(data)
            await writer.drain()
        return True

    async def _travel(self) -> None:
        if not self._flowing.is_set():
            self.counts["stalled"] += 1
            await self._flowing.wait()
        if self.latency:
            await asyncio.sleep(self.latency)


def _hung_up(pump: asyncio.Task[bool]) -> bool:
    return pump.exception() is None and pump.result()


def _close(end: asyncio.StreamWriter, *, broken: bool) -> None:
    """End a connection; a broken one tells its other end so, and takes back what is unread."""
    if broken:
        connection = end.get_extra_info("socket")
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    end.transport.abort()
