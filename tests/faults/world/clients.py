"""Clients that create, change, run and end schedules over REST, and write down what they are told.

Invariant: a schedule is written by one client alone, one operation after the other, and one whose
last write nobody can vouch for is left alone until the end.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx

from tests.faults.judge.history import Operation

JOB = "sink"
NARROW = "narrow"
"""A job of which few runs may run at once, and one for each lane."""

RATED = "rated"
"""A job that may begin only so often."""

LANE = "lane"
_LANES = 5
SERVICE = "sink"
_TIMEOUT = httpx.Timeout(8, connect=2)
_AGAIN_SECONDS = 0.1
_PATIENCE_SECONDS = 60.0
_KEPT = ("id", "trigger", "status", "version")
_MOST_RUNS = 100
Draw = Callable[[random.Random], dict[str, Any]]


def quick_work(chance: random.Random) -> dict[str, Any]:
    """What the sink is to do: mostly a short wait, now and then an error at the first attempt."""
    config: dict[str, Any] = {"delay": round(chance.uniform(0, 0.5), 3)}
    if chance.random() < 0.05:
        config |= {"status": chance.choice((500, 503)), "attempts": 1}
    return config


@dataclass(frozen=True)
class Habits:
    """How each client behaves: how many schedules it keeps, and how long it rests between writes.

    `work` draws the payload of a schedule, in the words of the sink's `Mood`; `shortest` and
    `longest` bound the seconds between two occurrences of a rule. Without `changes` schedules are
    made and left alone, without `bounds` none has a greatest number of runs. `jobs` are what they
    draw from, so often as they are named.
    """

    schedules: int = 8
    pace: float = 0.25
    work: Draw = quick_work
    shortest: int = 1
    longest: int = 5
    one_shots: float = 0.2
    edits: bool = True
    changes: bool = True
    bounds: bool = True
    overlaps: Sequence[str] = ("allow", "skip", "queue")
    jobs: Sequence[str] = (JOB,) * 9 + (NARROW, NARROW, RATED)


@dataclass
class _Mine:
    """A schedule as its client knows it; `doubt` is the kind of a write nobody can vouch for."""

    key: str
    status: str = "active"
    doubt: str | None = None


class Client:
    """One client; `services` are the addresses it may ask, `operations` where it writes down."""

    def __init__(
        self,
        name: str,
        seed: int,
        services: Sequence[str],
        operations: list[Operation],
        habits: Habits,
    ) -> None:
        self.name = name
        self._chance = random.Random(f"{seed} {name}")
        self._services = services
        self._operations = operations
        self._habits = habits
        self._mine: list[_Mine] = []
        self._count = 0
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def work(self, stop: asyncio.Event) -> None:
        """Write until told to stop."""
        while not stop.is_set():
            if await self._made_one():
                continue
            if self._habits.changes:
                await self._change_one()
            rest = self._chance.uniform(0, 2 * self._habits.pace)
            try:
                async with asyncio.timeout(rest):
                    await stop.wait()
            except TimeoutError:
                continue

    async def finish(self) -> None:
        """Pause what still happens and end what is in doubt, so that all becomes quiet."""
        for mine in [each for each in self._mine if not each.doubt]:
            if mine.status == "active":
                await self._write("pause", mine)
        for mine in [each for each in self._mine if each.doubt]:
            # Of two changes of one kind nobody could tell which of them was made.
            await self._write("cancel" if mine.doubt == "delete" else "delete", mine)

    @property
    def _live(self) -> list[_Mine]:
        return [m for m in self._mine if not m.doubt and m.status in ("active", "paused")]

    async def _made_one(self) -> bool:
        """Create a schedule when some are missing; whether one was."""
        if len(self._live) >= self._habits.schedules:
            return False
        mine = _Mine(f"{self.name}-{len(self._mine) + 1}")
        self._mine.append(mine)
        await self._write("create", mine)
        return True

    async def _change_one(self) -> None:
        mine = self._chance.choice(self._live)
        await self._write(self._kind(mine), mine)

    def _kind(self, mine: _Mine) -> str:
        """What to do with it; each write has an effect of its own that can be told from others."""
        if mine.status == "paused":
            kinds = {"resume": 6, "trigger": 1, "retry": 1, "delete": 1}
        else:
            kinds = {"edit": 4, "pause": 3, "trigger": 4, "cancel": 1, "delete": 1}
            kinds |= {"retry": 2, "stop": 2}
        if not self._habits.edits:
            kinds.pop("edit", None)
        return self._chance.choices(list(kinds), list(kinds.values()))[0]

    async def _write(self, kind: str, mine: _Mine) -> None:
        self._count += 1
        marker = f"{self.name}/{self._count}"
        body = self._body(kind)
        if kind in _AT_RUNS and (run := await self._a_run(kind, mine.key)):
            body = {"run": run}
        elif kind in _AT_RUNS:
            kind = "trigger"
        operation = await self._sent(kind, mine.key, marker, body)
        if operation.outcome == "unknown":
            operation = await self._looked_up(operation)
            mine.doubt = None if operation.seen else kind
        self._operations.append(operation)
        if operation.outcome == "ok" or operation.seen:
            mine.status = _STATUS.get(kind, mine.status)
        elif kind == "create" and operation.outcome == "fail":
            mine.status = "deleted"

    def _body(self, kind: str) -> dict[str, Any]:
        chance = self._chance
        if kind == "create":
            payload = self._habits.work(chance) | {LANE: chance.randrange(_LANES)}
            body = self._rule() | {"payload": payload, "jobKey": chance.choice(self._habits.jobs)}
            if chance.random() < 0.15 and self._habits.bounds:
                body["maxRuns"] = chance.randint(2, 12)
            return body
        return self._rule() if kind == "edit" else {}

    def _rule(self) -> dict[str, Any]:
        """A trigger unlike any before, and what becomes of occurrences that meet an open run."""
        chance, habits = self._chance, self._habits
        seconds = chance.randint(habits.shortest, habits.longest)
        now = datetime.fromtimestamp(int(_now()), UTC)
        if chance.random() < habits.one_shots:
            at = now + timedelta(seconds=chance.randint(2, 6))
            trigger: dict[str, Any] = {"type": "one_shot", "at": _text(at)}
        elif chance.random() < 0.5:
            trigger = {"type": "cron", "expression": f"*/{seconds} * * * * *", "timezone": "UTC"}
        else:
            anchor = now - timedelta(seconds=chance.randint(0, 1_000_000))
            trigger = {"type": "interval", "every": f"{seconds}s", "anchor": _text(anchor)}
        return {"trigger": trigger, "overlap": chance.choice(habits.overlaps)}

    async def _sent(self, kind: str, key: str, marker: str, body: dict[str, Any]) -> Operation:
        """The operation, and what was answered; a server that takes no connection was not asked."""
        method, path, json = _request(kind, key, marker, body)
        given_up = time.monotonic() + _PATIENCE_SECONDS
        service = self._chance.choice(self._services)
        while True:
            operation = Operation(self.name, kind, key, marker, body, _now(), None, "fail")
            try:
                answer = await self._http.request(method, service + path, json=json)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if time.monotonic() > given_up:
                    return operation
                service = self._other(service)
                await asyncio.sleep(_AGAIN_SECONDS)
            except httpx.TransportError:
                return replace(operation, outcome="unknown")
            else:
                return _answered(operation, answer)

    def _other(self, service: str) -> str:
        at = self._services.index(service)
        return self._services[(at + 1) % len(self._services)]

    async def _a_run(self, kind: str, key: str) -> str | None:
        """One of the schedule's runs that can be retried or stopped, if there is any."""
        wanted = "&".join(f"status={status}" for status in _AT_RUNS[kind])
        service = self._chance.choice(self._services)
        try:
            answer = await self._http.get(f"{service}/runs?scheduleId={key}&pageSize=5&{wanted}")
        except httpx.TransportError:
            return None
        found = answer.json().get("data") if answer.status_code == 200 else []
        return self._chance.choice(found)["id"].replace("-", "") if found else None

    async def _looked_up(self, operation: Operation) -> Operation:
        """Read until somebody answers whether the operation shows."""
        path, shows = _look(operation)
        given_up = time.monotonic() + _PATIENCE_SECONDS
        service = self._chance.choice(self._services)
        while time.monotonic() < given_up:
            try:
                answer = await self._http.get(service + path)
            except httpx.TransportError:
                pass
            else:
                if answer.status_code in (200, 404):
                    found = answer.json() if answer.status_code == 200 else {}
                    kept = _kept(found) if shows(found) else {}
                    return replace(operation, answer=kept, seen_at=_now(), seen=shows(found))
            service = self._other(service)
            await asyncio.sleep(_AGAIN_SECONDS)
        return operation


_AT_RUNS = {
    "retry": ("succeeded", "failed", "dead", "cancelled"),
    "stop": ("queued", "running"),
}
"""What is done to a run rather than its schedule, and to runs of which statuses."""

_STATUS = {
    "create": "active",
    "resume": "active",
    "pause": "paused",
    "cancel": "cancelled",
    "delete": "deleted",
}


def _request(
    kind: str, key: str, marker: str, body: dict[str, Any]
) -> tuple[str, str, dict[str, Any] | None]:
    """Method, path and body of an operation."""
    at = f"/schedules/{key}"
    target = {"type": "http", "service": SERVICE, "endpoint": f"/jobs/{key}"}
    requests: dict[str, tuple[str, str, dict[str, Any] | None]] = {
        "create": (
            "POST",
            "/schedules",
            {"key": key, "target": target, "description": marker, **body},
        ),
        "edit": ("PATCH", at, {"description": marker, **body}),
        "pause": ("POST", f"{at}/pause", {"reason": marker}),
        "resume": ("POST", f"{at}/resume", None),
        "cancel": ("POST", f"{at}/cancel", {"reason": marker}),
        "delete": ("DELETE", at, None),
        "trigger": ("POST", f"{at}/trigger", {"requestId": marker, "force": True}),
        "retry": ("POST", f"/runs/{body.get('run')}/retry", {"requestId": marker}),
        "stop": ("POST", f"/runs/{body.get('run')}/cancel", None),
    }
    return requests[kind]


def _answered(operation: Operation, answer: httpx.Response) -> Operation:
    status = answer.status_code
    outcome = "ok" if status < 300 else "fail" if status < 500 else "unknown"
    said = _kept(answer.json()) if outcome == "ok" and answer.content else {}
    return replace(operation, outcome=outcome, status=status, answered_at=_now(), answer=said)


def _look(operation: Operation) -> tuple[str, Callable[[dict[str, Any]], bool]]:
    """Where to look for an operation, and whether what is found there shows it."""
    at, marker = f"/schedules/{operation.key}", operation.marker
    if operation.kind == "stop":
        return f"/runs/{operation.body['run']}", _stopped
    if operation.kind in ("trigger", "retry"):
        runs = f"/runs?scheduleId={operation.key}&pageSize={_MOST_RUNS}"
        return runs, lambda found: any(r["requestId"] == marker for r in found.get("data", []))
    tests: dict[str, Callable[[dict[str, Any]], bool]] = {
        "create": lambda found: found.get("description") == marker,
        "edit": lambda found: found.get("description") == marker,
        "pause": lambda found: found.get("statusReason") == marker,
        "cancel": lambda found: found.get("statusReason") == marker,
        "resume": lambda found: found.get("status") not in (None, "paused"),
        "delete": lambda found: found == {},
    }
    return at, tests[operation.kind]


def _stopped(found: dict[str, Any]) -> bool:
    return found.get("status") == "cancelled" or bool(found.get("cancelRequestedAt"))


def _kept(found: dict[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in _KEPT if name in found}


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _now() -> float:
    return time.time()  # noqa: TID251 - histories are in real time
