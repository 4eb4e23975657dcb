"""Cancelling and retrying many runs at once, each as if it were the only one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from tickwright.model.errors import InvalidInput
from tickwright.model.run import Cause, RunStatus
from tickwright.model.scope import Scope
from tickwright.model.states import OPEN_RUNS
from tickwright.service.core import Core
from tickwright.service.options import check_note, check_request_key
from tickwright.store.base import NewRun
from tickwright.store.queries import RunQuery

MOST_AT_ONCE = 10_000
MOST_REFUSALS = 100
MAX_REQUEST = 200
_BATCH = 200
_FAILED = frozenset({RunStatus.FAILED, RunStatus.DEAD})
_ENDED = frozenset(RunStatus) - OPEN_RUNS


@dataclass(frozen=True, slots=True)
class Refusal:
    """A run that was left as it is, and why."""

    run_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Bulk:
    """What became of the runs that a query matched; `refused` holds the first hundred."""

    matched: int
    done: int = 0
    refused: list[Refusal] = field(default_factory=list)


class BulkRuns(Core):
    """What is done to all runs that a query matches, the oldest first.

    The query needs a filter; its order and paging do not count. A dry run only counts.
    """

    async def cancel_runs(
        self, scope: Scope, query: RunQuery, *, limit: int = MOST_AT_ONCE, dry_run: bool = False
    ) -> Bulk:
        """Cancel up to `limit` queued and running runs as `cancel_run` does."""
        wanted = _narrowed(query, OPEN_RUNS, OPEN_RUNS, "can be cancelled: it is queued or running")
        found = await self._store.runs.matching(scope, wanted, _checked(limit))
        if dry_run:
            return Bulk(len(found))
        refused: dict[UUID, str] = {}
        for some in _batches(found):
            now = await self._time.now()
            refused |= await self._store.runs.cancel_all(scope, some, now=now)
            self._runtime.wake("cancel")
        return _told(found, refused)

    async def retry_runs(
        self,
        scope: Scope,
        query: RunQuery,
        *,
        limit: int = MOST_AT_ONCE,
        dry_run: bool = False,
        triggered_by: str | None = None,
        request_key: str | None = None,
    ) -> Bulk:
        """Do again what up to `limit` ended runs did, as `retry_run` does.

        Without `statuses` those that failed or are dead. With the same `request_key` again no
        run is repeated twice.
        """
        wanted = _narrowed(query, _FAILED, _ENDED, "can be repeated: it has ended")
        if len(check_request_key(request_key) or "") > MAX_REQUEST:
            raise InvalidInput("requestId", f"must be a text of at most {MAX_REQUEST} characters")
        new = NewRun(Cause.REPLAY, check_note("triggeredBy", triggered_by), request_key)
        found = await self._store.runs.matching(scope, wanted, _checked(limit))
        if dry_run:
            return Bulk(len(found))
        refused: dict[UUID, str] = {}
        for some in _batches(found):
            now = await self._time.now()
            refused |= await self._store.runs.replay_all(scope, some, new, now=now)
            self._runtime.wake("ready")
        return _told(found, refused)


def _narrowed(
    query: RunQuery, usual: Collection[RunStatus], possible: Collection[RunStatus], reason: str
) -> RunQuery:
    """The query with a status; InvalidInput when it means everything, or what cannot be."""
    given = replace(query, statuses=tuple(query.statuses), order=None, cursor=None)
    if replace(given, limit=0, offset=0) == RunQuery(limit=0):
        raise InvalidInput("body", "needs a filter that says which runs are meant")
    for status in query.statuses:
        if status not in possible:
            raise InvalidInput("status", f"no {status} run {reason}")
    return query if len(query.statuses) else replace(query, statuses=usual)


def _checked(limit: Any) -> int:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_AT_ONCE:
        raise InvalidInput("limit", f"must lie between 1 and {MOST_AT_ONCE:,}")
    return limit


def _batches(found: list[UUID]) -> list[list[UUID]]:
    return [found[n : n + _BATCH] for n in range(0, len(found), _BATCH)]


def _told(found: list[UUID], refused: dict[UUID, str]) -> Bulk:
    first = [Refusal(run_id, reason) for run_id, reason in refused.items()][:MOST_REFUSALS]
    return Bulk(len(found), len(found) - len(refused), first)
