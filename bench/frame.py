"""Rounds: each contender in turn, in a process and a database of its own.

Invariant: whatever a contender does, its process is ended and its database dropped. The order
turns with the rounds, so that nobody always follows the same neighbour.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from bench.child import TRY_AGAIN
from bench.contenders import Member, Role
from bench.lines.base import Form, Line, Sample
from bench.place import DIALECTS, Place
from bench.places import Places
from bench.results import Measured

_LONGEST_SECONDS = 1_800.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured, and how: `at_once` above one spoils the figures and saves time."""

    lines: Sequence[Line]
    form: Form
    rounds: int
    at_once: int
    dialects: tuple[str, ...] = DIALECTS
    profiles: Path | None = None


class Frame:
    """Runs a plan; `tell` hears what is going on."""

    def __init__(
        self, places: Places, members: Sequence[Member], plan: Plan, tell: Callable[[str], None]
    ) -> None:
        self._places = places
        self._members = members
        self._plan = plan
        self._tell = tell
        self._free = asyncio.Semaphore(plan.at_once)
        self.failures: list[str] = []
        self.broken = False

    async def run(self) -> list[Measured]:
        """Everything that was asked for; ours and the floors failing is told by `broken`."""
        measured = list(self._measured())
        groups: dict[tuple[str, str], list[Measured]] = {}
        for one in measured:
            groups.setdefault((one.line.name, one.dialect), []).append(one)
        if self._plan.at_once > 1:
            await asyncio.gather(*(self._group(group) for group in groups.values()))
        else:
            for group in groups.values():
                await self._group(group)
        return measured

    def _measured(self) -> Iterator[Measured]:
        for line in self._plan.lines:
            for dialect in self._plan.dialects:
                if dialect not in line.dialects:
                    continue
                first: Measured | None = None
                for variant in line.variants(self._plan.form):
                    one = Measured(line, dialect, variant, first)
                    first = first or one
                    yield one

    async def _group(self, variants: Sequence[Measured]) -> None:
        """One line on one store: a small round to warm up, then all variants in each round."""
        line, dialect = variants[0].line, variants[0].dialect
        if not self._plan.form.short:
            small = line.variants(Form(short=True, schedules=0))[0]
            for member in self._members:
                if self._takes_part(member, Measured(line, dialect, small)):
                    await self._sample(Measured(line, dialect, small), member, quietly=True)
        for turn in range(self._plan.rounds):
            for one in variants:
                await self._round(one, turn)

    async def _round(self, one: Measured, turn: int) -> None:
        members = [m for m in self._members if self._takes_part(m, one)]
        first = turn % len(members)
        in_order = members[first:] + members[:first]
        # The semaphore wakes them in this order, one after the other unless more are allowed.
        samples = await asyncio.gather(*(self._sample(one, member) for member in in_order))
        for member, sample in zip(in_order, samples, strict=True):
            one.samples.setdefault(member.name, []).append(sample)

    @staticmethod
    def _takes_part(member: Member, one: Measured) -> bool:
        if one.line.alone and member.role is not Role.OURS:
            return False
        recurring = member.recurring or not one.variant.only_recurring
        return one.dialect in member.dialects and recurring

    async def _sample(
        self, one: Measured, member: Member, *, quietly: bool = False
    ) -> Sample | None:
        what = f"{one.line.name}, {one.variant.label}, {one.dialect}, {member.title}"
        async with self._free:
            if self._plan.at_once == 1 and not quietly:
                await self._places.settle()
            try:
                sample = await self._placed(one, member)
            except _Failed as error:
                self.broken |= member.role is not Role.PEER
                self.failures.append(f"{what}: {error}")
                return None
        if not quietly:
            figures = one.line.figures
            said = (
                f"{f.key} {sample[f.key]:.{f.digits}f} {f.unit}".strip()
                for f in figures
                if f.key in sample
            )
            self._tell(f"{what}: {', '.join(said)}")
        return sample

    async def _placed(self, one: Measured, member: Member) -> Sample:
        """A sample; loading that took too long for what was due is done again with more time."""
        try:
            return await self._once(one, member, patience=False)
        except _TooLate:
            return await self._once(one, member, patience=True)

    async def _once(self, one: Measured, member: Member, *, patience: bool) -> Sample:
        async with self._places.place(one.dialect, migrated=member.migrated) as place:
            try:
                return await self._in_child(one, member, place, patience)
            finally:
                if member.redis:
                    await self._places.clear_redis(place.prefix)

    async def _in_child(
        self, one: Measured, member: Member, place: Place, patience: bool
    ) -> Sample:
        task = {
            "line": one.line.name,
            "contender": member.name,
            "options": dict(one.variant.options),
            "place": asdict(place),
            "patience": patience,
            "profile": self._profile(one, member),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.child", json.dumps(task),
            stdin=PIPE, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                out, err = await process.communicate()
        except TimeoutError:
            raise _Failed(f"not done after {_LONGEST_SECONDS:g} s") from None
        finally:
            if process.returncode is None:
                _kill(process.pid)
                await process.wait()
        if process.returncode == TRY_AGAIN:
            raise _TooLate(_last_line(err))
        if process.returncode:
            raise _Failed(_last_line(err) or f"ended with {process.returncode}")
        sample: Sample = json.loads(_last_line(out))
        return sample

    def _profile(self, one: Measured, member: Member) -> str | None:
        if self._plan.profiles is None or member.role is not Role.OURS:
            return None
        return str(self._plan.profiles / f"{one.line.name}-{one.dialect}-{one.index}.prof")


def _kill(pid: int) -> None:
    """End a process and what it has started."""
    parent = psutil.Process(pid)
    for process in [*parent.children(recursive=True), parent]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


class _Failed(Exception):
    """A contender could not be measured."""


class _TooLate(_Failed):
    """More patience may help."""


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
