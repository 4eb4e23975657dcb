"""The lines of the table of budgets, in its order; each module is imported when it is needed."""

from __future__ import annotations

from importlib import import_module

from bench.lines.base import Line

NAMES = (
    "herd",
    "backlog",
    "precision",
    "scale",
    "history",
    "fairness",
    "idle",
    "deliveries",
    "start",
    "nextfire",
)


def load(name: str) -> Line:
    line: Line = import_module(f"bench.lines.{name}").LINE
    return line
