"""`tickwright calendar`: which days are open; its members."""

from __future__ import annotations

from tickwright.cli.command import add_members, new_group

MEMBERS = {
    "list": "tickwright.cli.calendar.list:list_calendars",
    "show": "tickwright.cli.calendar.show:show",
    "create": "tickwright.cli.calendar.create:create",
    "update": "tickwright.cli.calendar.update:update",
    "delete": "tickwright.cli.calendar.delete:delete",
    "days": "tickwright.cli.calendar.days:days",
    "import": "tickwright.cli.calendar.import_:import_",
}

group = new_group("Define which days are working days.")
add_members(group, MEMBERS)
