"""`make run`: the scheduler and an example service with work for it; they end together."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from pathlib import Path

GRACE_SECONDS = 20
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
DATABASE_NAMES = ("TICKWRIGHT_DATABASE_URL", "DATABASE_URL", "POSTGRES_URL")
CONSOLE_TEXT = """
Tickwright starts; Ctrl-C ends it. The example job directory-digest fires every minute.
  API      {url}/schedules and {url}/api/jobs
  Docs     {url}/docs
  History  curl {url}/api/jobs/directory-digest/history
"""


def main() -> int:
    port, example_port = os.environ.get("PORT") or "8080", str(free_port())
    url = f"http://127.0.0.1:{port}"
    os.environ["HOUSEKEEPING_SERVICE_URL"] = f"http://127.0.0.1:{example_port}"
    Path("var").mkdir(exist_ok=True)
    if not any(os.environ.get(name) for name in DATABASE_NAMES):
        os.environ["TICKWRIGHT_DATABASE_URL"] = "sqlite:///var/tickwright.db"
    scheduler = [sys.executable, "-m", "tickwright", "serve", "--port", port]
    example = [sys.executable, "-m", "examples.housekeeping", "--port", example_port]
    example += ["--scheduler-url", url, "--data", "var/housekeeping"]
    print(CONSOLE_TEXT.format(url=url), flush=True)
    return asyncio.run(run_together(scheduler, example))


async def run_together(*commands: list[str]) -> int:
    children: list[Process] = []
    try:
        for command in commands:
            children.append(await start(command))
        return await until_one_ends(children)
    finally:
        for child in children:
            if child.returncode is None:
                child.kill()
                await child.wait()


async def until_one_ends(children: list[Process]) -> int:
    """Asks the others to end as well, and answers with the exit code of the one that ended."""
    told: list[signal.Signals] = []

    def tell(number: signal.Signals) -> None:
        told.append(number)
        for child in children:
            if child.returncode is None:
                child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, tell, number)
    endings = [asyncio.create_task(child.wait()) for child in children]
    ended, _ = await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
    if not told:
        tell(signal.SIGTERM)
    await asyncio.wait(endings, timeout=GRACE_SECONDS)
    code = ended.pop().result()
    return code if code >= 0 else 128 - code


async def start(command: list[str]) -> Process:
    # In a session of its own a child gets each Ctrl-C once: from here, not also from the terminal.
    return await create_subprocess_exec(
        *command, stdin=DEVNULL, start_new_session=True, preexec_fn=end_with_parent
    )


def end_with_parent() -> None:
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
