"""A small application with campaigns of its own that run at their time, as users write one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tickwright import Policy, Scheduler, at, tenant
from tickwright.engine.hooks import RunEnd
from tickwright.model.clock import SystemClock
from tickwright.model.run import Claimed, RunStatus

JOB = "campaign.execute"
ACME = tenant("acme")
_DRIVERS = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
_LOOK_SECONDS = 0.01
campaigns = sa.Table(
    "campaigns",
    sa.MetaData(),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
)


class CampaignApp:
    """Campaign rows beside Tickwright's tables; a campaign's schedule has its id as key."""

    def __init__(self, url: str) -> None:
        self.scheduler = Scheduler(url)
        self.scheduler.register_handler(JOB, self._execute)
        self.scheduler.on_run_start(self._started)
        self.scheduler.on_run_end(self._ended)
        parsed = make_url(url)
        self._database = create_async_engine(
            parsed.set(drivername=_DRIVERS[parsed.get_backend_name()])
        )
        self.executed: list[tuple[UUID, datetime]] = []
        self.statuses: list[str] = []

    async def open(self) -> None:
        """Be able to change campaigns, without running any."""
        async with self._database.begin() as c:
            await c.run_sync(campaigns.metadata.create_all)
        await self.scheduler.open()
        await self.scheduler.define_job(ACME, JOB, Policy(max_attempts=1))

    async def start(self) -> None:
        await self.open()
        await self.scheduler.start()

    async def stop(self) -> None:
        await self.scheduler.stop()
        await self._database.dispose()

    async def create(self, scheduled_at: datetime, *, fails: bool = False) -> UUID:
        """Campaign and schedule appear together, or neither does."""
        async with self._database.begin() as c:
            return await self._insert(c, scheduled_at, fails=fails)

    async def create_in_vain(self, scheduled_at: datetime) -> UUID:
        """Roll the creation back."""
        async with self._database.connect() as c, c.begin() as transaction:
            new = await self._insert(c, scheduled_at, fails=False)
            await transaction.rollback()
        return new

    async def _insert(self, c: AsyncConnection, scheduled_at: datetime, *, fails: bool) -> UUID:
        new = uuid4()
        await c.execute(sa.insert(campaigns).values(id=new, status="Scheduled"))
        await self.scheduler.create_schedule(
            ACME,
            JOB,
            at(scheduled_at),
            key=str(new),
            past="run_now",
            payload={"campaignId": str(new), "fails": fails},
            connection=c,
        )
        return new

    async def delete(self, campaign: UUID) -> None:
        await self.scheduler.delete_schedule(ACME, str(campaign))
        async with self._database.begin() as c:
            await c.execute(sa.delete(campaigns).where(campaigns.c.id == campaign))

    async def status(self, campaign: UUID) -> str | None:
        async with self._database.connect() as c:
            found = sa.select(campaigns.c.status).where(campaigns.c.id == campaign)
            status: str | None = (await c.execute(found)).scalar_one_or_none()
            return status

    async def until(self, condition: Callable[[], object], seconds: float) -> None:
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {self.statuses}"
            await asyncio.sleep(_LOOK_SECONDS)

    def has_run(self, campaign: UUID) -> bool:
        return any(executed == campaign for executed, _ in self.executed)

    async def _execute(self, tenant_id: str | None, payload: dict[str, Any]) -> None:
        assert tenant_id == ACME.tenant_id
        self.executed.append((UUID(payload["campaignId"]), await SystemClock().now()))
        assert await self.status(UUID(payload["campaignId"])) == "Running"
        if payload["fails"]:
            raise RuntimeError("no session")

    async def _started(self, run: Claimed) -> None:
        await self._set(run, "Running")

    async def _ended(self, end: RunEnd) -> None:
        if not end.will_retry:
            succeeded = end.status is RunStatus.SUCCEEDED
            await self._set(end.run, "Completed" if succeeded else "Failed")

    async def _set(self, run: Claimed, status: str) -> None:
        mine = campaigns.c.id == UUID(run.payload["campaignId"])
        async with self._database.begin() as c:
            await c.execute(sa.update(campaigns).where(mine).values(status=status))
        self.statuses.append(status)
