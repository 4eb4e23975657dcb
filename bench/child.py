"""The process in which one contender is measured, or in which it is ready and waits.

Its argument is a task as JSON, its last line of output the sample as JSON.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import os
import sys
from contextlib import nullcontext
from typing import Any

import uvloop

from bench.contenders import BY_NAME
from bench.place import Place

TRY_AGAIN = os.EX_TEMPFAIL


async def measure(given: dict[str, Any], place: Place) -> None:
    from bench.lines import load
    from bench.lines.base import Task, TooLate

    task = Task(given["contender"], place, given["options"], given["patience"])
    try:
        print(json.dumps(await load(given["line"]).measure(task)))
    except TooLate as error:
        print(error, file=sys.stderr)
        sys.exit(TRY_AGAIN)


async def stay(name: str, place: Place) -> None:
    """Say when the contender is ready, and stay until the input ends."""

    async def handler(due: float | None) -> None:
        """Nothing is due."""

    contender = BY_NAME[name].load()(name, place, handler)
    contender.patient = True
    contender.prepare()
    async with contender.working():
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    given = json.loads(sys.argv[1])
    place = Place(**given["place"])
    if "line" not in given:
        uvloop.run(stay(given["contender"], place))
        return
    with cProfile.Profile() if given["profile"] else nullcontext() as profile:
        uvloop.run(measure(given, place))
    if profile is not None:
        profile.dump_stats(given["profile"])


if __name__ == "__main__":
    main()
