"""How PostgreSQL goes about the hot statements, whatever its statistics say at the moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from tickwright.store import statements
from tickwright.store.database import new_id
from tickwright.store.postgres import PostgresDatabase

from .support import NOW

_SQL = statements.load("tickwright.store.postgres")
_ROWS = {
    "finish": [
        new_id(), 1, 1, "succeeded", None, 1, 0, NOW, NOW, None, None, None, 0, 0, 0,
    ],
    "mark_started": [new_id(), 1, 1, NOW],
    "insert_runs": [
        new_id(), new_id(), "queued", None, NOW, None, 1, True, "default", 5, None, 0, None,
    ],
    "advance": [new_id(), NOW, NOW, 1, False, None],
}  # fmt: skip
_FILL = {
    "runs": """
        INSERT INTO tickwright.runs (
          id, scope_key, job_key, queue, priority, cause, own_key, status, nominal_at, count,
          run_at, attempt, lost_count, lease_token, items_processed, items_succeeded, items_failed
        )
        SELECT gen_random_uuid(), 't', 'j', 'default', 5, 'manual', n::text, 'succeeded', now(), 1,
               now(), 1, 0, 1, 0, 0, 0
        FROM generate_series(1, {}) n
    """,
    "schedule_cursors": """
        INSERT INTO tickwright.schedule_cursors (schedule_id, fired_count, spent)
        SELECT gen_random_uuid(), 0, false FROM generate_series(1, {}) n
    """,
    "schedules": """
        INSERT INTO tickwright.schedules (
          id, scope_key, key, job_key, trigger, target, payload, misfire, overlap, status, source,
          metadata, registered, override, version, created_at, updated_at
        )
        SELECT gen_random_uuid(), 't', n::text, 'j', '{{}}', '{{}}', '{{}}', 'skip', 'skip',
               'active', 'user', '{{}}', '{{}}', '{{}}', 1, now(), now()
        FROM generate_series(1, {}) n
    """,
}


@pytest.mark.parametrize("rows", [5, 50, 500, 5000], ids=lambda rows: f"{rows} rows")
@pytest.mark.parametrize("name", _ROWS)
async def test_rows_are_found_by_their_key_whatever_the_statistics_say(
    postgres_url: str, name: str, rows: int
) -> None:
    """A plan is kept while the table grows: what suits a small one must suit a large one too."""
    database = PostgresDatabase(make_url(postgres_url))
    try:
        async with database.write() as c:
            for fill in _FILL.values():
                await c.exec_driver_sql(fill.format(rows))
            await c.exec_driver_sql("ANALYZE")
        async with database.hot() as raw:
            await raw.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            await raw.execute(f"PREPARE asked (jsonb) AS {_SQL[name]}")
            given = json.dumps([_ROWS[name]], default=str)
            told = await raw.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked ('{given}')")
    finally:
        await database.close()
    for node in _walk(told[0]["Plan"]):
        assert node["Node Type"] != "Seq Scan"
        if "Index Name" in node:
            assert node["Index Name"].endswith("_pkey")
            assert "->> " in node.get("Index Cond", "")


@pytest.mark.parametrize("rows", [5, 50, 500, 5000], ids=lambda rows: f"{rows} rows")
async def test_what_was_picked_is_claimed_by_its_key(postgres_url: str, rows: int) -> None:
    """A worker asks for work while there is little, and keeps the plan it got then."""
    database = PostgresDatabase(make_url(postgres_url))
    types = "text, int, text[], text[], uuid, timestamptz"
    given = f"'', 100, '{{default}}', '{{work}}', '{new_id()}', now()"
    try:
        async with database.write() as c:
            await c.exec_driver_sql(_FILL["runs"].format(rows))
            await c.exec_driver_sql(_FILL["schedules"].format(rows))
            await c.exec_driver_sql("ANALYZE")
        async with database.hot() as raw:
            await raw.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            await raw.execute(f"PREPARE asked ({types}) AS {_SQL['take']}")
            told = await raw.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked ({given})")
    finally:
        await database.close()
    nodes = [node for node in _walk(told[0]["Plan"]) if "Relation Name" in node]
    assert "Seq Scan" not in {node["Node Type"] for node in nodes}
    by_key = {
        node["Relation Name"]: node
        for node in nodes
        if "Index Name" in node and node["Index Name"].endswith("_pkey")
    }
    assert {"runs", "schedules"} <= by_key.keys()
    assert all("Index Cond" in node for node in by_key.values())


@pytest.mark.parametrize("rows", [5, 50, 5000], ids=lambda rows: f"{rows} rows")
async def test_what_is_due_is_read_in_order_up_to_the_limit(postgres_url: str, rows: int) -> None:
    """After an outage more is due than a batch takes, and none of it may be sorted each time."""
    database = PostgresDatabase(make_url(postgres_url))
    try:
        async with database.write() as c:
            await c.exec_driver_sql(_FILL["schedule_cursors"].format(rows))
            await c.exec_driver_sql("UPDATE tickwright.schedule_cursors SET next_run_at = now()")
            await c.exec_driver_sql("ANALYZE")
        async with database.hot() as raw:
            await raw.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            await raw.execute(f"PREPARE asked (timestamptz, int) AS {_SQL['due']}")
            told = await raw.fetchval("EXPLAIN (FORMAT JSON) EXECUTE asked (now(), 10)")
    finally:
        await database.close()
    nodes = list(_walk(told[0]["Plan"]))
    assert "schedule_cursors_due" in {node.get("Index Name") for node in nodes}
    assert "Sort" not in {node["Node Type"] for node in nodes}


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _walk(child)
