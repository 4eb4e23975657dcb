"""The judge finds nothing in a sound history, and each kind of tampering in one that is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults.judge.checker import check, judge
from tests.faults.judge.history import (
    Delivery,
    Entry,
    Exit,
    Fault,
    History,
    Operation,
    Row,
    Setting,
    load,
)
from tests.faults.judge.rules import instants

T0 = 1_800_000_000
SCHEDULE = "5" * 32
WORKER = "7" * 32
PID = 4711
RULE = {"type": "interval", "every": "2s", "anchor": "2027-01-15T08:00:00Z"}


class Story:
    """A schedule every two seconds from `T0` on, paused eight seconds later: four runs."""

    def __init__(self) -> None:
        self.journal: list[Entry] = []
        self.deliveries: list[Delivery] = []
        self.rows: list[Row] = []
        self._entry(T0, "workers", None, {"id": WORKER, "pid": PID})
        self._entry(T0, "schedules", None, {"id": SCHEDULE, "key": "s", "status": "active"})
        for number in range(1, 5):
            self._run(number, T0 + 2 * number)

    def history(self) -> History:
        setting = Setting(T0 - 1, T0 + 10, lease=2, sweep=1, attempts=3, dialect="postgresql")
        return History(
            setting,
            operations=[
                operation("create", T0 + 0.1, {"trigger": RULE, "overlap": "skip"}),
                operation("pause", T0 + 8.5, {}),
            ],
            deliveries=self.deliveries,
            journal=self.journal,
            tables={
                "runs": self.rows,
                "changes": [change("create", 1), change("pause", 2)],
                "schedules": [{"id": SCHEDULE, "status": "paused", "deleted_at": None}],
                "schedule_cursors": [{"schedule_id": SCHEDULE, "fired_count": 4}],
                "schedule_stats": [
                    {"schedule_id": SCHEDULE, "run_count": 4, "success_count": 4},
                ],
                "run_days": [{"succeeded": 4, "failed": 0, "cancelled": 0}],
            },
        )

    def _entry(self, at: float, table: str, old: Row | None, new: Row | None) -> None:
        self.journal.append(Entry(len(self.journal) + 1, at, table, old, new))

    def _run(self, number: int, nominal: int) -> None:
        born = run(number, nominal)
        over = born | {"status": "succeeded", "started_at": nominal + 0.03}
        self._entry(nominal + 0.01, "runs", None, born)
        key = f"s1:default:{SCHEDULE}:{nominal}"
        sent = Delivery(born["id"], key, 1, nominal, nominal + 0.05, nominal + 0.06, 200)
        self.deliveries.append(sent)
        self._entry(nominal + 0.1, "runs", born, over)
        self.rows.append(over)


def operation(kind: str, at: float, body: Row, outcome: str = "ok") -> Operation:
    return Operation("c", kind, "s", f"c/{kind}", body, at, at + 0.1, outcome)


def change(action: str, version: int) -> Row:
    return {"resource_id": SCHEDULE, "action": action, "version": version}


def run(number: int, nominal: int, **changes: Any) -> Row:
    return {
        "id": f"{number:032d}",
        "schedule_id": SCHEDULE,
        "cause": "schedule",
        "status": "running",
        "reason": None,
        "nominal_at": float(nominal),
        "through_at": None,
        "count": 1,
        "attempt": 1,
        "lost_count": 0,
        "lease_token": 1,
        "worker_id": WORKER,
        "started_at": None,
        "request_key": None,
        "scope_key": "default",
        "job_key": "sink",
        "limit_key": None,
        "replay_of": None,
        "cancel_requested_at": None,
        **changes,
    }


def test_a_sound_history_has_no_violation() -> None:
    found = judge(Story().history())
    assert found.violations == []
    assert found.occurrences == 4
    assert found.worst_lateness == pytest.approx(0.01)


def test_a_saved_history_is_the_same_when_it_is_loaded(tmp_path: Path) -> None:
    history = Story().history()
    history.faults.append(Fault("kill", "worker-1", T0, None, {"pid": PID}))
    history.save(tmp_path / "history")
    assert load(tmp_path / "history") == history


def drop_a_run(h: History) -> None:
    gone = h.tables["runs"].pop()["id"]
    h.journal = [e for e in h.journal if (e.new or {}).get("id") != gone]


def append_run(h: History, at: float, row: Row) -> None:
    h.journal.append(Entry(len(h.journal) + 1, at, "runs", None, row))


def change_entry(h: History, at: int, **changes: Any) -> None:
    """Change the new row of the journal's entry number `at`."""
    entry = h.journal[at]
    h.journal[at] = replace(entry, new=(entry.new or {}) | changes)


def move(h: History, at: int, to: float) -> None:
    h.journal[at] = replace(h.journal[at], at=to)


def take_from_a_live_worker(h: History) -> None:
    """The last run goes back as lost, and is executed once more."""
    born, over = h.journal[-2].new or {}, h.journal.pop().new or {}
    back = born | {"status": "queued", "lost_count": 1, "worker_id": None}
    again = back | {"status": "running", "lease_token": 2, "worker_id": WORKER}
    steps = [(born, back), (back, again), (again, over | {"lost_count": 1, "lease_token": 2})]
    for number, (old, new) in enumerate(steps):
        h.journal.append(Entry(len(h.journal) + 1, T0 + 8.2 + number / 10, "runs", old, new))


FIRST_BORN, FIRST_OVER = 2, 3
"""Places in the story's journal."""


def limited(h: History, **bounds: Any) -> None:
    """The job of all runs has these limits."""
    h.setting = replace(h.setting, limits={"sink": bounds})


def run_side_by_side(h: History) -> None:
    limited(h, concurrency=1)
    h.operations[0] = replace(h.operations[0], body={"trigger": RULE, "overlap": "allow"})
    move(h, FIRST_OVER, T0 + 4.05)


def run_side_by_side_by_key(h: History) -> None:
    run_side_by_side(h)
    limited(h, concurrency=4, keyConcurrency=1)


def ask_to_run_again(h: History, at: float = T0 + 6.3, of: int = 1, **row: Any) -> None:
    """A client has the run of that number done again."""
    again = run(9, T0 + 2, cause="replay", status="queued", **row)
    h.operations.insert(1, operation("retry", at, {"run": f"{of:032d}"}))
    append_run(h, at, again | {"request_key": "c/retry"})
    h.journal.append(Entry(99, at + 0.1, "runs", again, again | {"status": "cancelled"}))


def ask_to_stop(h: History, status: str) -> None:
    """A client cancels the last run before it is claimed, or while it runs."""
    asked = operation("stop", T0 + 7.8, {"run": f"{4:032d}"})
    h.operations.insert(1, replace(asked, answer={"status": status}))


TAMPERINGS: dict[str, tuple[str, Callable[[History], Any]]] = {
    "an occurrence is left out": ("lost", drop_a_run),
    "an occurrence is decided twice": (
        "doubled",
        lambda h: append_run(h, T0 + 4.2, run(9, T0 + 4, status="missed")),
    ),
    "an instant is made up": ("invented", lambda h: append_run(h, T0 + 5.2, run(9, T0 + 5))),
    "something fires after the pause": (
        "invented",
        lambda h: append_run(h, T0 + 10.1, run(9, T0 + 10)),
    ),
    "a stretch counts wrongly": ("invented", lambda h: change_entry(h, FIRST_BORN, count=2)),
    "a run is missed on time": (
        "decision",
        lambda h: change_entry(h, FIRST_BORN, status="missed", reason="coalesced"),
    ),
    "a run is skipped with none open": (
        "decision",
        lambda h: change_entry(h, FIRST_BORN, status="skipped", reason="overlap"),
    ),
    "two runs are open under skip": ("overlap", lambda h: move(h, FIRST_OVER, T0 + 7)),
    "a run is decided early": ("early", lambda h: move(h, FIRST_BORN, T0 + 1.9)),
    "a delivery comes early": (
        "early",
        lambda h: h.deliveries.append(replace(h.deliveries[0], at=T0 + 1.5)),
    ),
    "a start is late": ("late", lambda h: move(h, FIRST_BORN, T0 + 7.5)),
    "a success was never delivered": ("success", lambda h: h.deliveries.pop()),
    "a success was delivered afterwards": (
        "success",
        lambda h: h.deliveries.__setitem__(0, replace(h.deliveries[0], at=T0 + 2.2)),
    ),
    "a run is delivered twice on one claim": (
        "extra delivery",
        lambda h: h.deliveries.append(replace(h.deliveries[0], at=T0 + 3)),
    ),
    "a run is delivered under another key": (
        "extra delivery",
        lambda h: h.deliveries.append(replace(h.deliveries[0], at=T0 + 3, key="another")),
    ),
    "an ended run changes": (
        "transition",
        lambda h: h.journal.append(
            Entry(99, T0 + 9, "runs", h.tables["runs"][0], h.tables["runs"][0] | {"attempt": 2})
        ),
    ),
    "a run ends under another token": (
        "lease",
        lambda h: change_entry(h, FIRST_OVER, lease_token=2),
    ),
    "a stale holder ends a run": (
        "stale write",
        lambda h: change_entry(h, FIRST_OVER, started_at=T0 + 1),
    ),
    "a live worker loses its run": ("lost lease", take_from_a_live_worker),
    "a run stays open": ("stuck", lambda h: h.tables["runs"][0].update(status="queued")),
    "an acknowledged write is gone": ("lost write", lambda h: h.tables["changes"].pop()),
    "a write is recorded twice": (
        "changes",
        lambda h: h.tables["changes"].append(change("pause", 3)),
    ),
    "an acknowledged pause does not show": (
        "lost write",
        lambda h: h.tables["schedules"][0].update(status="active"),
    ),
    "the counters are off": (
        "counters",
        lambda h: h.tables["schedule_stats"][0].update(run_count=5),
    ),
    "the days are off": ("counters", lambda h: h.tables["run_days"][0].update(succeeded=3)),
    "more runs at once than a limit allows": ("limit", run_side_by_side),
    "more runs at once than a limit by key allows": ("limit", run_side_by_side_by_key),
    "more starts than a rate allows": ("limit", lambda h: limited(h, starts=2, per=5.0)),
    "a retry points at nothing": ("replay", ask_to_run_again),
    "a retry repeats what has not ended": (
        "replay",
        lambda h: ask_to_run_again(h, at=T0 + 2.05, replay_of=f"{1:032d}"),
    ),
    "a retry made no run": (
        "lost write",
        lambda h: h.operations.insert(1, operation("retry", T0 + 6, {"run": f"{1:032d}"})),
    ),
    "a cancelled run starts": ("final", lambda h: ask_to_stop(h, "cancelled")),
    "a run was not told to stop": ("lost write", lambda h: ask_to_stop(h, "running")),
    "a process ends by itself": (
        "exit",
        lambda h: h.exits.append(Exit("worker-1", PID, T0 + 9, 70, meant=False)),
    ),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_tampering_is_found(tampering: str) -> None:
    invariant, tamper = TAMPERINGS[tampering]
    history = Story().history()
    tamper(history)
    assert invariant in {violation.invariant for violation in check(history)}


def test_a_run_that_starts_after_its_schedule_was_deleted_is_found() -> None:
    history = Story().history()
    history.operations[-1] = operation("delete", T0 + 5.5, {})
    assert "final" in {violation.invariant for violation in check(history)}


def test_a_write_that_may_not_have_happened_obliges_to_nothing() -> None:
    history = Story().history()
    history.operations[-1] = replace(history.operations[-1], outcome="unknown", seen=False)
    assert check(history) == []
    history.tables["changes"].pop()
    history.tables["schedules"][0]["status"] = "active"
    assert check(history) == []


def test_limits_that_hold_are_no_violation() -> None:
    history = Story().history()
    limited(history, concurrency=1, keyConcurrency=1, starts=3, per=5.0)
    assert check(history) == []


def test_waiting_for_room_explains_lateness() -> None:
    history = Story().history()
    history.operations[0] = operation("create", T0 + 0.1, {"trigger": RULE, "overlap": "allow"})
    move(history, FIRST_OVER + 1, T0 + 9.6)
    move(history, FIRST_OVER + 2, T0 + 9.7)
    history.deliveries[1] = replace(history.deliveries[1], at=T0 + 9.65)
    assert "late" in {violation.invariant for violation in check(history)}
    move(history, FIRST_OVER, T0 + 9.5)
    limited(history, concurrency=2)
    assert "late" not in {violation.invariant for violation in check(history)}


def test_a_fault_explains_lateness() -> None:
    history = Story().history()
    move(history, FIRST_BORN, T0 + 7.5)
    history.faults.append(Fault("freeze", "worker-1", T0 + 1, T0 + 3))
    assert "late" not in {violation.invariant for violation in check(history)}


def test_rules_are_asked_second_by_second() -> None:
    cron = {"type": "cron", "expression": "*/20 * * * * *"}
    assert instants(cron, T0, T0 + 60) == [T0 + 20, T0 + 40, T0 + 60]
    assert instants(RULE, T0, T0 + 5) == [T0 + 2, T0 + 4]
