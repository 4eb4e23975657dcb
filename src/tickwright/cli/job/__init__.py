"""`tickwright job`: the policies of kinds of work; its members."""

from __future__ import annotations

from tickwright.cli.command import add_members, new_group

MEMBERS = {
    "list": "tickwright.cli.job.list:list_jobs",
    "show": "tickwright.cli.job.show:show",
    "create": "tickwright.cli.job.create:create",
    "update": "tickwright.cli.job.update:update",
    "delete": "tickwright.cli.job.delete:delete",
}

group = new_group("Define how the runs of a job are queued and retried.")
add_members(group, MEMBERS)
