"""One seed: a small system, a storm over it, and what is left when the storm is over."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from tests.faults.judge.history import Exit, Fault, Operation
from tests.simulation.clients import SCOPES, Client
from tests.simulation.loop import Stuck, VirtualLoop
from tests.simulation.process import Process
from tests.simulation.server import Row, Server, Written
from tests.simulation.stand_ins import Scale, standing_in
from tests.simulation.storm import Storm
from tests.simulation.work import HANDLERS, Execution
from tickwright.engine.runtime import Options
from tickwright.model.job import Backoff, Policy, policy_to_json

_MOST_ATTEMPTS = 3
_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_AFTERMATH_SECONDS = 1.0
_UNTIL_JUDGED_SECONDS = 11.0


@dataclass
class Story:
    """Everything that happened in one seed."""

    seed: int
    lease: float
    sweep: float
    attempts: int
    slots: int
    began_at: float = 0.0
    quiet_at: float = 0.0
    operations: list[Operation] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    journal: list[Written] = field(default_factory=list)
    tables: dict[str, list[Row]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    trace: list[tuple[Any, ...]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    limits: dict[str, Row] = field(default_factory=dict)

    def digest(self) -> str:
        """The same for the same story."""
        told = hashlib.sha256()
        for line in self.trace:
            told.update(repr(line).encode())
        for entry in self.journal:
            told.update(repr(entry).encode())
        return told.hexdigest()


class World:
    """Builds the system of one seed and lives its life."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._plan = self._stream("plan")
        self.loop = VirtualLoop(self._stream("turns"))  # type: ignore[abstract]
        self.processes: list[Process] = []
        self._clients: list[Client] = []
        self._over = False
        plan = self._plan
        self._options = Options(
            slots=plan.choice((1, 2, 4, 8)),
            poll=timedelta(seconds=plan.choice((3, 30))),
            lease=timedelta(seconds=plan.choice((2.0, 3.0))),
            sweep=timedelta(seconds=plan.choice((0.7, 1.2))),
            grace=timedelta(seconds=plan.choice((0.3, 2.0))),
            keep_runs=timedelta(seconds=plan.choice((4, 10_000, 10_000))),
        )
        self._scale = Scale(
            prunes=self._options.keep_runs < timedelta(minutes=1),
            batch=plan.choice((None, None, 1, 2)),
            moments=plan.choice((None, 1, 3)),
        )
        self.story = Story(
            seed,
            self._options.lease.total_seconds(),
            self._options.sweep.total_seconds(),
            _MOST_ATTEMPTS,
            self._options.slots,
        )

    def _stream(self, name: str) -> Random:
        """Chance of its own for each part, so that one draws the same whatever others do."""
        return Random(f"{self.seed}:{name}")

    def live(self) -> Story:
        """The whole seed, from an empty database to the last look at it."""
        delay = self._plan.choice((0.0003, 0.001, 0.003))
        self.server = Server(self.loop, self._stream("ways"), delay)
        self.story.journal = self.server.journal
        self.story.trace = self.server.trace
        try:
            with standing_in(self.loop, self._stream("chance"), self.story.failures, self._scale):
                try:
                    self.loop.run(self._live())
                except Stuck as error:
                    self.story.failures.append(f"stuck: {error}")
            self.story.failures += self.loop.errors
            self.story.tables = self.server.rows()
        finally:
            self.server.close()
        return self.story

    async def _live(self) -> None:
        plan, story = self._plan, self.story
        self._define_jobs()
        self.storm = Storm(self.server, self._stream("storm"), story.lease)
        story.faults, story.exits = self.storm.faults, self.storm.exits
        for slot in range(plan.choice((2, 2, 3))):
            self.loop.spawn(self.loop.lane(f"slot {slot}"), self._supervise(slot))
        seconds, gap = plan.choice((3.0, 4.0, 6.0)), plan.choice((0.4, 1.0))
        clients = [self._client(number, seconds, gap) for number in range(plan.choice((1, 2, 3)))]
        blowing = self.loop.spawn(
            self.loop.lane("storm"), self.storm.blow(seconds, lambda: self.processes)
        )
        await blowing
        self.storm.calm(self.processes)
        await asyncio.gather(*clients)
        await self.loop.pause(_AFTERMATH_SECONDS)
        await self._come_to_rest()

    def _client(self, number: int, seconds: float, gap: float) -> asyncio.Task[None]:
        name = f"client{number}"
        client = Client(
            name, self.server, self._stream(name), lambda: self.processes, self.story.operations
        )
        self._clients.append(client)
        return self.loop.spawn(self.loop.lane(name), client.work(seconds, gap))

    async def _supervise(self, slot: int) -> None:
        """Keep one process running: as soon as one is gone the next one starts."""
        chance, number = self._stream(f"slot{slot}"), 0
        served = HANDLERS if slot == 0 else chance.choice((HANDLERS, HANDLERS[:2], HANDLERS[1:]))
        while not self._over:
            number += 1
            pid = 100 * (slot + 1) + number
            lane = self.loop.lane(f"p{pid}", pid, offset=chance.random() * 1e6)
            process = Process(self.server, lane, self._options, served)
            self.processes.append(process)
            process.begin(chance, self.story.executions, self.storm.meet(process))
            await asyncio.wait({process.ended})
            self.processes.remove(process)
            self.story.failures += process.failures
            await self.loop.pause(chance.choice((0.05, 0.5, 2.0)))

    def _define_jobs(self) -> None:
        """Retries and deadlines that fit into a short life."""
        backoff = Backoff(timedelta(seconds=0.2), 2.0, timedelta(seconds=1))
        policy = Policy(
            max_attempts=_MOST_ATTEMPTS,
            backoff=backoff,
            timeout=timedelta(seconds=self._plan.choice((1, 3))),
            max_lost=self._plan.choice((1, 3)),
        )
        texts = {name: json.dumps(policy_to_json(policy) | self._limits(name)) for name in HANDLERS}
        names = [(scope.key, name) for scope in SCOPES for name in HANDLERS]
        self.server.raw.executemany(
            "INSERT INTO tickwright_jobs (id, scope_key, key, queue, priority, policy, version)"
            " VALUES (?, ?, ?, ?, ?, ?, 1)",
            [
                (f"{number:032x}", scope, name, policy.queue, policy.priority, texts[name])
                for number, (scope, name) in enumerate(names)
            ],
        )

    def _limits(self, job: str) -> dict[str, Any]:
        """Limits for some of the jobs, as policies say them, noted as the judge reads them."""
        kind = self._plan.choice((None, "concurrency", "rate"))
        if kind == "concurrency":
            most = self._plan.choice((1, 2))
            self.story.limits[job] = {"concurrency": most}
            return {"concurrency": most}
        if kind == "rate":
            starts = self._plan.choice((2, 4))
            self.story.limits[job] = {"starts": starts, "per": 1.0}
            return {"rate": {"starts": starts, "per": "1s"}}
        return {}

    async def _come_to_rest(self) -> None:
        for client in self._clients:
            await client.rest()
            self.story.failures += client.failures
        self.story.quiet_at = self.loop.time()
        await self._until_quiet()
        self._over = True
        for process in list(self.processes):
            await process.stop()
        await self.loop.pause(_UNTIL_JUDGED_SECONDS)
        for lane in self.loop.lanes:
            self.story.failures += self.loop.unheard(lane)

    async def _until_quiet(self) -> None:
        """Wait until nothing is open, or nothing more comes to an end."""
        fewest, since = self._open_runs(), self.loop.time()
        while fewest and self.loop.time() - since < _PATIENCE_SECONDS:
            await self.loop.pause(_LOOK_SECONDS)
            if self._open_runs() < fewest:
                fewest, since = self._open_runs(), self.loop.time()

    def _open_runs(self) -> int:
        asked = "SELECT count(*) FROM tickwright_runs WHERE status IN ('queued', 'running')"
        (count,) = self.server.raw.execute(asked).fetchone()
        return int(count)


def live(seed: int) -> Story:
    """The story of that seed."""
    return World(seed).live()
