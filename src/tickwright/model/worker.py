"""A process that executes runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class WorkerStatus(StrEnum):
    ONLINE = "online"
    DRAINING = "draining"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Worker:
    """One process, by a UUID of its own; `lease_until` is renewed by its heartbeat."""

    id: UUID
    name: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    handlers: tuple[str, ...]
    slots: int
    status: WorkerStatus
    started_at: datetime
    heartbeat_at: datetime
    lease_until: datetime
    running: int = 0
