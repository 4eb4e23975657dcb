"""`tickwright schedule`: creating and changing single schedules; its members."""

from __future__ import annotations

from tickwright.cli.command import add_members, new_group

MEMBERS = {
    "create": "tickwright.cli.schedule.create:create",
    "show": "tickwright.cli.schedule.show:show",
    "update": "tickwright.cli.schedule.update:update",
    "pause": "tickwright.cli.schedule.pause:pause",
    "resume": "tickwright.cli.schedule.resume:resume",
    "cancel": "tickwright.cli.schedule.cancel:cancel",
    "delete": "tickwright.cli.schedule.delete:delete",
}

group = new_group("Create and change schedules.")
add_members(group, MEMBERS)
