"""What drives two stores through one story: its clock, its leases, and the books kept beside.

The steps are in `test_stories.py`. What a story chooses depends on nothing only one store says.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from hypothesis.stateful import RuleBasedStateMachine

from tickwright import at, every
from tickwright.model.durations import duration_text
from tickwright.model.errors import Conflict, InvalidInput, NotFound, NotPossible
from tickwright.model.run import Cause
from tickwright.model.schedule import Schedule
from tickwright.store.base import NewRun, Offer
from tickwright.triggers import Trigger

from .arena import Arena, Lease, Row, Side, Step
from .ledger import Ledger
from .support import NOW, SECOND

T = TypeVar("T")
TICK = SECOND / 500_000
REFUSALS = (Conflict, NotFound, NotPossible, InvalidInput)


class Story(RuleBasedStateMachine):
    """One story on the stores of `arena`; `both` lets a step happen, and checks everything."""

    arena: Arena

    def __init__(self) -> None:
        super().__init__()
        self.arena.empty()
        self.now = NOW
        self.serial = 0
        self.ledger = Ledger()
        self.schedules: list[Schedule] = []
        self.offers: list[Offer] = []
        self.leases: list[Lease] = []
        self.requests: list[str] = []
        _, self.rows, _ = self.arena.ask(_nothing)

    def both(
        self,
        step: Step,
        *,
        leased: Callable[[Any], list[Lease]] = lambda _: [],
        over: set[Lease] | None = None,
        edits: UUID | None = None,
        pruned: bool = False,
    ) -> Any:
        """Let both do it, and keep the books: which leases it gave, and which ones it ended."""
        before = self.rows
        answer, self.rows, due = self.arena.ask(step)
        new = leased(answer)
        assert not set(new) & set(self.leases), f"leased twice: {new}"
        self.leases += new
        self.over = over or set()
        self.ledger.held = (self.ledger.held | set(new)) - self.over
        key = (edits,)
        version = [rows["schedules"].get(key, {}).get("version") for rows in (before, self.rows)]
        edited = edits if version[0] != version[1] else None
        self.ledger.observe(before, self.rows, self.now, edited=edited, pruned=pruned)
        cursors = (c["next_run_at"] for c in self.rows["schedule_cursors"].values())
        waiting = (r["run_at"] for r in self.rows["runs"].values() if r["gate"] == "time")
        rates = (r["opens_at"] for r in self.rows["rates"].values())
        dues = [moment for moment in (*cursors, *waiting, *rates) if moment is not None]
        assert due == min(dues, default=None)
        return answer

    def check_claims(self, claimed: list[Lease], offer: Offer, now: datetime) -> None:
        assert len(claimed) <= offer.slots
        assert not claimed or self.lives(offer, now), "a dead worker was given runs"
        for name, _ in claimed:
            row = self.rows["runs"][name,]
            assert row["worker_id"] == offer.worker_id
            assert row["queue"] in offer.queues
            assert row["handler"] in (None, *offer.handlers)

    def check_sweep(self) -> None:
        """A sweep leaves no run in line behind nobody, and no spent schedule without its end."""
        opened = [r for r in self.rows["runs"].values() if r["status"] in ("queued", "running")]
        active = {r["schedule_id"] for r in opened if r["gate"] != "overlap"}
        assert {r["schedule_id"] for r in opened} - {None} <= active, "stranded in line"
        for (key,), row in self.rows["schedules"].items():
            spent = self.rows["schedule_cursors"][key,]["spent"]
            alive = row["status"] in ("active", "paused")
            assert not (spent and alive and key not in active), f"{row['key']} has not ended"

    def is_for(self, row: Row, offer: Offer) -> bool:
        ready = row["status"] == "queued" and row["gate"] in (None, "limit")
        mine = row["handler"] in (None, *offer.handlers) and row["queue"] in offer.queues
        return bool(ready and mine)

    def lives(self, offer: Offer, now: datetime) -> bool:
        row = self.rows["workers"][offer.worker_id,]
        return bool(row["status"] == "online" and row["lease_until"] > now)

    def is_orphan(self, lease: Lease, now: datetime) -> bool:
        row = self.rows["workers"][self.rows["runs"][lease[0],]["worker_id"],]
        return bool(row["status"] == "offline" or row["lease_until"] <= now)

    def some_leases(self, which: list[int]) -> list[Lease]:
        """Leases under way; sometimes ones that are over, most of all of what runs elsewhere."""
        held = sorted(self.ledger.held)
        if not held or which[0] % 5 == 0:
            return self._some(self.stale() or self.leases, which)
        return self._some(held, which)

    def stale(self) -> list[Lease]:
        """Leases that are over while their run is under way under another one."""
        running = {name for name, _ in self.ledger.held}
        return [each for each in self.leases if each[0] in running and each not in self.ledger.held]

    def _some(self, among: list[Lease], which: list[int]) -> list[Lease]:
        return list(dict.fromkeys(self.one(among, number) for number in which))

    def request(self, again: bool, which: int) -> NewRun:
        """One that was made before goes by the name of that run, if it still is there."""
        name = f"r{self.next()}"
        if not again or not self.requests:
            self.requests.append(name)
        key = self.one(self.requests, which) if again else name
        return NewRun(Cause.MANUAL, name, key, {"by": key})

    def trigger(self, period: int | None) -> Trigger:
        """No two schedules are due at one moment: what happens at once has no order to compare."""
        phase = self.now.replace(microsecond=2 * self.next() + 1)
        if period is None:
            return at(phase + 30 * SECOND)
        return every(duration_text(period * SECOND), anchor=phase - 3 * SECOND)

    def row(self, of: Schedule) -> Row:
        return self.rows["schedules"].get((of.id,), {})

    def one(self, among: list[T], which: int) -> T:
        return among[which % len(among)]

    def advance(self, by: int) -> None:
        self.now += by * SECOND

    def moment(self) -> datetime:
        """Never the same twice, and never a schedule's."""
        self.now += TICK
        return self.now

    def next(self) -> int:
        self.serial += 1
        return self.serial


def told(step: Step) -> Step:
    """A refusal is an answer too."""

    async def asked(side: Side) -> object:
        try:
            return await step(side)
        except REFUSALS as refusal:
            return type(refusal).__name__, str(refusal)

    return asked


async def _nothing(_: Side) -> None:
    """Only look."""
