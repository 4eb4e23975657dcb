"""A history made ready for judging: runs with their lives, workers with their processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from tests.faults.judge.history import Delivery, Entry, Fault, History, Row
from tests.faults.judge.model import NEVER, Life, lives

TERMINAL = ("succeeded", "failed", "dead", "cancelled", "skipped", "missed")


@dataclass(frozen=True)
class Violation:
    """One broken promise, in words."""

    invariant: str
    what: str


@dataclass
class Run:
    """One row of runs with everything that ever happened to it, oldest first."""

    id: str
    first: Row
    born: Entry
    updates: list[Entry] = field(default_factory=list)
    deleted: Entry | None = None

    @property
    def automatic(self) -> bool:
        return bool(self.first["cause"] == "schedule")

    @property
    def fired(self) -> bool:
        return self.first["status"] in ("queued", "running")

    @property
    def nominal(self) -> float:
        return float(self.first["nominal_at"])

    @property
    def through(self) -> float:
        return float(self.first["through_at"] or self.first["nominal_at"])

    @property
    def count(self) -> int:
        return int(self.first["count"])

    @property
    def last(self) -> Row:
        return self.updates[-1].new or self.first if self.updates else self.first

    @property
    def ended_at(self) -> float:
        """When everybody could see that it was over; NEVER while it is open."""
        for entry in self.entries():
            if entry.new is not None and entry.new["status"] in TERMINAL:
                return entry.seen_at
        return NEVER

    def entries(self) -> Iterator[Entry]:
        yield self.born
        yield from self.updates

    def claims(self) -> list[Entry]:
        """Each time a worker got it."""
        return [entry for entry in self.entries() if entry.new and _claims(entry)]

    def __str__(self) -> str:
        status = self.last["status"]
        return f"run {self.id[-8:]} of {self.nominal:.0f} ({self.first['cause']}, now {status})"


def _claims(entry: Entry) -> bool:
    old, new = entry.old, entry.new or {}
    if new["status"] != "running":
        return False
    return old is None or old["status"] != "running" or old["lease_token"] != new["lease_token"]


class Case:
    """A history, looked at from the sides that the checks need."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.setting = history.setting
        self.tables = history.tables

    @cached_property
    def runs(self) -> dict[str, Run]:
        runs: dict[str, Run] = {}
        for entry in sorted(self.history.journal, key=lambda each: each.seq):
            if entry.table != "runs":
                continue
            if entry.old is None and entry.new is not None:
                runs[entry.new["id"]] = Run(entry.new["id"], entry.new, entry)
            elif entry.new is not None:
                runs[entry.new["id"]].updates.append(entry)
            elif entry.old is not None:
                runs[entry.old["id"]].deleted = entry
        return runs

    @cached_property
    def automatic(self) -> list[Run]:
        """Every decision about an occurrence, executed or not."""
        return [run for run in self.runs.values() if run.automatic]

    @cached_property
    def runs_of(self) -> dict[str, list[Run]]:
        """Runs by schedule, in the order in which they were made."""
        found: dict[str, list[Run]] = defaultdict(list)
        for run in self.runs.values():
            found[run.first["schedule_id"]].append(run)
        return found

    @cached_property
    def runs_of_job(self) -> dict[tuple[str, str], list[Run]]:
        """Runs by scope and job."""
        found: dict[tuple[str, str], list[Run]] = defaultdict(list)
        for run in self.runs.values():
            found[run.first["scope_key"], run.first["job_key"]].append(run)
        return found

    @cached_property
    def lives(self) -> dict[str, Life]:
        """What the clients know of each schedule, by its id; the unborn by their key."""
        ids = self.ids_by_key
        return {ids.get(key, key): life for key, life in lives(self.history).items()}

    @cached_property
    def ids_by_key(self) -> dict[str, str]:
        return {
            entry.new["key"]: entry.new["id"]
            for entry in self.history.journal
            if entry.table == "schedules" and entry.old is None and entry.new is not None
        }

    @cached_property
    def deliveries_of(self) -> dict[str, list[Delivery]]:
        found: dict[str, list[Delivery]] = defaultdict(list)
        for delivery in sorted(self.history.deliveries, key=lambda each: each.at):
            found[delivery.run.replace("-", "")].append(delivery)
        return found

    @cached_property
    def pid_of(self) -> dict[str, int]:
        """The process behind each worker."""
        return {
            entry.new["id"]: int(entry.new["pid"])
            for entry in self.history.journal
            if entry.table == "workers" and entry.old is None and entry.new is not None
        }

    @cached_property
    def troubles(self) -> list[tuple[float, float]]:
        """The stretches of time in which something was being done to the system."""
        ends = [(fault.began_at, _end(fault)) for fault in self.history.faults]
        return sorted([*ends, *((gone.at, gone.at) for gone in self.history.exits)])

    def troubled(self, since: float, until: float) -> bool:
        """Whether anything was done to the system that can be felt in that stretch of time."""
        felt = self.setting.lease + self.setting.sweep + RECOVERY
        return any(began <= until and since <= ended + felt for began, ended in self.troubles)


RECOVERY = 10.0
"""Seconds within which everything goes on after a fault has ended."""


def _end(fault: Fault) -> float:
    return NEVER if fault.ended_at is None else fault.ended_at
