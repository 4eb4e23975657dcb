"""Living seeds and judging them, one or many."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context

from tests.simulation.checks import violations
from tests.simulation.mutations import planted
from tests.simulation.world import live

_CHUNK = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """One seed: what happened in it, and what is wrong with it."""

    seed: int
    faults: int
    starts: int
    violations: list[str]


def judge(seed: int, plant: str | None = None) -> Judged:
    """Live that seed, with that bug in the scheduler."""
    with planted(plant) if plant else contextlib.nullcontext():
        story = live(seed)
    if seed % _CHUNK == 0:
        gc.collect()
    return Judged(seed, len(story.faults), len(story.executions), violations(story))


def judge_all(seeds: range, plant: str | None = None) -> Iterator[Judged]:
    """All of them on every core, in their order."""
    # Lives are short and full of cycles: collecting them as they grow takes a third of the time.
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=gc.disable) as pool:
        yield from pool.map(judge, seeds, repeat(plant), chunksize=_CHUNK)


def report(seed: int, found: Sequence[str], plant: str | None = None) -> str:
    """What is wrong with a seed, and how to see it again."""
    lines = [f"seed {seed}:", *(f"  {each}" for each in found)]
    planting = f" --plant {plant}" if plant else ""
    return "\n".join([*lines, f"  python -m tests.simulation --seed {seed} --trace{planting}"])
