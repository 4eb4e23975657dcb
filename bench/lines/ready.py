"""Starting a scheduler as a process of its own, and knowing when it is ready."""

from __future__ import annotations

import asyncio
import re
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp

from bench.contenders.base import Contender
from bench.lines.base import Incomplete

PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.005
_STOP_SECONDS = 5.0
_ADDRESS = re.compile(r" at (http://\S+?);")


@dataclass(frozen=True, slots=True)
class Ready:
    """A scheduler that is ready, and how many seconds after its process began it was."""

    pid: int
    seconds: float


@asynccontextmanager
async def ready(contender: Contender) -> AsyncIterator[Ready]:
    """Start the contender's own command; a service is ready when it says so over HTTP."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *contender.ready_command(), stdin=PIPE, stdout=PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _said(process)
        yield Ready(process.pid, time.monotonic() - began)
    finally:
        await _end(process)


async def _said(process: Process) -> None:
    assert process.stdout is not None
    while line := (await process.stdout.readline()).decode():
        if line.strip() == "ready":
            return
        if found := _ADDRESS.search(line):
            await _answers(f"{found[1]}/ready")
            return
    raise Incomplete("the process ended before it was ready")


async def _answers(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(url) as response:
                if response.status == 200:
                    return
            await asyncio.sleep(_LOOK_SECONDS)


async def _end(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
