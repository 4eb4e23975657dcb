"""Jobs: the policy that all runs of one kind of work follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tickwright.model.change import Change
from tickwright.model.errors import Conflict, InvalidInput, NotFound, VersionConflict
from tickwright.model.job import DEFAULT_POLICY, Job, Policy, policy_from_json
from tickwright.model.json import JsonObject
from tickwright.model.page import Page
from tickwright.model.scope import Scope
from tickwright.service.core import Core
from tickwright.service.edits import Who
from tickwright.service.options import check_key, check_note, check_ref
from tickwright.store.base import JobEdit
from tickwright.store.database import new_id

Decision = Callable[[Job | None], Policy | None]


class Jobs(Core):
    """The jobs of the scheduler. A job key that nobody defined has the default policy."""

    async def create_job(
        self, scope: Scope, key: str, policy: Policy = DEFAULT_POLICY, *, actor: str | None = None
    ) -> Job:
        """Define the job `key`; Conflict when it is defined already."""

        def created(current: Job | None) -> Policy:
            if current is not None:
                raise Conflict(f"there is a job {key} already")
            return policy

        return await self._edit_job(scope, check_key("key", key), "create", created, actor)

    async def define_job(
        self, scope: Scope, key: str, policy: Policy, *, actor: str | None = None
    ) -> Job:
        """Set the policy of the job `key`, defined before or not; queued runs follow it too."""
        name = check_key("key", key)
        return await self._edit_job(scope, name, "define", lambda _: policy, actor)

    async def update_job(
        self,
        scope: Scope,
        key: str,
        changes: JsonObject,
        *,
        version: int | None = None,
        actor: str | None = None,
    ) -> Job:
        """Change parts of a policy, named as the API names them, such as `{"maxAttempts": 5}`.

        NotFound when nobody defined the job; VersionConflict when it is no longer at `version`.
        """
        if not changes:
            raise InvalidInput("body", "names nothing to change")

        def updated(current: Job | None) -> Policy:
            return policy_from_json(changes, _existing(current, key, version).policy)

        return await self._edit_job(scope, str(check_ref(key)), "update", updated, actor)

    async def delete_job(
        self, scope: Scope, key: str, *, version: int | None = None, actor: str | None = None
    ) -> Job:
        """Forget the policy of the job `key`: its runs, queued ones too, follow the default."""

        def deleted(current: Job | None) -> None:
            _existing(current, key, version)

        return await self._edit_job(scope, str(check_ref(key)), "delete", deleted, actor)

    async def get_job(self, scope: Scope, key: str) -> Job:
        """The job of that key; NotFound when nobody defined it in this scope."""
        return _existing(await self._store.jobs.get(scope, str(check_ref(key))), key, None)

    async def policy_of(self, scope: Scope, key: str) -> Policy:
        """The policy that runs of the job `key` follow, defined or not."""
        job = await self._store.jobs.get(scope, str(check_ref(key)))
        return DEFAULT_POLICY if job is None else job.policy

    async def find_jobs(
        self, scope: Scope, *, limit: int = 20, offset: int = 0, search: str | None = None
    ) -> Page[Job]:
        """The defined jobs in the order of their keys; `search` looks in those."""
        return await self._store.jobs.find(scope, limit, offset, search)

    async def _edit_job(
        self, scope: Scope, key: str, action: str, decide: Decision, actor: str | None
    ) -> Job:
        who = Who(await self._time.now(), check_note("actor", actor))

        def decided(current: Job | None) -> JobEdit | None:
            policy = decide(current)
            if current is not None and policy == current.policy:
                return None
            job = current or Job(new_id(), scope, key, DEFAULT_POLICY, version=0)
            after = replace(job, version=job.version + 1, policy=policy or job.policy)
            return JobEdit(after, _change(current, after, action, who), deletes=policy is None)

        written = await self._store.jobs.write(scope, key, decided)
        if written is None:
            raise NotFound(f"there is no job {key}")
        return written


def _existing(current: Job | None, key: str, version: int | None) -> Job:
    if current is None:
        raise NotFound(f"there is no job {key}")
    if version is not None and current.version != version:
        raise VersionConflict(f"the job is at version {current.version}, not {version}")
    return current


def _change(before: Job | None, after: Job, action: str, who: Who) -> Change:
    return Change(
        scope=after.scope,
        at=who.now,
        action=action,
        resource="job",
        resource_id=after.id,
        resource_key=after.key,
        actor=who.actor,
        before=None if before is None else before.configuration(),
        after=None if action == "delete" else after.configuration(),
        version=after.version,
    )
