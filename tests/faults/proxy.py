"""A TCP proxy before a server that can be cut, be stalled, or lose the answers to commits."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from types import TracebackType
from typing import Self

from sqlalchemy.engine import make_url

COMMIT = b"COMMIT"
_CHUNK = 64 * 1024


class Proxy:
    """Forwards connections to the server of `url`; `self.url` leads through it.

    Its port stays its own while it is cut: a bound socket that never listens holds it, so that
    connecting is refused as it is by a server that went away.
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
        self.loses_commits = False
        self.lost_commits = 0
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

    async def mend(self) -> None:
        """Take connections again."""
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self._port, reuse_port=True
        )

    async def cut(self) -> None:
        """Break all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def stall(self) -> None:
        """Let nothing through, in neither direction, without breaking a connection."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        # A cancelled link must not look failed to the server that made its task.
        with suppress(asyncio.CancelledError):
            await self._serve(reader, writer)
        self._links.discard(link)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._target.host or "127.0.0.1", self._target.port or 5432
        there: asyncio.StreamWriter | None = None
        try:
            back, there = await asyncio.open_connection(host, port)
            lost = asyncio.Event()
            pumps = [
                asyncio.create_task(self._ask(reader, there, lost)),
                asyncio.create_task(self._answer(back, writer, lost)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            for end in (writer, there):
                if end is not None:
                    end.transport.abort()

    async def _ask(
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        while data := await reader.read(_CHUNK):
            await self._flowing.wait()
            if self.loses_commits and COMMIT in data:
                lost.set()
            there.write(data)
            await there.drain()

    async def _answer(
        self, back: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        while data := await back.read(_CHUNK):
            await self._flowing.wait()
            if lost.is_set():
                # What came is the answer to the commit: it was made, and nobody will know.
                self.lost_commits += 1
                return
            writer.write(data)
            await writer.drain()
