"""Processes that die at named points of firing, claiming, starting, finishing, rescuing, pruning.

A few crashes make a series on a database of its own: each victim dies at its point while another
process works beside it, or before the next one takes its place, and in the end nothing may be lost,
doubled or left open. A point that its victim does not reach is a failure of the run.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tests.databases import migrate, sqlite_url
from tests.faults.campaign import together, verdict
from tests.faults.forms import Form, Verdict
from tests.faults.judge.history import History
from tests.faults.world import forked, journal
from tests.faults.world.cluster import Cluster
from tests.faults.world.points import POINTS
from tests.faults.world.scene import RESCUE, Crash, Dialect, Scene, Series

REPEATS = 10
_RUN = "crash points"
_AT_ONCE = 6
_SERIES = 5
_MOST_PASSES = 3
_FIRE = "fire."
_ALONE = (RESCUE, "prune.")
"""What another process would do in the victim's stead, so that it might never get there."""

_DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgresql")


async def run(form: Form, folder: Path) -> Verdict:
    """Every point once on both dialects, ten times in the long form."""
    return await suffer(program(form), folder)


def program(form: Form) -> list[Series]:
    """The series that a form asks for; the same seed gives the same ones."""
    chance = random.Random(form.seed)
    return [
        series
        for repeat in range(REPEATS if form.long else 1)
        for dialect in _DIALECTS
        for series in _round(dialect, repeat, chance)
    ]


def _round(dialect: Dialect, repeat: int, chance: random.Random) -> Iterator[Series]:
    """Every point once: the first round by the book, the later ones in any order."""
    beside = [p for p in POINTS if p.startswith(_FIRE) or (repeat % 2 and not p.startswith(_ALONE))]
    alone = [p for p in POINTS if p not in beside]
    for points in (beside, alone):
        if repeat:
            chance.shuffle(points)
        for at in range(0, len(points), _SERIES):
            crashes = tuple(
                Crash(
                    p, chance.randint(1, _MOST_PASSES) if repeat and not p.startswith(_ALONE) else 1
                )
                for p in points[at : at + _SERIES]
            )
            yield Series(dialect, crashes, beside=points is beside)


async def suffer(program: Iterable[Series], folder: Path) -> Verdict:
    """All these series, several at a time."""
    # Judging takes a while, in which clients here would sit on their open transactions.
    judges = ProcessPoolExecutor(1, mp_context=forked.context())
    room = asyncio.Semaphore(_AT_ONCE)
    async with Cluster(folder) as cluster:
        with judges as judge:
            # The first process of its kind waits for the imports that all others are spared.
            await asyncio.to_thread(judge.submit, int)
            stage = await _Stage.built(folder, cluster, judge)

            async def enter(number: int, series: Series) -> Verdict:
                try:
                    async with room:
                        suffered = await stage.suffer(number, series)
                    return await suffered
                except AssertionError as broken:
                    return Verdict(_RUN, 0, 0, violations=[f"{broken} ({series})"])

            return together(await asyncio.gather(*(enter(*each) for each in enumerate(program))))


@dataclass(frozen=True)
class _Stage:
    """Where series take place: it has an empty database with a journal for each.

    PostgreSQL's are used again, for each is hundreds of files.
    """

    folder: Path
    template: Path
    cluster: Cluster
    judge: Executor
    used: list[str] = field(default_factory=list)

    @classmethod
    async def built(cls, folder: Path, cluster: Cluster, judge: Executor) -> _Stage:
        template = folder / "template.db"
        url = sqlite_url(template)
        await migrate(url)
        await journal.install(url)
        return cls(folder, template, cluster, judge)

    async def suffer(self, number: int, series: Series) -> asyncio.Future[Verdict]:
        """One series and everything after it; what the judge is going to say of it."""
        folder = self.folder / f"series-{number}"
        folder.mkdir()
        url = await self._database(series, folder)
        async with Scene(series, folder, url) as scene:
            await scene.play()
            history = await scene.history()
        if series.dialect == "postgresql":
            self.used.append(url)
        judging = partial(_judged, series, history, folder, scene.missed)
        return asyncio.get_running_loop().run_in_executor(self.judge, judging)

    async def _database(self, series: Series, folder: Path) -> str:
        if series.dialect == "sqlite":
            return sqlite_url(Path(shutil.copy(self.template, folder / "tickwright.db")))
        if not self.used:
            return await self.cluster.database()
        url = self.used.pop()
        await journal.clear(url)
        return url


def _judged(series: Series, history: History, folder: Path, missed: list[Crash]) -> Verdict:
    found = verdict(
        _RUN,
        history,
        folder,
        injected=len(series.crashes) - len(missed),
        further=[f"{crash} was not reached" for crash in missed],
    )
    return replace(found, violations=[f"{each} ({series}; {folder})" for each in found.violations])
