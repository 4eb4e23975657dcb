"""Letting runs go that wait for a limit of their job: concurrency and rate.

Invariant: what runs never exceeds a limit. Room is counted by a statement of its own after the
lock that everybody takes who could use it up, in the transaction that claims; what was let go and
not claimed in that transaction waits again when it commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy.ext.asyncio import AsyncConnection

from tickwright.model.job import Policy, Rate
from tickwright.model.json import JsonObject, dumps
from tickwright.model.run import Gate
from tickwright.model.scope import Scope
from tickwright.store.base import Offer
from tickwright.store.database import Statements
from tickwright.store.policies import policy_from_text
from tickwright.store.rates import Used, in_use, opens_at, spend, still_used
from tickwright.store.schema import OPEN, Tables

_WINDOW = 200
_FROM_THE_START = ("", "", "", "", "")
_KEPT_SPARE = timedelta(hours=1)
_LONGEST_KEY = 200

Limit = tuple[str, str, str, str]
"""What is limited: `job`, `key`, `tenant` or `rate`; scope or tenant; job; key. Empty for none."""


def limit_key(policy: Policy, payload: JsonObject) -> str | None:
    """What limits by key go by for a run with this payload; None when the job has no limits."""
    if not policy.limited:
        return None
    if policy.concurrency_key is None:
        return ""
    value: Any = payload
    for name in policy.concurrency_key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None:
        return ""
    text = value if isinstance(value, str) else dumps(value)
    return text if len(text) <= _LONGEST_KEY else blake2b(text.encode(), digest_size=16).hexdigest()


async def mark_limited(
    c: AsyncConnection, t: Tables, scope: Scope, job_key: str, before: Policy, after: Policy
) -> None:
    """Let the open runs of a job follow its limits by the new policy."""
    r = t.runs
    mine = (r.c.scope_key == scope.key, r.c.job_key == job_key, sa.text(OPEN))
    if before.limited == after.limited and before.concurrency_key == after.concurrency_key:
        return
    found = sa.select(r.c.id, r.c.payload, r.c.status, r.c.gate).where(*mine).order_by(r.c.id)
    rows = (await c.execute(found.with_for_update())).all()
    if not rows:
        return
    marked = sa.update(r).where(r.c.id == sa.bindparam("run"))
    values: dict[str, Any] = {"limit_key": sa.bindparam("key"), "gate": sa.bindparam("behind")}
    await c.execute(marked.values(values), [_mark(row, after) for row in rows])


def _mark(row: Any, policy: Policy) -> dict[str, Any]:
    key = limit_key(policy, row.payload or {})
    gate = row.gate
    if row.status == "queued" and gate in (None, Gate.LIMIT):
        gate = None if key is None else Gate.LIMIT.value
    return {"run": row.id, "key": key, "behind": gate}


@dataclass(frozen=True, slots=True)
class _Group:
    """Runs that wait for the same limits and can be claimed by the same workers."""

    scope_key: str
    job_key: str
    limit_key: str
    queue: str
    handler: str
    policy: Policy

    @property
    def bounds(self) -> list[tuple[Limit, int]]:
        """Its limits, and how much of each there is."""
        policy = self.policy
        tenant = Scope.from_key(self.scope_key).tenant_id or self.scope_key
        named = (
            (("job", self.scope_key, self.job_key, ""), policy.concurrency),
            (("key", self.scope_key, self.job_key, self.limit_key), policy.key_concurrency),
            (("tenant", tenant, "", ""), policy.tenant_concurrency),
            (self.rate, policy.rate.starts if policy.rate else None),
        )
        return [(limit, most) for limit, most in named if most is not None]

    @property
    def rate(self) -> Limit:
        by_key = self.policy.rate is not None and self.policy.rate.by_key
        return ("rate", self.scope_key, self.job_key, self.limit_key if by_key else "")

    def room(self, in_use: Mapping[Limit, int], most: int) -> int:
        """How many more may go, at most `most`."""
        return max(0, min([most, *(most_of - in_use[limit] for limit, most_of in self.bounds)]))


class Limits:
    """Who may go, asked by one worker's claims; it remembers where it looked last."""

    def __init__(self, statements: Statements) -> None:
        self._sql = statements
        self._after: Sequence[str] = _FROM_THE_START

    async def open(self, c: Any, offer: Offer, now: datetime) -> Opened | None:
        """Let go what there is room for and `offer` could take; None when nothing waits."""
        groups = await self._groups(c, offer)
        if not groups:
            return None
        opened = Opened(self._sql, c, now)
        groups = await opened.look(groups, offer.slots)
        if groups:
            await self._sql.lock_limits(c, _names(groups))
            groups = await opened.look(groups, offer.slots)
            await opened.admit(groups, offer.slots)
        return opened

    async def _groups(self, c: Any, offer: Offer) -> list[_Group]:
        """A window of those that this worker serves; the next call looks at the next window."""
        after = self._after
        rows = await self._sql.limited(c, after, _WINDOW)
        self._after = _place(rows[-1]) if len(rows) == _WINDOW else _FROM_THE_START
        if len(rows) < _WINDOW and after != _FROM_THE_START:
            rows += await self._sql.limited(c, _FROM_THE_START, _WINDOW)
        groups = {_place(row): row["policy"] for row in rows}
        served = {"", *offer.handlers}
        return [
            _Group(*place, policy=policy_from_text(policy))
            for place, policy in groups.items()
            if place[3] in offer.queues and place[4] in served
        ]


class Opened:
    """What one claiming transaction let go, until it is known what of it was claimed."""

    def __init__(self, statements: Statements, c: Any, now: datetime) -> None:
        self._sql = statements
        self._c = c
        self._now = now
        self._in_use: dict[Limit, int] = {}
        self._rates: dict[Limit, tuple[Rate, Used]] = {}
        self._told: dict[Limit, datetime | None] = {}
        self._groups: dict[UUID, _Group] = {}

    async def look(self, groups: list[_Group], most: int) -> list[_Group]:
        """Count what is in use of their limits; those that have room."""
        limits = {limit for group in groups for limit, _ in group.bounds}
        counted = sorted(limit for limit in limits if limit[0] != "rate")
        if counted:
            self._in_use |= zip(
                counted, await self._sql.count_running(self._c, counted), strict=True
            )
        await self._look_at_rates({g.rate: g.policy.rate for g in groups if g.policy.rate})
        return [group for group in groups if group.room(self._in_use, most)]

    async def _look_at_rates(self, rates: dict[Limit, Rate]) -> None:
        if not rates:
            return
        rows = await self._sql.rates(self._c, [limit[1:] for limit in rates])
        stored = {("rate", r["scope_key"], r["job_key"], r["limit_key"]): r for r in rows}
        self._told |= {limit: row["opens_at"] for limit, row in stored.items()}
        for limit, rate in rates.items():
            row = stored.get(limit)
            used = still_used(rate, from_json(row["used"]) if row else [], self._now)
            self._rates[limit], self._in_use[limit] = (rate, used), in_use(used)

    async def admit(self, groups: list[_Group], slots: int) -> None:
        """Open the gate of the first that fit: higher priority, then the earlier run."""
        if not groups:
            return
        share = max(1, slots // len({group.scope_key for group in groups}))
        asked = [(*_fields(g), g.room(self._in_use, share)) for g in groups]
        rows = await self._sql.waiting(self._c, asked)
        left = Counter({group.scope_key: share for group in groups})
        for row in sorted(rows, key=lambda row: (-row["priority"], row["run_at"], row["id"])):
            group = groups[row["place"] - 1]
            if left[group.scope_key] and group.room(self._in_use, 1):
                left[group.scope_key] -= 1
                self._groups[row["id"]] = group
                for limit, _ in group.bounds:
                    self._in_use[limit] += 1
        if self._groups:
            await self._sql.admit(self._c, list(self._groups))

    async def close(self, claimed: Collection[UUID]) -> None:
        """Make wait again what was not claimed, and pay for what was."""
        back = [(key, each.limit_key) for key, each in self._groups.items() if key not in claimed]
        if back:
            await self._sql.hold_back(self._c, back)
        starts = Counter(
            group.rate
            for key, group in self._groups.items()
            if key in claimed and group.policy.rate is not None
        )
        rows = [self._paid(limit, *each, starts[limit]) for limit, each in self._rates.items()]
        if written := [row for row in rows if row is not None]:
            await self._sql.spend(self._c, written)
            # Planners look when a rate opens, and may be asleep until later.
            await self._sql.notify(self._c, "due")

    def _paid(self, limit: Limit, rate: Rate, used: Used, starts: int) -> tuple[Any, ...] | None:
        """The row to write; none when nothing was used and others know when it opens."""
        used = spend(rate, used, starts, self._now) if starts else used
        opening = opens_at(rate, used)
        if not starts and opening in (None, self._told.get(limit)):
            return None
        return (*limit[1:], used, opening, self._now + rate.per + _KEPT_SPARE)


def _fields(group: _Group) -> tuple[str, ...]:
    return (group.scope_key, group.job_key, group.limit_key, group.queue, group.handler)


def _place(row: Any) -> tuple[str, str, str, str, str]:
    return (row["scope_key"], row["job_key"], row["limit_key"], row["queue"], row["handler"])


def _names(groups: Iterable[_Group]) -> list[int]:
    """The locks of their limits, in an order that is the same for everybody."""
    limits = {limit for group in groups for limit, _ in group.bounds}
    return sorted(_lock(limit) for limit in limits)


def _lock(limit: Limit) -> int:
    digest = blake2b("\0".join(("tickwright", *limit)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
