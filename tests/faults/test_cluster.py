"""A private server comes back with everything it acknowledged, however it was ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from tests.faults.world.cluster import Cluster

END: dict[str, Callable[[Cluster], None]] = {
    "stopped": Cluster.stop_immediate,
    "killed": Cluster.kill,
}


async def test_a_cluster_keeps_what_was_committed_through_every_end(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.execute("CREATE TABLE kept (what text)")
        for what, end in END.items():
            connection = await asyncpg.connect(cluster.url)
            await connection.execute("INSERT INTO kept VALUES ($1)", what)
            end(cluster)
            assert not cluster.running
            with pytest.raises(OSError, match="Connect call failed"):
                await cluster.execute("SELECT 1")
            await cluster.start()
            await asyncio.wait_for(connection.close(), 5)
        connection = await asyncpg.connect(cluster.url)
        rows = await connection.fetch("SELECT what FROM kept")
        await connection.close()
        assert [row["what"] for row in rows] == list(END)


async def test_databases_of_a_cluster_are_migrated_and_apart(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        urls = [await cluster.database() for _ in range(2)]
        for url in urls:
            connection = await asyncpg.connect(url)
            assert await connection.fetchval("SELECT count(*) FROM witness.journal") == 0
            await connection.execute("DELETE FROM tickwright.runs; CREATE TABLE here ()")
            await connection.close()
        assert len(set(urls)) == 2
