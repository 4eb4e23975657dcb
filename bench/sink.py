"""A service that answers every POST at once, in a process of its own, and counts them.

It is written on the bare protocol, because a web framework would use as much CPU as the sender
that is measured. It ends when its input does, and so does not outlive whoever started it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END = b"\r\n\r\n"


class Sink:
    """What each path has seen."""

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}
        self._firsts: dict[bytes, float] = {}

    def seen(self, path: bytes) -> bytes:
        seen = {"count": self._counts.get(path, 0), "first": self._firsts.get(path, 0.0)}
        return json.dumps(seen).encode()

    def posted(self, path: bytes) -> bytes:
        self._counts[path] = self._counts.get(path, 0) + 1
        self._firsts.setdefault(path, time.time())
        return b"{}"


class Connection(asyncio.Protocol):
    """One connection, kept alive, with requests one after the other."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(_END)) >= 0:
            length = _LENGTH.search(self._buffer, 0, end)
            whole = end + len(_END) + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            request, self._buffer = self._buffer[:end], self._buffer[whole:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        method, path, _ = request.split(b" ", 2)
        body = self._sink.posted(path) if method == b"POST" else self._sink.seen(path)
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
        self._transport.write(f"{head}{len(body)}\r\n\r\n".encode() + body)


async def serve() -> None:
    sink = Sink()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(sink), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve())
