"""Clients that write through the service of one process or another, and note what they are told.

Invariant: each schedule key belongs to one client, which does one operation after the other; what
it was not told it looks up, and a schedule of which it is unsure it leaves alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from tests.faults.judge.history import Operation
from tests.simulation.process import Gone, Process
from tests.simulation.server import START, Server
from tests.simulation.work import HANDLERS
from tickwright.model.errors import NotFound, StoreUnavailable, TickwrightError
from tickwright.model.run import Run
from tickwright.model.schedule import Schedule, ScheduleStatus
from tickwright.model.scope import SYSTEM, Scope, tenant
from tickwright.model.timestamps import to_rfc3339
from tickwright.service.scheduler import RunQuery, Scheduler

SCOPES = (SYSTEM, tenant("acme"), tenant("zeta"))
_EPOCH = START.timestamp()
_BEST_FIRST = ("ok", "unknown", "fail")
_LOOK_SECONDS = 0.3
_DOUBLE_CLICKS = 0.3
_WEIGHTS = {
    None: {"create": 1},
    "active": {
        "edit": 4,
        "pause": 3,
        "cancel": 1,
        "delete": 1,
        "trigger": 6,
        "retry": 3,
        "run": 4,
    },
    "paused": {"resume": 6, "edit": 2, "trigger": 2, "retry": 1, "delete": 1},
    "completed": {"edit": 3, "trigger": 1, "delete": 2},
    "failed": {"edit": 3, "delete": 2},
    "cancelled": {"delete": 1},
}
"""What a client does next to a schedule of which it believes that it has this status."""

_MAKING_RUNS = ("trigger", "retry")
_STATUSES = {"pause": ScheduleStatus.PAUSED, "cancel": ScheduleStatus.CANCELLED}
Call = Callable[[Scheduler], Awaitable[Any]]


@dataclass
class _Plan:
    """One schedule as its client believes it to be."""

    key: str
    scope: Scope
    status: str | None = None
    last: str = "create"


class Client:
    """Owns a few schedules and does to them whatever one can do."""

    def __init__(
        self,
        name: str,
        server: Server,
        chance: Random,
        processes: Callable[[], Sequence[Process]],
        into: list[Operation],
    ) -> None:
        self.failures: list[str] = []
        self._name = name
        self._server = server
        self._chance = chance
        self._processes = processes
        self._into = into
        self._count = 0
        self._unsure: list[_Plan] = []
        self._plans = [self._fresh() for _ in range(chance.choice((2, 3)))]

    async def work(self, until: float, gap: float) -> None:
        """Write now and then until that moment, then bring everything to rest."""
        loop = self._server.loop
        for plan in list(self._plans):
            await self._write(plan, "create")
        while loop.time() < until:
            await loop.pause(self._chance.expovariate(1.0 / gap))
            await self._one(self._chance.choice(self._plans))

    async def rest(self) -> None:
        """Pause what still fires, and delete what nobody is sure about."""
        for plan in self._unsure:
            # Another way than before to end it, so that nobody takes the one for the other.
            if plan.last != "delete":
                await self._write(plan, "delete")
            elif plan.status != "cancelled":
                await self._write(plan, "cancel")
        for plan in self._plans:
            if plan.status == "active":
                await self._write(plan, "pause")

    async def _one(self, plan: _Plan) -> None:
        weights = _WEIGHTS[plan.status]
        (kind,) = self._chance.choices(list(weights), list(weights.values()))
        if kind == "run":
            await self._cancel_a_run(plan)
        else:
            await self._write(plan, kind)

    async def _write(self, plan: _Plan, kind: str) -> None:
        self._count += 1
        marker = f"{self._name}:{self._count}"
        body = self._body() if kind in ("create", "edit") else {}
        if kind == "retry" and (ended := await self._ended_run(plan)) is not None:
            body = {"run": ended.hex}
        elif kind == "retry":
            kind = "trigger"
        operation = Operation(self._name, kind, plan.key, marker, body, self._now, None, "unknown")
        call = _call(plan, kind, marker, body, self._chance)
        if kind in _MAKING_RUNS and self._chance.random() < _DOUBLE_CLICKS:
            outcome, answer = await self._asked_twice(call)
        else:
            outcome, answer = await self._asked(call)
        operation = replace(
            operation, answered_at=self._now, outcome=outcome, answer=_answer(answer)
        )
        if outcome == "unknown":
            operation = await self._looked_up(plan, operation)
        self._into.append(operation)
        self._server.trace.append((self._server.loop.time(), self._name, kind, plan.key, outcome))
        plan.last = kind
        self._learn(plan, operation)

    async def _asked(self, call: Call) -> tuple[str, Any]:
        while not (ready := [each for each in self._processes() if each.alive and each.ready]):
            await self._server.loop.pause(_LOOK_SECONDS)
        try:
            answer = await self._chance.choice(ready).ask(call)
            return ("fail" if answer is None else "ok"), answer
        except (StoreUnavailable, Gone):
            return "unknown", None
        except TickwrightError as error:
            return "fail", error
        except Exception as error:
            self.failures.append(f"{self._name} was answered {type(error).__name__}: {error}")
            return "unknown", None

    async def _asked_twice(self, call: Call) -> tuple[str, Any]:
        """A double click: two processes are asked for the same thing at once."""
        loop = self._server.loop
        answers = await asyncio.gather(*(loop.create_task(self._asked(call)) for _ in range(2)))
        runs = {run.id for outcome, run in answers if outcome == "ok"}
        if len(runs) > 1:
            self.failures.append(f"{self._name}: a double click was answered with two runs")
        best: tuple[str, Any] = min(answers, key=lambda answer: _BEST_FIRST.index(answer[0]))
        return best

    async def _looked_up(self, plan: _Plan, operation: Operation) -> Operation:
        """Read until there is an answer: whether the operation shows."""
        while True:
            outcome, found = await self._asked(_sight(plan, operation.kind))
            if outcome != "unknown":
                shows = _shows(operation, found if outcome == "ok" else None)
                answer = _answer(found) if shows and isinstance(found, Schedule) else {}
                return replace(operation, seen_at=self._now, seen=shows, answer=answer)
            await self._server.loop.pause(_LOOK_SECONDS)

    def _learn(self, plan: _Plan, operation: Operation) -> None:
        done = operation.outcome == "ok" or bool(operation.seen)
        if operation.outcome == "unknown" and not operation.seen:
            if plan in self._plans:
                self._unsure.append(plan)
                self._replace(plan)
        elif done and operation.kind == "delete" and plan in self._plans:
            # A key that was deleted is never used again, so that it names one schedule.
            self._replace(plan)
        elif done:
            plan.status = operation.answer.get("status", plan.status)

    def _replace(self, plan: _Plan) -> None:
        self._plans[self._plans.index(plan)] = self._fresh()

    def _fresh(self) -> _Plan:
        self._count += 1
        return _Plan(f"{self._name}.{self._count}", self._chance.choice(SCOPES))

    async def _ended_run(self, plan: _Plan) -> UUID | None:
        outcome, found = await self._asked(lambda service: _runs(service, plan))
        ended = [run.id for run in found if run.finished_at] if outcome == "ok" else []
        return self._chance.choice(ended) if ended else None

    async def _cancel_a_run(self, plan: _Plan) -> None:
        def newest(service: Scheduler) -> Awaitable[Any]:
            return _cancelled_newest(service, plan)

        await self._asked(newest)

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"overlap": self._chance.choice(("allow", "skip", "queue"))}
        kind = self._chance.choice(("interval", "interval", "cron", "one_shot"))
        if kind == "interval":
            anchor = START + timedelta(seconds=int(self._server.loop.time()))
            every = f"{self._chance.choice((1, 1, 1, 2, 3))}s"
            body["trigger"] = {"type": kind, "every": every, "anchor": to_rfc3339(anchor)}
        elif kind == "cron":
            expression = f"*/{self._chance.choice((1, 2, 3))} * * * * *"
            body["trigger"] = {"type": kind, "expression": expression, "timezone": "UTC"}
        else:
            ahead = timedelta(
                seconds=int(self._server.loop.time()) + self._chance.choice((1, 2, 4))
            )
            body["trigger"] = {"type": kind, "at": to_rfc3339(START + ahead)}
        if self._chance.random() < 0.25:
            body["maxRuns"] = self._chance.choice((1, 2, 3, 5))
        return body

    @property
    def _now(self) -> float:
        return _EPOCH + self._server.loop.time()


def _call(plan: _Plan, kind: str, marker: str, body: dict[str, Any], chance: Random) -> Call:
    scope, key = plan.scope, plan.key
    job = chance.choice(HANDLERS)
    rule: dict[str, Any] = {"description": marker}
    if "overlap" in body:
        rule |= {"overlap": body["overlap"]}
        rule |= {"max_runs": body["maxRuns"]} if "maxRuns" in body else {}
    calls: dict[str, Call] = {
        "create": lambda s: s.create_schedule(scope, job, body["trigger"], key=key, **rule),
        "edit": lambda s: s.update_schedule(scope, key, trigger=body["trigger"], **rule),
        "pause": lambda s: s.pause_schedule(scope, key, reason=marker),
        "resume": lambda s: s.resume_schedule(scope, key, actor=marker),
        "cancel": lambda s: s.cancel_schedule(scope, key, reason=marker),
        "delete": lambda s: s.delete_schedule(scope, key, actor=marker),
        "trigger": lambda s: s.trigger_schedule(scope, key, request_key=marker),
        "retry": lambda s: s.retry_run(scope, UUID(body["run"]), request_key=marker),
    }
    return calls[kind]


def _sight(plan: _Plan, kind: str) -> Call:
    if kind in _MAKING_RUNS:
        return lambda s: _runs(s, plan)
    return lambda s: s.get_schedule(plan.scope, plan.key)


async def _runs(service: Scheduler, plan: _Plan) -> list[Run]:
    schedule = await service.get_schedule(plan.scope, plan.key)
    query = RunQuery(limit=200, schedule_id=schedule.id)
    return list((await service.find_runs(plan.scope, query)).items)


async def _cancelled_newest(service: Scheduler, plan: _Plan) -> Any:
    runs = await _runs(service, plan)
    if not runs:
        raise NotFound
    return await service.cancel_run(plan.scope, runs[0].id)


def _shows(operation: Operation, found: Any) -> bool:
    kind, marker = operation.kind, operation.marker
    if kind == "delete":
        return found is None
    if kind in _MAKING_RUNS:
        return any(run.request_key == marker for run in found or [])
    if found is None:
        return False
    if kind in ("create", "edit"):
        return bool(found.description == marker)
    if kind == "resume":
        return bool(found.status is ScheduleStatus.ACTIVE)
    return bool(found.status is _STATUSES[kind] and found.status_reason == marker)


def _answer(found: Any) -> dict[str, Any]:
    if isinstance(found, Schedule):
        return {"trigger": dict(found.trigger), "status": found.status.value}
    return {}
