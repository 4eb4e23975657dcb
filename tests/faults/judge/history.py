"""What happened in one experiment, as it was recorded: the only thing the judge looks at.

A history is a folder of JSON lines. Times are seconds of the machine's real clock since 1970 as
floats; `None` as an end means that it never came. Nothing here imports the scheduler.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Row = dict[str, Any]


OF_RUNS = ("trigger", "retry", "stop")
"""Operations that leave their schedule as it is."""


@dataclass(frozen=True)
class Operation:
    """One write by one client, and what it was told.

    `kind` is create, edit, pause, resume, cancel or delete of a schedule, or one of `OF_RUNS`:
    trigger, retry or stop (cancel) of its runs; `key` the schedule's key, which one client alone
    writes, one operation after the other. `body` is what was asked for: for create and edit a
    `trigger` in the API's words and `overlap`, `maxRuns`, for retry and stop the `run`. `marker` is
    a text of its own that the operation leaves in the database (an edit's description, a pause's
    reason, a run's request key). `outcome` is `ok`, `fail` (refused: nothing was written) or
    `unknown` (an error or no answer: it may have been written). After an unknown one the client
    reads until it gets an answer, `seen_at` is when that was, and `seen` whether the operation
    shows; a client whose operation does not show leaves that schedule alone from then on.
    """

    client: str
    kind: str
    key: str
    marker: str
    body: Row
    invoked_at: float
    answered_at: float | None
    outcome: str
    status: int | None = None
    answer: Row = field(default_factory=dict)
    seen_at: float | None = None
    seen: bool | None = None


@dataclass(frozen=True)
class Fault:
    """Something that was done to the system: what, to whom, and for how long."""

    kind: str
    target: str
    began_at: float
    ended_at: float | None
    detail: Row = field(default_factory=dict)


@dataclass(frozen=True)
class Delivery:
    """One request that reached the sink; `status` is None when no answer could be sent."""

    run: str
    key: str
    attempt: int
    nominal_at: float
    at: float
    answered_at: float | None
    status: int | None


@dataclass(frozen=True)
class Exit:
    """The end of a process; `meant` when the experiment itself ended it."""

    process: str
    pid: int
    at: float
    code: int
    meant: bool


@dataclass(frozen=True)
class Entry:
    """One change of one row, written by a trigger in the transaction that made it.

    `table` is the name without schema or prefix: runs, schedules, schedule_cursors, workers,
    schedule_stats, changes. `old` is None for an insert and `new` None for a delete. Moments in
    rows are seconds since 1970, ids are text without dashes. `at` is when the statement ran, and
    `committed_at` when others could see it, where that is known.
    """

    seq: int
    at: float
    table: str
    old: Row | None
    new: Row | None
    committed_at: float | None = None

    @property
    def seen_at(self) -> float:
        """From when on others saw it, as far as that is known."""
        return self.at if self.committed_at is None else self.committed_at


@dataclass(frozen=True)
class Setting:
    """How the system was set up, for the bounds the judge goes by; durations in seconds.

    `limits` has for each job with limits how many of its runs may run at once (`concurrency`), how
    many with the same key (`keyConcurrency`), and how many attempts begin (`starts`) in any stretch
    of time (`per`).
    """

    began_at: float
    quiet_at: float
    lease: float
    sweep: float
    attempts: int
    dialect: str
    limits: dict[str, Row] = field(default_factory=dict)


@dataclass
class History:
    """Everything recorded. `tables` holds every row that is there in the end, by table."""

    setting: Setting
    operations: list[Operation] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    journal: list[Entry] = field(default_factory=list)
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "setting.json").write_text(json.dumps(vars(self.setting)))
        (folder / "tables.json").write_text(json.dumps(self.tables))
        for name in _LISTS:
            lines = (json.dumps(vars(each)) for each in getattr(self, name))
            (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))


_LISTS: dict[str, type] = {
    "operations": Operation,
    "faults": Fault,
    "deliveries": Delivery,
    "exits": Exit,
    "journal": Entry,
}


def load(folder: Path) -> History:
    """The history that was saved there."""
    return History(
        Setting(**json.loads((folder / "setting.json").read_text())),
        tables=json.loads((folder / "tables.json").read_text()),
        **{name: list(_read(folder / f"{name}.jsonl", kind)) for name, kind in _LISTS.items()},
    )


def _read(path: Path, kind: type[T]) -> Iterable[T]:
    return (kind(**json.loads(line)) for line in path.read_text().splitlines())
