"""Everything that can be measured, and what each needs to be there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING

from bench.place import DIALECTS, POSTGRES, SQLITE

if TYPE_CHECKING:
    from bench.contenders.base import Contender


class Role(StrEnum):
    OURS = "tickwright"
    FLOOR = "floor"
    PEER = "peer"


@dataclass(frozen=True, slots=True)
class Member:
    """One contender: imported only in the process that measures it."""

    name: str
    title: str
    role: Role
    dialects: tuple[str, ...]
    where: str
    package: str = "tickwright"
    redis: bool = False
    recurring: bool = True

    @property
    def migrated(self) -> bool:
        """Whether it works on the tables of Tickwright."""
        return self.role is not Role.PEER

    def load(self) -> type[Contender]:
        module, _, name = self.where.partition(":")
        found: type[Contender] = getattr(import_module(f"bench.contenders.{module}"), name)
        return found


MEMBERS = (
    Member("tickwright", "Tickwright", Role.OURS, DIALECTS, "tickwright:Tickwright"),
    Member("floor-postgres", "floor", Role.FLOOR, (POSTGRES,), "floor_postgres:PostgresFloor"),
    Member("floor-sqlite", "floor", Role.FLOOR, (SQLITE,), "floor_sqlite:SqliteFloor"),
    Member(
        "apscheduler",
        "APScheduler 3",
        Role.PEER,
        DIALECTS,
        "apscheduler:Apscheduler",
        "apscheduler",
    ),
    Member(
        "procrastinate",
        "Procrastinate",
        Role.PEER,
        (POSTGRES,),
        "procrastinate:Procrastinate",
        "procrastinate",
        recurring=False,
    ),
    Member(
        "pgqueuer",
        "PgQueuer",
        Role.PEER,
        (POSTGRES,),
        "pgqueuer:Pgqueuer",
        "pgqueuer",
        recurring=False,
    ),
    Member(
        "bullmq",
        "BullMQ",
        Role.PEER,
        (POSTGRES,),
        "bullmq:Bullmq",
        "bullmq",
        redis=True,
        recurring=False,
    ),
)
BY_NAME = {member.name: member for member in MEMBERS}
