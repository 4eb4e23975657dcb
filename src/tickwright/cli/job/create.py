"""`tickwright job create`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickwright.cli.command import command
from tickwright.cli.job.wishes import Key, Wishes
from tickwright.cli.options import Json, Place

if TYPE_CHECKING:
    from tickwright.cli.session import Session
    from tickwright.model.job import Job


@command
def create(key: Key, wishes: Wishes, place: Place, *, as_json: Json = False) -> None:
    """Define a job's policy; what is not named has its default."""
    from tickwright.cli.job.detail import show_after
    from tickwright.model.job import policy_from_json

    policy = policy_from_json(wishes.changes())

    async def made(session: Session) -> Job:
        return await session.scheduler.create_job(session.scope, key, policy, actor=session.actor)

    show_after(place, made, as_json=as_json)
