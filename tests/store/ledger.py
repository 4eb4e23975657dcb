"""A second set of books: what must hold of the tables after every step, recounted from outside.

It follows runs from row to row and knows of schedules only the rules they had and when, so that
it shares nothing with the code it checks but the tables of what may follow what.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.store.arena import Label, Lease, Row, Rows, Table
from tickwright.model.durations import duration_from_text
from tickwright.model.job import DEFAULT_POLICY, Policy, policy_from_json
from tickwright.model.json import JsonObject
from tickwright.model.run import RunStatus
from tickwright.model.schedule import ScheduleStatus
from tickwright.model.states import OPEN_RUNS, RUN_TRANSITIONS, SCHEDULE_TRANSITIONS
from tickwright.model.timestamps import from_rfc3339

_BIRTHS = {"queued", "running", "skipped", "missed"}
_NEVER = datetime.min.replace(tzinfo=UTC)
_TOLERANCE = timedelta(seconds=60)
_MILLISECOND = timedelta(milliseconds=1)
_FAILURES = ("failed", "dead")


def grid(trigger: JsonObject, after: datetime, through: datetime) -> list[datetime]:
    """The instants of a rule after the one moment and up to the other."""
    if trigger["type"] == "one_shot":
        at = from_rfc3339("at", trigger["at"])
        return [at] if after < at <= through else []
    every = duration_from_text("every", trigger["every"])
    moment = from_rfc3339("anchor", trigger["anchor"])
    found = []
    while moment <= through:
        if moment > after:
            found.append(moment)
        moment += every
    return found


@dataclass
class Duty:
    """A stretch of time in which a schedule had one rule; open while it has no end."""

    trigger: JsonObject
    since: datetime
    until: datetime | None = None


class Ledger:
    """The books of one story; `observe` is told of each step."""

    def __init__(self) -> None:
        self.held: set[Lease] = set()
        self._duties: dict[UUID, list[Duty]] = {}
        self._covered: dict[UUID, list[datetime]] = {}
        self._fired: Counter[UUID] = Counter()
        self._stats: Table = {}
        self._days: Table = {}

    def observe(
        self, before: Rows, after: Rows, now: datetime, *, edited: UUID | None, pruned: bool
    ) -> None:
        """Check what one step made of the tables, of which it may have edited one schedule."""
        born = self._follow_runs(before["runs"], after["runs"], pruned)
        self._cover(born, now)
        for (key,), row in after["schedules"].items():
            old = before["schedules"].get((key,))
            _check_status(old, row, key == edited)
            if key == edited and old is not None and old["status"] != row["status"]:
                self._stats.get((key,), {})["circuit_streak"] = 0
            self._follow_schedule(row, old, after["schedule_cursors"][key,], now, key == edited)
        self._check_coverage(after["schedule_cursors"])
        assert self._stats == after["schedule_stats"], _differ(self._stats, after["schedule_stats"])
        assert self._days == after["run_days"], _differ(self._days, after["run_days"])
        running = {(k, r["lease_token"]) for (k,), r in after["runs"].items() if _runs(r)}
        assert running == self.held, f"running {running}, leased {self.held}"
        check_overlap(before, after)
        check_limits(before, after)

    def _follow_runs(self, before: Table, after: Table, pruned: bool) -> list[Row]:
        gone = [before[key] for key in before.keys() - after.keys()]
        assert pruned or not gone, f"runs are gone: {_names(gone)}"
        assert not [row for row in gone if row["status"] in OPEN_RUNS], "an open run was pruned"
        born, ended = [], []
        for key, row in after.items():
            old = before.get(key)
            if old is None:
                assert row["status"] in _BIRTHS, f"{key} was born {row['status']}"
                born.append(row)
            elif old["status"] not in OPEN_RUNS:
                assert row == old, f"{key} had ended as {old} and is now {row}"
            elif row["status"] != old["status"]:
                may = RUN_TRANSITIONS[RunStatus(old["status"])]
                assert row["status"] in may, f"{key} went from {old['status']} to {row['status']}"
                if row["status"] not in OPEN_RUNS:
                    ended.append((row, old["status"] == "running"))
        for row, was_running in sorted(ended, key=lambda each: each[0]["finished_at"]):
            self._count(row, was_running)
        return born

    def _count(self, row: Row, was_running: bool) -> None:
        """Whatever ends counts for its day, and what was under way for its schedule."""
        schedule_id, status, at = row["schedule_id"], row["status"], row["finished_at"]
        if schedule_id is None:
            return
        took = 0
        if row["started_at"] is not None:
            took = max(0, round((at - row["started_at"]) / _MILLISECOND))
        _add(self._days, {"schedule_id": schedule_id, "day": at.date()}, {
            "succeeded": status == "succeeded", "failed": status in _FAILURES,
            "cancelled": status == "cancelled", "duration_ms": took,
            "items_processed": row["items_processed"], "items_succeeded": row["items_succeeded"],
            "items_failed": row["items_failed"],
        })  # fmt: skip
        if not was_running:
            return
        total = _add(self._stats, {"schedule_id": schedule_id}, {
            "run_count": 1, "success_count": status == "succeeded",
            "failure_count": status in _FAILURES, "failure_streak": status in _FAILURES,
            "circuit_streak": status in _FAILURES and row["cause"] == "schedule",
        })  # fmt: skip
        if status == "succeeded":
            total |= {"failure_streak": 0, "circuit_streak": 0, "last_success_at": at}
        total.setdefault("last_success_at", None)
        total.setdefault("tripped_at", None)
        began = row["started_at"] or at
        if began >= total.get("last_run_at", began):
            total |= {"last_run_at": began, "last_status": status, "last_duration_ms": took}

    def _cover(self, born: list[Row], now: datetime) -> None:
        for row in born:
            if row["cause"] != "schedule":
                continue
            key, first = row["schedule_id"], row["nominal_at"]
            last = row["through_at"] or first
            rule = self._duties[key][-1].trigger
            moments = grid(rule, first - timedelta(microseconds=1), last)
            assert len(moments) == row["count"], f"{row} stands for {moments}"
            assert last <= now, f"{row} was decided before its time, at {now}"
            self._covered.setdefault(key, []).extend(moments)
            self._fired[key] += row["target"] is not None

    def _follow_schedule(
        self, row: Row, old: Row | None, cursor: Row, now: datetime, edited: bool
    ) -> None:
        """A rule ends with an edit, or with the last run it may have."""
        duties = self._duties.setdefault(row["id"], [])
        covered = max(self._covered.get(row["id"], [_NEVER]))
        fired, upcoming = self._fired[row["id"]], cursor["next_run_at"]
        assert cursor["fired_count"] == fired, f"{row['key']} has fired {fired}: {cursor}"
        current = duties[-1] if duties and duties[-1].until is None else None
        if current is not None and (edited or upcoming is None):
            assert old is not None
            exhausted = old["max_runs"] is not None and fired >= old["max_runs"]
            once = current.trigger["type"] == "one_shot"
            assert edited or exhausted or once, f"{row['key']} fell asleep: {cursor}"
            current.until = covered if exhausted else now
            current = None
        if current is None and upcoming is not None:
            assert edited, f"{row['key']} came to life by itself: {cursor}"
            # What is due once still counts when it has just passed, unless it was decided.
            since = now - _TOLERANCE if row["trigger"]["type"] == "one_shot" else now
            duties.append(Duty(row["trigger"], max(since, covered)))

    def _check_coverage(self, cursors: Table) -> None:
        """Every instant under a rule, up to the cursor, has exactly one decision."""
        for key, duties in self._duties.items():
            upcoming = cursors[key,]["next_run_at"]
            owed: list[datetime] = []
            for duty in duties:
                through = duty.until or upcoming - timedelta(microseconds=1)
                owed += grid(duty.trigger, duty.since, through)
            if upcoming is not None:
                after = owed[-1] if owed and owed[-1] > duties[-1].since else duties[-1].since
                assert grid(duties[-1].trigger, after, upcoming) == [upcoming], "off its rule"
            covered = sorted(self._covered.get(key, []))
            assert covered == owed, f"{key}: decided {covered}, owed {owed}"


def _add(table: Table, key: Row, values: dict[str, int]) -> Row:
    row = table.setdefault(tuple(key.values()), {**key, **dict.fromkeys(values, 0)})
    for name, value in values.items():
        row[name] += value
    return row


def _differ(expected: Table, found: Table) -> str:
    keys = [k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k)]
    return "\n".join(f"{k}: recounted {expected.get(k)}, written {found.get(k)}" for k in keys)


def _runs(row: Row) -> bool:
    return bool(row["status"] == "running")


def _check_status(old: Row | None, row: Row, edited: bool) -> None:
    """One arrow of the diagram; two in an edit that revives what an override keeps paused."""
    if old is None or old["status"] == row["status"]:
        return
    before, after = ScheduleStatus(old["status"]), ScheduleStatus(row["status"])
    revived = edited and ScheduleStatus.ACTIVE in SCHEDULE_TRANSITIONS[before]
    paused = revived and after is ScheduleStatus.PAUSED
    assert paused or after in SCHEDULE_TRANSITIONS[before], f"{row['key']}: {before} to {after}"


def _let_in(before: Rows, after: Rows) -> list[Row]:
    """Open runs that are new in this step, or wait in line no more."""
    found = []
    for key, row in after["runs"].items():
        old = before["runs"].get(key)
        if row["status"] in OPEN_RUNS and (old is None or old["gate"] != row["gate"]):
            found.append(row)
    return found


def check_overlap(before: Rows, after: Rows) -> None:
    """Whoever was let in found the room that the schedule's policy left before the step."""
    for run in _let_in(before, after):
        schedule = before["schedules"].get((run["schedule_id"],))
        if schedule is None or schedule["deleted_at"] or run["gate"] == "time":
            continue
        mine = [r for r in after["runs"].values() if r["schedule_id"] == run["schedule_id"]]
        opened = [row for row in mine if row["status"] in OPEN_RUNS]
        waiting = sum(row["gate"] == "overlap" for row in opened)
        new = (run["id"],) not in before["runs"]
        match schedule["overlap"]:
            case "skip" if new:
                assert len(opened) == 1, f"{run['id']} overlaps: {_names(opened)}"
            case "queue" | "cancel_running" if run["gate"] is None and _was_closed(before, run):
                assert len(opened) - waiting == 1, f"{run['id']} did not wait: {_names(opened)}"
            case "queue" | "cancel_running" if run["gate"] == "overlap":
                assert waiting <= schedule["overlap_limit"], (
                    f"the line is too long: {_names(opened)}"
                )


def _was_closed(before: Rows, run: Row) -> bool:
    """Whether it was not among the active ones before: a retry that is due was."""
    old = before["runs"].get((run["id"],))
    return old is None or old["gate"] == "overlap"


def policy_of(rows: Rows, run: Row) -> Policy:
    named = (run["scope_key"], run["job_key"])
    for job in rows["jobs"].values():
        if (job["scope_key"], job["key"]) == named:
            return policy_from_json(job["policy"])
    return DEFAULT_POLICY


def check_limits(before: Rows, after: Rows) -> None:
    """Where a run was leased in this step, no limit of its job is exceeded."""
    running = [row for row in after["runs"].values() if _runs(row)]
    for run in running:
        old = before["runs"].get((run["id"],))
        if old is not None and old["lease_token"] == run["lease_token"]:
            continue
        policy = policy_of(after, run)
        tenant = [row for row in running if row["scope_key"] == run["scope_key"]]
        job = [row for row in tenant if row["job_key"] == run["job_key"]]
        key = [row for row in job if _value(policy, row) == _value(policy, run)]
        for name, limit, beside in (
            ("concurrency", policy.concurrency, job),
            ("key_concurrency", policy.key_concurrency, key),
            ("tenant_concurrency", policy.tenant_concurrency, tenant),
        ):
            assert limit is None or len(beside) <= limit, f"{name} {limit}: {_names(beside)}"


def _value(policy: Policy, run: Row) -> Any:
    value: Any = run["payload"]
    for name in (policy.concurrency_key or "").split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _names(rows: list[Row]) -> list[tuple[Label, str, str | None]]:
    return [(row["id"], row["status"], row["gate"]) for row in rows]
