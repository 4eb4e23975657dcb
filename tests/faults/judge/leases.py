"""One live lease per run, no write by a stale holder, and no work that nobody takes back."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.judge.case import RECOVERY, TERMINAL, Case, Run, Violation
from tests.faults.judge.history import Entry, Row
from tests.faults.judge.model import NEVER

_LEGAL = {
    "queued": {"queued", "running", "cancelled", "skipped", "missed"},
    "running": {"running", "queued", "succeeded", "failed", "dead", "cancelled"},
}
_SCHEDULES = {
    "active": {"active", "paused", "completed", "failed", "cancelled"},
    "paused": {"paused", "active", "completed", "failed", "cancelled"},
    # What ended while it was paused is paused again when an edit brings it back to life.
    "completed": {"completed", "active", "paused", "cancelled"},
    "failed": {"failed", "active", "paused", "cancelled"},
    "cancelled": {"cancelled"},
}
_STAMP = 0.5
"""Seconds by which a process's stamps may be off the database's clock."""

_PICK_UP = 3.0


def legal_transitions(case: Case) -> Iterator[Violation]:
    """Only listed transitions; what is terminal stays as it is until it is pruned."""
    for run in case.runs.values():
        for entry in run.updates:
            yield from _run_step(run, entry)
        if run.deleted and run.deleted.old and run.deleted.old["status"] not in TERMINAL:
            yield Violation("transition", f"{run} was deleted while it was open")
    for entry in case.history.journal:
        if entry.table == "schedules" and entry.old and entry.new:
            old, new = entry.old["status"], entry.new["status"]
            if new not in _SCHEDULES[old]:
                yield Violation("transition", f"schedule {entry.new['key']}: {old} → {new}")


def one_lease_at_a_time(case: Case) -> Iterator[Violation]:
    """The token rises with every claim, and only its holder says how an attempt ended."""
    for run in case.runs.values():
        token = 0
        for entry in run.claims():
            held = int((entry.new or {})["lease_token"])
            if held <= token:
                yield Violation("lease", f"{run} was claimed again under token {held}")
            token = held
        for entry in run.updates:
            yield from _ending(run, entry)


def deliveries(case: Case) -> Iterator[Violation]:
    """Every success has its delivery; nothing is delivered more often than it was claimed."""
    judged = bool(case.history.deliveries)
    for run in case.runs.values():
        sent = case.deliveries_of.get(run.id, [])
        if len(sent) > len(run.claims()):
            what = f"{run} was delivered {len(sent)} times on {len(run.claims())} claims"
            yield Violation("extra delivery", what)
        if len({delivery.key for delivery in sent}) > 1:
            yield Violation("extra delivery", f"{run} was delivered under different keys")
        success = _success(run)
        if judged and success is not None and not _answered(case, run, success):
            yield Violation("success", f"{run} succeeded without an answered delivery")
    keys: dict[str, str] = {}
    for delivery in case.history.deliveries:
        if keys.setdefault(delivery.key, delivery.run) != delivery.run:
            yield Violation("doubled", f"{delivery.key} was delivered by two runs")


def picked_up(case: Case) -> Iterator[Violation]:
    """What a dead worker held is taken back in time, and nothing is taken from a live one."""
    deaths = {gone.pid: gone.at for gone in case.history.exits}
    for run in case.runs.values():
        holder: Row | None = None
        for entry in run.entries():
            if holder is not None and entry.new is not None:
                yield from _taken_back(case, run, holder, entry, deaths)
            running = entry.new is not None and entry.new["status"] == "running"
            holder = entry.new if running else None


def quiet(case: Case) -> Iterator[Violation]:
    """In the end nothing is left open."""
    for row in case.tables.get("runs", []):
        if row["status"] not in TERMINAL:
            yield Violation("stuck", f"{case.runs[row['id']]} is still open")


def _run_step(run: Run, entry: Entry) -> Iterator[Violation]:
    old, new = entry.old, entry.new
    if old is None or new is None:
        return
    if old["status"] in TERMINAL:
        changed = [name for name in old if old[name] != new[name]]
        if changed:
            what = f"{run} was {old['status']} and still changed: {', '.join(changed)}"
            yield Violation("transition", what)
    elif new["status"] not in _LEGAL[old["status"]]:
        yield Violation("transition", f"{run}: {old['status']} → {new['status']}")
    if new["attempt"] < old["attempt"] or new["lost_count"] < old["lost_count"]:
        yield Violation("transition", f"{run} counts its attempts backwards")


def _ending(run: Run, entry: Entry) -> Iterator[Violation]:
    old, new = entry.old, entry.new
    if old is None or new is None or old["status"] != "running" or new["status"] == "running":
        return
    if new["lease_token"] != old["lease_token"]:
        yield Violation("lease", f"{run} was ended under another token than it was held")
    claims = [each.at for each in run.claims() if each.seq < entry.seq]
    if new["started_at"] is not None and claims and new["started_at"] < claims[-1] - _STAMP:
        yield Violation("stale write", f"{run} was ended by a holder from before its last claim")


def _success(run: Run) -> Entry | None:
    return next(
        (each for each in run.entries() if each.new and each.new["status"] == "succeeded"), None
    )


def _answered(case: Case, run: Run, success: Entry) -> bool:
    """Whether the very attempt that succeeded had reached the sink by then, and went well."""
    attempt = (success.new or {})["attempt"]
    return any(
        delivery.status is not None
        and 200 <= delivery.status < 300
        and delivery.attempt == attempt
        and delivery.at <= success.at
        for delivery in case.deliveries_of.get(run.id, [])
    )


def _taken_back(
    case: Case, run: Run, holder: Row, entry: Entry, deaths: dict[int, float]
) -> Iterator[Violation]:
    lease, sweep = case.setting.lease, case.setting.sweep
    pid = case.pid_of.get(holder["worker_id"], 0)
    died = deaths.get(pid, NEVER)
    new = entry.new or {}
    lost = died > entry.at and new["lost_count"] > holder["lost_count"]
    if lost and not case.troubled(entry.at - lease - sweep - RECOVERY, entry.at):
        yield Violation("lost lease", f"{run} was taken from a worker that lived")
    if entry.at > died:
        patience = lease + sweep + _PICK_UP
        others = [(began, ended) for began, ended in case.troubles if began != ended]
        held_up = any(b <= entry.at and died <= e + lease + RECOVERY for b, e in others)
        if entry.at - died > patience and not held_up:
            what = f"{run} was taken back {entry.at - died:.1f} s after its worker died"
            yield Violation("pick-up", what)
