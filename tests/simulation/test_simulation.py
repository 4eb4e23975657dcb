"""The simulation as a test: many seeds hold, a seed is always the same, and bugs are found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import main
from tests.simulation.checks import violations
from tests.simulation.judging import judge_all, report
from tests.simulation.mutations import PLANTED, planted
from tests.simulation.world import live

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "120"))
MOST_SEEDS_FOR_A_BUG = 200
ROOT = Path(__file__).parents[2]


def test_whatever_goes_wrong_nothing_is_lost_or_doubled() -> None:
    judged = list(judge_all(range(SEEDS)))
    wrong = [report(each.seed, each.violations) for each in judged if each.violations]
    assert not wrong, "\n".join(wrong)
    assert len(judged) == SEEDS
    assert sum(each.faults for each in judged) > 5 * SEEDS
    assert sum(each.starts for each in judged) > 5 * SEEDS


@pytest.mark.parametrize("seed", [3, 11, 17])
def test_a_seed_is_the_same_story_every_time(seed: int) -> None:
    first, second, other = live(seed), live(seed), live(seed + 1)
    assert len(first.trace) > 100
    assert first.trace == second.trace
    assert first.digest() == second.digest() != other.digest()


def test_a_seed_is_the_same_story_in_another_process() -> None:
    stories = {_told_elsewhere(seed=11, hashing=hashing) for hashing in ("1", "2")}
    assert stories == {f"seed 11: nothing is wrong; digest {live(11).digest()}\n"}


def _told_elsewhere(seed: int, hashing: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seed", str(seed)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hashing},
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


@pytest.mark.parametrize("bug", sorted(PLANTED))
def test_a_planted_bug_is_found(bug: str) -> None:
    with planted(bug):
        caught = next((s for s in range(MOST_SEEDS_FOR_A_BUG) if violations(live(s))), None)
    assert caught is not None
    assert violations(live(caught)) == [], "it is the bug that is found, and nothing else"


def test_a_failing_seed_says_how_to_see_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--seeds", "2", "--plant", "success_before_the_work"]
    assert main(arguments) == 1
    said = capsys.readouterr().out
    assert "python -m tests.simulation --seed 0 --trace --plant success_before_the_work" in said
    assert "succeeded without an answered delivery" in said
