"""The whole system under test: a database with its journal, services, workers and the sink.

Invariant: every process has one name for good, what runs under it may be killed and started again,
and whatever was started ends with the block.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import sqlalchemy as sa

from tests.databases import migrate, sqlite_url
from tests.faults.judge.history import Exit, Fault, History, Operation, Setting
from tests.faults.ledger import connected
from tests.faults.world import journal
from tests.faults.world.clients import JOB, LANE, NARROW, RATED, Habits
from tests.faults.world.cluster import Cluster, free_port
from tests.faults.world.processes import Process, command_line
from tests.faults.world.proxy import Proxy
from tests.faults.world.sink import Sink
from tickwright.model.job import Backoff, Policy, Rate, policy_to_json
from tickwright.model.scope import Scope
from tickwright.store.database import new_id

_DAY_SECONDS = 86_400
_TENANT = "default"
_READY_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_MOST_LOST = 20
LIMITS: dict[str, dict[str, Any]] = {
    NARROW: {"concurrency": 3, "keyConcurrency": 1},
    RATED: {"starts": 10, "per": 2.0},
}
"""The limits of the jobs that have some, as the judge reads them."""


@dataclass(frozen=True)
class Settings:
    """What the system is made of and how it behaves; durations in seconds.

    With `proxied` every process reaches the database through a proxy of its own. `environment`
    gives what a process of that name has in its environment besides, `mutate` names a planted bug
    that all of them carry, `prepare` is given the database before anybody uses it. Without
    `forked` processes start from scratch, as the linker's preloads need it.
    """

    seed: int = 1
    seconds: float = 15.0
    dialect: Literal["postgresql", "sqlite"] = "postgresql"
    services: int = 2
    workers: int = 3
    clients: int = 4
    habits: Habits = field(default_factory=Habits)
    lease: float = 1.5
    sweep: float = 0.3
    poll: float = 2.0
    grace: float = 5.0
    retention: float = 7.0 * _DAY_SECONDS
    prune_every: float | None = None
    slots: int = 50
    attempts: int = 3
    patience: float = 60.0
    proxied: bool = False
    mutate: str | None = None
    forked: bool = True
    environment: Callable[[str], Mapping[str, str]] = lambda name: {}
    prepare: Callable[[str], Awaitable[None]] | None = None


class System:
    """Everything that runs, and what was recorded of it; its logs are in `folder`."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.processes: dict[str, Process] = {}
        self.proxies: dict[str, Proxy] = {}
        self.services: list[str] = []
        self.operations: list[Operation] = []
        self.faults: list[Fault] = []
        self.exits: list[Exit] = []
        self.sink = Sink()
        self.cluster: Cluster | None = None
        self.url = ""
        self.began_at = now()
        self.quiet_at = 0.0
        self._args: dict[str, list[str]] = {}
        self._stack = AsyncExitStack()

    @property
    def names(self) -> list[str]:
        return list(self._args)

    @property
    def workers(self) -> list[str]:
        return [name for name in self._args if name.startswith("worker")]

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            stack.callback(self._end_all)
            await stack.enter_async_context(self.sink)
            self.url = await self._database(stack)
            await self._define_jobs()
            if self.settings.prepare is not None:
                await self.settings.prepare(self.url)
            self._lay_out()
            for name in self._args:
                if self.settings.proxied:
                    self.proxies[name] = await stack.enter_async_context(Proxy(self.url))
                self.spawn(name)
            self._stack = stack.pop_all()
            await self.whole()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def spawn(self, name: str) -> Process:
        """Start what has that name, in a new process."""
        patches = {"mutate": self.settings.mutate, "prune_every": self.settings.prune_every}
        process = Process(
            name,
            command_line(*self._args[name], **patches),
            self.folder,
            self._environment(name),
            self.exits,
            forked=self.settings.forked,
        )
        self.processes[name] = process
        return process

    async def whole(self) -> None:
        """Wait until every process that should be there is at work."""
        await asyncio.gather(*(self.at_work(name) for name in self._args))

    async def at_work(self, name: str, seconds: float = _READY_SECONDS) -> None:
        """Wait until that process has announced itself in the database."""
        process = self.processes[name]

        async def online() -> bool:
            assert process.alive, f"{name} ended while it started:\n{process.log}"
            return await self._online(process.pid)

        assert await eventually(online, seconds), f"{name} is not at work within {seconds:g} s"

    async def held(self, name: str) -> dict[str, int]:
        """The runs in that process's hands, with their lease tokens."""
        pid = self.processes[name].pid
        async with connected(self.url) as (c, t):
            rows = await c.execute(
                sa.select(t.runs.c.id, t.runs.c.lease_token)
                .join(t.workers, t.workers.c.id == t.runs.c.worker_id)
                .where(t.runs.c.status == "running", t.workers.c.pid == pid)
                .where(t.workers.c.status == "online", t.runs.c.started_at.is_not(None))
            )
            return {run.hex: int(token) for run, token in rows}

    async def become_quiet(self) -> None:
        """Wait until nothing is open or to come; what is open when patience ends, stays so."""
        await eventually(self._quiet, self.settings.patience)
        self.quiet_at = now()

    async def stop(self) -> None:
        """Tell every process to end; one that has to be killed for it has not ended as meant."""
        await asyncio.gather(*(self._stop(process) for process in self.processes.values()))

    async def history(self) -> History:
        """Everything that was recorded."""
        settings = self.settings
        entries, tables = await journal.read(self.url)
        return History(
            Setting(
                began_at=self.began_at,
                quiet_at=self.quiet_at,
                lease=settings.lease,
                sweep=settings.sweep,
                attempts=settings.attempts,
                dialect=settings.dialect,
                limits=LIMITS,
            ),
            operations=list(self.operations),
            faults=list(self.faults),
            deliveries=self.sink.deliveries,
            exits=list(self.exits),
            journal=entries,
            tables=tables,
        )

    async def _database(self, stack: AsyncExitStack) -> str:
        if self.settings.dialect == "postgresql":
            self.cluster = await stack.enter_async_context(Cluster(self.folder))
            return await self.cluster.database()
        url = sqlite_url(self.folder / "tickwright.db")
        await migrate(url)
        await journal.install(url)
        return url

    async def _define_jobs(self) -> None:
        base = Policy(
            max_attempts=self.settings.attempts,
            backoff=Backoff(base=timedelta(seconds=0.4), cap=timedelta(seconds=2)),
            max_lost=_MOST_LOST,
        )
        narrow, rated = LIMITS[NARROW], LIMITS[RATED]
        policies = {
            JOB: base,
            NARROW: replace(
                base,
                concurrency=narrow["concurrency"],
                key_concurrency=narrow["keyConcurrency"],
                concurrency_key=LANE,
            ),
            RATED: replace(base, rate=Rate(rated["starts"], timedelta(seconds=rated["per"]))),
        }
        async with connected(self.url) as (c, t):
            await c.execute(sa.insert(t.jobs), [_job(*each) for each in policies.items()])
            await c.commit()

    def _lay_out(self) -> None:
        for number in range(1, self.settings.services + 1):
            port = free_port()
            self.services.append(f"http://127.0.0.1:{port}")
            self._args[f"service-{number}"] = ["serve", "--port", str(port)]
        for number in range(1, self.settings.workers + 1):
            self._args[f"worker-{number}"] = ["worker"]

    def _environment(self, name: str) -> dict[str, str]:
        settings = self.settings
        url = self.proxies[name].url if name in self.proxies else self.url
        return {
            "TICKWRIGHT_DATABASE_URL": url,
            "TICKWRIGHT_DEFAULT_TENANT": _TENANT,
            "TICKWRIGHT_LEASE_SECONDS": str(settings.lease),
            "TICKWRIGHT_SWEEP_SECONDS": str(settings.sweep),
            "TICKWRIGHT_GRACE_SECONDS": str(settings.grace),
            "TICKWRIGHT_POLL_INTERVAL_MS": str(round(settings.poll * 1000)),
            "TICKWRIGHT_RETENTION_DAYS": str(settings.retention / _DAY_SECONDS),
            "TICKWRIGHT_SLOTS": str(settings.slots),
            "SINK_URL": self.sink.url,
            **settings.environment(name),
        }

    async def _quiet(self) -> bool:
        """Whether no run is open and no schedule has a next occurrence."""
        async with connected(self.url) as (c, t):
            runs = sa.select(sa.func.count()).where(t.runs.c.status.in_(("queued", "running")))
            due = sa.select(sa.func.count()).where(t.cursors.c.next_run_at.is_not(None))
            found = [(await c.execute(count)).scalar_one() for count in (runs, due)]
            return not any(found)

    async def _online(self, pid: int) -> bool:
        async with connected(self.url) as (c, t):
            found = sa.select(sa.func.count()).where(
                t.workers.c.pid == pid, t.workers.c.status == "online"
            )
            return bool((await c.execute(found)).scalar_one())

    async def _stop(self, process: Process) -> None:
        if not process.alive:
            return
        try:
            await process.terminate(self.settings.grace + 5)
        except AssertionError:
            process.end()
            mine = [n for n, gone in enumerate(self.exits) if gone.pid == process.pid]
            self.exits[mine[-1]] = replace(self.exits[mine[-1]], meant=False)

    def _end_all(self) -> None:
        for process in self.processes.values():
            process.end()


def _job(key: str, policy: Policy) -> dict[str, Any]:
    return {
        "id": new_id(),
        "scope_key": Scope(_TENANT).key,
        "key": key,
        "queue": policy.queue,
        "priority": policy.priority,
        "policy": policy_to_json(policy),
        "version": 1,
    }


def now() -> float:
    """Seconds since 1970, as histories count."""
    return time.time()  # noqa: TID251 - histories are in real time


async def eventually(condition: Callable[[], Awaitable[object]], seconds: float) -> bool:
    """Ask until `condition` holds; whether it did within that time."""
    given_up = time.monotonic() + seconds
    while True:
        if await condition():
            return True
        if time.monotonic() > given_up:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
