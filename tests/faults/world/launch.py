"""The real command line in a process of its own, which dies with its parent.

`python -m tests.faults.world.launch [--die-at POINT[:N]] [--mutate NAME] [--prune-every SECONDS]
-- worker …` patches in a crash point or a planted bug from outside, then hands over to
`tickwright.cli`.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta

POINTS = "tests.faults.world.points"
MUTATIONS = "tests.faults.world.mutations"
_PR_SET_PDEATHSIG = 1


def main(given: Sequence[str] | None = None) -> None:
    """Be `tickwright` with the arguments after `--`."""
    arguments = list(sys.argv[1:] if given is None else given)
    here = arguments.index("--")
    options = _parser().parse_args(arguments[:here])
    die_with_parent()
    if options.die_at is not None:
        point, _, count = options.die_at.partition(":")
        importlib.import_module(POINTS).arm(point, int(count or 1))
    if options.mutate is not None:
        importlib.import_module(MUTATIONS).plant(options.mutate)
    if options.prune_every is not None:
        _prune_often(timedelta(seconds=options.prune_every))
    from tickwright import cli

    sys.argv = ["tickwright", *arguments[here + 1 :]]
    cli.main()


def die_with_parent() -> None:
    """Let the kernel kill this process when the thread that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prune_often(every: timedelta) -> None:
    """Look for old runs that often, and let another process take over soon after."""
    pruner = importlib.import_module("tickwright.engine.pruner")
    vars(pruner).update(_EVERY=every, _LEASE=2 * every)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.faults.world.launch")
    parser.add_argument("--die-at", metavar="POINT[:N]")
    parser.add_argument("--mutate", metavar="NAME")
    parser.add_argument("--prune-every", metavar="SECONDS", type=float)
    return parser


if __name__ == "__main__":
    main()
