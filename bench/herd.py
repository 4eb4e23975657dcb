"""Herd: many recurring schedules due at one instant, beside a bare asyncpg floor.

    python -m bench.herd --schedules 10000 --database-url postgresql://postgres@127.0.0.1:5432

Prints how long after the instant the first and the last handler started, and how long the floor
needs for the same rows, columns and indexes: claiming cursors, advancing them, inserting runs
that are born claimed and finishing them, in batches, with nothing else around it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import uvloop

from bench.fill import fill_schedules
from tickwright import Scheduler

BATCH = 1000


@asynccontextmanager
async def scratch_database(server: str) -> AsyncIterator[str]:
    """A database of our own, dropped at the end."""
    name = f"tickwright_bench_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(f"{server}/postgres")
    await admin.execute(f'CREATE DATABASE "{name}"')
    try:
        yield f"{server}/{name}"
    finally:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


async def tickwright_herd(url: str, count: int, expressions: int) -> dict[str, Any]:
    started: list[float] = []
    scheduler = Scheduler(url, auto_migrate=True, slots=2 * BATCH, log_level="error")

    @scheduler.handler("bench.noop")
    async def noop(tenant_id: str | None, payload: dict[str, Any]) -> None:
        started.append(time.time())

    await scheduler.open()
    instant = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=8)
    await fill_schedules(url, count, expressions, instant)
    async with scheduler:
        gc.collect()
        gc.freeze()
        await _until(lambda: _all_ended(url, count), instant + timedelta(seconds=60))
    finished = await _finished(url)
    due = instant.timestamp()
    return {
        "runs": len(started),
        "first": min(started) - due,
        "last": max(started) - due,
        "finished": (finished.timestamp() if finished else 0) - due,
        "early": sum(at < due for at in started),
    }


async def _until(done: Callable[[], Awaitable[bool]], deadline: datetime) -> None:
    while not await done() and time.time() < deadline.timestamp():
        await asyncio.sleep(1)


async def _all_ended(url: str, count: int) -> bool:
    connection = await asyncpg.connect(url)
    try:
        ended = await connection.fetchval(
            "SELECT count(*) FROM tickwright.runs WHERE finished_at IS NOT NULL"
        )
        return bool(ended >= count)
    finally:
        await connection.close()


async def _finished(url: str) -> datetime | None:
    connection = await asyncpg.connect(url)
    try:
        moment: datetime | None = await connection.fetchval(
            "SELECT max(finished_at) FROM tickwright.runs"
        )
        return moment
    finally:
        await connection.close()


async def floor_herd(url: str, count: int, expressions: int) -> dict[str, Any]:
    """The same rows through hand-written batches on bare connections."""
    instant = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    await fill_schedules(url, count, expressions, instant)
    firing = await asyncpg.connect(url)
    finishing = await asyncpg.connect(url)
    worker = uuid4()
    queue: asyncio.Queue[list[UUID] | None] = asyncio.Queue()
    await asyncio.sleep(max(0.0, instant.timestamp() - time.time()))
    finisher = asyncio.create_task(_floor_finish(finishing, queue))
    first = last = 0.0
    while ids := await _floor_fire(firing, instant, worker):
        last = time.time()
        first = first or last
        queue.put_nowait(ids)
    queue.put_nowait(None)
    await finisher
    done = time.time()
    await firing.close()
    await finishing.close()
    due = instant.timestamp()
    return {"runs": count, "first": first - due, "last": last - due, "finished": done - due}


async def _floor_fire(c: asyncpg.Connection, instant: datetime, worker: UUID) -> list[UUID]:
    async with c.transaction():
        rows = await c.fetch(
            "SELECT c.schedule_id, s.trigger::text, s.target::text, s.payload::text "
            "FROM tickwright.schedule_cursors c JOIN tickwright.schedules s "
            "ON s.id = c.schedule_id WHERE c.next_run_at <= $1 ORDER BY c.next_run_at LIMIT $2 "
            "FOR UPDATE OF c SKIP LOCKED",
            instant,
            BATCH,
        )
        if not rows:
            return []
        ids = [uuid4() for _ in rows]
        schedules = [row[0] for row in rows]
        await c.execute(
            "INSERT INTO tickwright.runs (id, scope_key, schedule_id, job_key, queue, priority, "
            "handler, cause, own_key, status, nominal_at, count, run_at, target, payload, attempt,"
            " lost_count, worker_id, lease_token, items_processed, items_succeeded, items_failed) "
            "SELECT u.id, s.scope_key, s.id, s.job_key, 'default', 5, s.handler, 'schedule', '', "
            "'running', $3, 1, $3, s.target, s.payload, 1, 0, $4, 1, 0, 0, 0 "
            "FROM unnest($1::uuid[], $2::uuid[]) u (id, sid) "
            "JOIN tickwright.schedules s ON s.id = u.sid",
            ids,
            schedules,
            instant,
            worker,
        )
        await c.execute(
            "UPDATE tickwright.schedule_cursors SET next_run_at = $2, decided_through = $3, "
            "fired_count = fired_count + 1 WHERE schedule_id = ANY($1::uuid[])",
            schedules,
            instant + timedelta(days=1),
            instant,
        )
    return ids


async def _floor_finish(c: asyncpg.Connection, queue: asyncio.Queue[list[UUID] | None]) -> None:
    while (ids := await queue.get()) is not None:
        await c.execute(
            "UPDATE tickwright.runs SET status = 'succeeded', started_at = run_at, "
            "finished_at = run_at WHERE id = ANY($1::uuid[]) AND status = 'running' "
            "AND attempt = 1 AND lease_token = 1",
            ids,
        )


async def measure(server: str, count: int, expressions: int) -> dict[str, Any]:
    async with scratch_database(server) as url:
        ours = await tickwright_herd(url, count, expressions)
    async with scratch_database(server) as url:
        scheduler = Scheduler(url, auto_migrate=True)
        await scheduler.open()
        await scheduler.stop()
        floor = await floor_herd(url, count, expressions)
    return {"tickwright": ours, "floor": floor, "ratio": ours["last"] / floor["last"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--expressions", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--database-url", default="postgresql://postgres@127.0.0.1:5432")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    for _ in range(given.repeat):
        result = uvloop.run(measure(given.database_url, given.schedules, given.expressions))
        if given.json:
            print(json.dumps(result))
            continue
        for name in ("floor", "tickwright"):
            r = result[name]
            print(
                f"{name:11} {r['runs']} runs: first {r['first']:.3f} s, "
                f"last {r['last']:.3f} s, finished {r['finished']:.3f} s after the instant"
            )
        print(f"ratio of the last start to the floor: {result['ratio']:.2f}")


if __name__ == "__main__":
    main()
