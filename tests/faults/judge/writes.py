"""Acknowledged writes are there and final, each with one Change, and counters equal the rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tests.faults.judge.case import TERMINAL, Case, Violation
from tests.faults.judge.history import OF_RUNS, Operation
from tests.faults.judge.model import NEVER, Life, applied, possible

_ACTIONS = {"edit": "update"}


def acknowledged(case: Case) -> Iterator[Violation]:
    """Every acknowledged write is there with exactly one Change, every refused one is not."""
    changes = _changes(case)
    for schedule_id, life in case.lives.items():
        yield from _changed_once(life, changes.get(schedule_id, []))
        yield from _triggered(case, life)
        yield from _last_status(case, schedule_id, life)


def final_once_ended(case: Case) -> Iterator[Violation]:
    """After a cancellation or deletion was acknowledged no run of the schedule starts."""
    for schedule_id, life in case.lives.items():
        if life.ended_at is None:
            continue
        for run in case.runs_of.get(schedule_id, []):
            if any(claim.at > life.ended_at for claim in run.claims()):
                yield Violation(
                    "final", f"{life.key}: {run} started after the end was acknowledged"
                )


def counters(case: Case) -> Iterator[Violation]:
    """What is counted is what the rows say, those included that were pruned."""
    of_schedule: dict[str, Counter[str]] = defaultdict(Counter)
    total: Counter[str] = Counter()
    for run in case.runs.values():
        rows = of_schedule[run.first["schedule_id"]]
        rows["fired"] += run.automatic and run.fired
        over = next((e for e in run.updates if e.new and e.new["status"] in TERMINAL), None)
        if over is not None and over.old is not None and over.new is not None:
            status = "failed" if over.new["status"] == "dead" else over.new["status"]
            total[status] += 1
            rows[status] += 1
            rows["ended"] += over.old["status"] == "running"
    counted = {row["schedule_id"]: row for row in case.tables.get("schedule_stats", [])}
    for row in case.tables.get("schedule_cursors", []):
        stats, rows = counted.get(row["schedule_id"], {}), of_schedule[row["schedule_id"]]
        said = (row["fired_count"], stats.get("run_count", 0), stats.get("success_count", 0))
        true = (rows["fired"], rows["ended"], rows["succeeded"])
        if said != true:
            what = f"fired, ended, succeeded are counted as {said}, rows say {true}"
            yield Violation("counters", f"schedule {row['schedule_id']}: {what}")
    for status in ("succeeded", "failed", "cancelled"):
        said_of_days = sum(row[status] for row in case.tables.get("run_days", []))
        if said_of_days != total[status]:
            what = f"the days count {said_of_days} {status}, rows say {total[status]}"
            yield Violation("counters", what)


def exits(case: Case) -> Iterator[Violation]:
    """No process ends that nobody ended."""
    for gone in case.history.exits:
        if not gone.meant:
            yield Violation("exit", f"{gone.process} ended by itself with {gone.code}")


def _changes(case: Case) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(case.tables.get("changes", []), key=lambda each: each["version"]):
        found.setdefault(row["resource_id"], []).append(row)
    return found


def _changed_once(life: Life, changes: list[dict[str, Any]]) -> Iterator[Violation]:
    """Changes and operations are one row after the other, with gaps only where one may be."""
    left = [each for each in life.operations if each.kind not in OF_RUNS and possible(each)]
    for change in changes:
        while left and _action(left[0]) != change["action"] and not applied(left[0]):
            left.pop(0)
        if not left or _action(left[0]) != change["action"]:
            what = f"{life.key}: an extra change {change['action']} of version {change['version']}"
            yield Violation("changes", what)
            return
        left.pop(0)
    for operation in left:
        if applied(operation):
            yield Violation("lost write", f"{life.key}: {operation.kind} {operation.marker}")


def _action(operation: Operation) -> str:
    return _ACTIONS.get(operation.kind, operation.kind)


def _triggered(case: Case, life: Life) -> Iterator[Violation]:
    made = Counter(run.first["request_key"] for run in case.runs.values())
    for operation in life.operations:
        if operation.kind not in ("trigger", "retry"):
            continue
        count = made[operation.marker]
        if count > 1:
            yield Violation("doubled", f"{life.key}: {_told(operation)} made {count} runs")
        if count == 0 and operation.outcome == "ok":
            yield Violation("lost write", f"{life.key}: {_told(operation)} made no run")
        if count and operation.outcome == "fail":
            yield Violation("changes", f"{life.key}: a refused {operation.kind} made a run")


def repeated(case: Case) -> Iterator[Violation]:
    """A run made by a retry points at the run that was to be repeated, which had ended."""
    by_request = {run.first["request_key"]: run for run in case.runs.values()}
    for life in case.lives.values():
        for operation in life.operations:
            again = by_request.get(operation.marker)
            if operation.kind != "retry" or again is None:
                continue
            old = case.runs[operation.body["run"]]
            if again.first["replay_of"] != old.id:
                yield Violation("replay", f"{life.key}: {again} does not point at {old}")
            if old.ended_at > again.born.seen_at:
                yield Violation("replay", f"{life.key}: {again} repeats {old} before its end")


def stopped(case: Case) -> Iterator[Violation]:
    """What was acknowledged as cancelled never starts, and what runs was told to stop."""
    for life in case.lives.values():
        for operation in life.operations:
            if operation.kind != "stop" or operation.outcome != "ok":
                continue
            run, said = case.runs[operation.body["run"]], operation.answer.get("status")
            late = [each for each in run.claims() if each.at > (operation.answered_at or NEVER)]
            if said == "cancelled" and late:
                yield Violation("final", f"{life.key}: {run} started after it was cancelled")
            asked = [e for e in run.entries() if e.new and e.new["cancel_requested_at"]]
            if said == "running" and not asked:
                yield Violation("lost write", f"{life.key}: {run} was never asked to stop")


def _told(operation: Operation) -> str:
    return f"{operation.kind} {operation.marker}"


def _last_status(case: Case, schedule_id: str, life: Life) -> Iterator[Violation]:
    rows = [row for row in case.tables.get("schedules", []) if row["id"] == schedule_id]
    last = next((each for each in reversed(life.operations) if each.kind not in OF_RUNS), None)
    if not rows or last is None or not applied(last) or (last.answered_at or NEVER) == NEVER:
        return
    (row,) = rows
    legal = {
        "pause": {"paused", "completed", "failed"},
        "cancel": {"cancelled"},
        "resume": {"active", "completed", "failed"},
    }.get(last.kind)
    if legal is not None and row["status"] not in legal:
        yield Violation("lost write", f"{life.key} is {row['status']} after {last.kind}")
    if last.kind == "delete" and row["deleted_at"] is None:
        yield Violation("lost write", f"{life.key} is there after its deletion")
