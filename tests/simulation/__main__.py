"""`python -m tests.simulation --seeds 500 --start 0` lives that many seeds and judges each.

`python -m tests.simulation --seed N --trace` lives one, and prints all that happened in it.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence

from tests.simulation.checks import violations
from tests.simulation.judging import judge_all, report
from tests.simulation.mutations import PLANTED, planted
from tests.simulation.world import Story, live

_EVERY = 50


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _arguments(arguments)
    if asked.seed is None:
        return _many(range(asked.start, asked.start + asked.seeds), asked.plant)
    with planted(asked.plant) if asked.plant else contextlib.nullcontext():
        return _one(asked.seed, asked.trace)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--trace", action="store_true", help="print all that happened in it")
    parser.add_argument("--plant", choices=sorted(PLANTED), help="with this bug in the scheduler")
    return parser.parse_args(arguments)


def _many(seeds: range, plant: str | None) -> int:
    began = time.perf_counter()
    faults, starts, failed = 0, 0, 0
    for done, judged in enumerate(judge_all(seeds, plant), 1):
        faults += judged.faults
        starts += judged.starts
        if judged.violations:
            failed += 1
            print(report(judged.seed, judged.violations, plant), flush=True)
        if done % _EVERY == 0 or done == len(seeds):
            rate = 60 * done / (time.perf_counter() - began)
            print(
                f"{done} seeds, {faults} faults, {starts} starts of work, {failed} failed,"
                f" {rate:.0f} seeds a minute",
                flush=True,
            )
    return 1 if failed else 0


def _one(seed: int, trace: bool) -> int:
    story = live(seed)
    if trace:
        _print_trace(story)
    found = violations(story)
    print("\n".join(found) or f"seed {seed}: nothing is wrong; digest {story.digest()}")
    return 1 if found else 0


def _print_trace(story: Story) -> None:
    for at, who, *what in story.trace:
        print(f"{at:10.5f} {who:10} {' '.join(map(str, what))}")
    for operation in story.operations:
        print(operation)


if __name__ == "__main__":
    sys.exit(main())
