"""What must hold in every seed, checked on every committed change and every start of work.

The judge of the fault tests looks at a story as clients and a database see it. Here is what only
the simulation can know: which process wrote what in which transaction, and under which lease each
piece of work began.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.faults.judge.checker import check
from tests.faults.judge.rules import epoch, instants
from tests.simulation.record import history_of
from tests.simulation.server import START, Row, Written
from tests.simulation.work import Execution
from tests.simulation.world import Story

_EPOCH = START.timestamp()
_SECOND = 1_000_000
_PROMPT_SECONDS = 1.0
_MANY_SLOTS = 8
_ROUNDING = 0.001


def violations(story: Story) -> list[str]:
    """Everything that is wrong with this story, in words."""
    found = list(story.failures)
    if found:
        return found
    for each in (_decided_once, _work_under_a_lease, _written_by_the_holder, _changes, _prompt):
        found += each(story)
    found += [
        f"{each.invariant}: {each.what}"
        for each in check(history_of(story))
        # With few slots work waits for a free one, which is no fault of the scheduler.
        if each.invariant != "late" or story.slots >= _MANY_SLOTS
    ]
    return found


@dataclass
class _Rule:
    """One rule of one schedule, from the edit that brought it to the one that ended it."""

    schedule: Row
    first: int | None
    decisions: list[Row] = field(default_factory=list)
    through: int | None = None
    ended: bool = False

    def expected(self) -> list[int]:
        """What this rule had to decide, in microseconds."""
        if self.first is None:
            return []
        rule = json.loads(self.schedule["trigger"])
        if rule["type"] == "one_shot":
            moments = [epoch(rule["at"])]
        else:
            first, end = self.first / _SECOND, self._end()
            moments = instants(rule, first - 1, end)
        return [moment * _SECOND for moment in moments if self._is_before_the_end(moment)]

    def _end(self) -> float:
        last = max((_through(row) for row in self.decisions), default=self.first or 0)
        return (last if self.through is None else self.through) / _SECOND

    def _is_before_the_end(self, moment: int) -> bool:
        return self.through is None or moment * _SECOND < self.through

    def covered(self) -> list[int]:
        """What the decisions say they cover, in microseconds."""
        moments: list[int] = []
        rule = json.loads(self.schedule["trigger"])
        for row in self.decisions:
            first, through = row["nominal_at"], _through(row)
            if row["through_at"] is None:
                moments.append(first)
                continue
            found = instants(rule, first / _SECOND - 1, through / _SECOND)
            moments += [moment * _SECOND for moment in found]
            if len(found) != row["count"]:
                moments.append(-row["count"])
        return sorted(moments)


def _through(row: Row) -> int:
    return int(row["through_at"] or row["nominal_at"])


def _decided_once(story: Story) -> Iterator[str]:
    """Between two edits the cursor passes each instant once, and leaves a decision for each."""
    for schedule_id, entries in _by_schedule(story).items():
        for rule in _rules(entries):
            expected, covered = rule.expected(), rule.covered()
            if expected != covered:
                key = rule.schedule["key"]
                yield (
                    f"schedule {key} ({schedule_id}): of {_readable(expected)} "
                    f"it decided {_readable(covered)}"
                )


def _by_schedule(story: Story) -> dict[str, list[Written]]:
    found: dict[str, list[Written]] = defaultdict(list)
    for entry in story.journal:
        row = entry.new or entry.old or {}
        if entry.table == "schedules":
            found[row["id"]].append(entry)
        elif entry.table == "schedule_cursors" or (
            entry.table == "runs" and entry.old is None and row["cause"] == "schedule"
        ):
            found[row["schedule_id"]].append(entry)
    return found


def _rules(entries: list[Written]) -> list[_Rule]:
    """The rules of one schedule in turn; what an edit still decides belongs to the one before."""
    edits = {entry.transaction for entry in entries if _is_edit(entry)}
    rules: list[_Rule] = []
    schedule: Row = {}
    for entry in entries:
        new = entry.new or {}
        if entry.table == "schedules":
            schedule = new
            continue
        if entry.table == "runs":
            rules[-1].decisions.append(new)
            continue
        after = new["next_run_at"]
        if entry.transaction in edits and _begins(entry, entries):
            if rules:
                rules[-1].through = (entry.old or {})["next_run_at"]
            rules.append(_Rule(schedule, after))
        elif rules:
            rules[-1].through = after
    return rules


def _is_edit(entry: Written) -> bool:
    """Whether this write of a schedule is more than the note that it has come to its end."""
    if entry.table != "schedules":
        return False
    old, new = entry.old, entry.new or {}
    return (
        old is None
        or any(old[name] != new[name] for name in ("trigger", "override", "deleted_at", "max_runs"))
        or (old["status"] != new["status"] and new["status"] == "cancelled")
    )


def _begins(entry: Written, entries: list[Written]) -> bool:
    """Whether it is the last time that this transaction moves the cursor."""
    same = [e for e in entries if e.table == entry.table and e.transaction == entry.transaction]
    return same[-1] is entry


def _readable(moments: list[int]) -> str:
    return str([moment // _SECOND - int(_EPOCH) for moment in moments])


def _work_under_a_lease(story: Story) -> Iterator[str]:
    """Work begins on time, once per lease, and under a lease that is or was its worker's own."""
    runs = _states(story, "runs")
    workers = _states(story, "workers")
    begun: set[tuple[str, int]] = set()
    for execution in story.executions:
        what = f"run {execution.run[-8:]} under token {execution.token} in {execution.process}"
        if (execution.run, execution.token) in begun:
            yield f"{what} began twice"
        begun.add((execution.run, execution.token))
        if _EPOCH + execution.at < max(execution.nominal_at, execution.run_at) - _ROUNDING:
            yield f"{what} began too early"
        row = _state_at(runs[execution.run], execution.at)
        held = (
            row is not None
            and row["status"] == "running"
            and (row["lease_token"] == execution.token and row["worker_id"] == execution.worker)
        )
        if not held and not _lease_is_over(workers[execution.worker], execution):
            yield f"{what} began without a lease: the run is {row and row['status']}"


def _states(story: Story, table: str) -> dict[str, list[Written]]:
    found: dict[str, list[Written]] = defaultdict(list)
    for entry in story.journal:
        if entry.table == table:
            found[(entry.new or entry.old or {})["id"]].append(entry)
    return found


def _state_at(entries: list[Written], at: float) -> Row | None:
    state: Row | None = None
    for entry in entries:
        if entry.at > at:
            break
        state = entry.new
    return state


def _lease_is_over(entries: list[Written], execution: Execution) -> bool:
    worker = _state_at(entries, execution.at)
    if worker is None or worker["status"] == "offline":
        return True
    return bool(worker["lease_until"] <= (_EPOCH + execution.at) * _SECOND)


def _written_by_the_holder(story: Story) -> Iterator[str]:
    """Success is written by the lease that did the work, and under that lease only."""
    for entry in story.journal:
        old, new = entry.old, entry.new
        if entry.table != "runs" or not old or not new or new["status"] != "succeeded":
            continue
        if old["status"] == new["status"] or new["result"] is None:
            continue
        result: dict[str, Any] = json.loads(new["result"])
        if (result["token"], result["attempt"]) != (new["lease_token"], new["attempt"]):
            yield (
                f"run {new['id'][-8:]} under token {new['lease_token']} was ended by {result} "
                f"from {entry.process}"
            )


def _changes(story: Story) -> Iterator[str]:
    """One change for each edit of a schedule, in its own transaction."""
    edits: dict[tuple[int, str], int] = defaultdict(int)
    for entry in story.journal:
        new = entry.new or {}
        if _is_edit(entry):
            edits[entry.transaction, new["id"]] += 1
        elif entry.table == "changes":
            edits[entry.transaction, new["resource_id"]] -= new["resource"] == "schedule"
    for (transaction, schedule_id), difference in edits.items():
        if difference > 0:
            yield f"transaction {transaction} edited {schedule_id} without a change"


def _prompt(story: Story) -> Iterator[str]:
    """While nothing goes wrong decisions about recurring rules are made at once."""
    if story.faults:
        return
    schedules = _states(story, "schedules")
    for entry in story.journal:
        new = entry.new
        if entry.table != "runs" or entry.old is not None or not new or new["count"] > 1:
            continue
        late = _EPOCH + entry.at - new["nominal_at"] / _SECOND
        if new["cause"] != "schedule" or late <= _PROMPT_SECONDS:
            continue
        schedule = _state_at(schedules[new["schedule_id"]], entry.at) or {}
        # A single time that has just passed still counts when its schedule is resumed.
        if json.loads(schedule["trigger"])["type"] != "one_shot":
            yield f"run {new['id'][-8:]} was decided {late:.2f} s late on a calm day"
