"""`tickwright runs`: what became of occurrences and starts; its members."""

from __future__ import annotations

from tickwright.cli.command import add_members, new_group

MEMBERS = {
    "list": "tickwright.cli.runs.list:list_runs",
    "show": "tickwright.cli.runs.show:show",
    "logs": "tickwright.cli.runs.logs:logs",
    "retry": "tickwright.cli.runs.retry:retry",
    "cancel": "tickwright.cli.runs.cancel:cancel",
}

group = new_group("See runs and what they tell, repeat and cancel them.")
add_members(group, MEMBERS)
