"""What commands print: tables that fit a terminal, whole lines in a pipe, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

_UNBOUNDED = 100_000


def console() -> Console:
    """A console that takes text literally, and never breaks or cuts lines in a pipe."""
    found = Console(markup=False, emoji=False, highlight=False)
    if not found.is_terminal:
        found.width = _UNBOUNDED
    return found


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(
    out: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], whole: Sequence[str]
) -> None:
    """One line a row; the columns in `whole` are never broken in the middle."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=column in whole, overflow="fold")
    for row in rows:
        table.add_row(*(printable(cell) for cell in row))
    _print(out, table)


def print_pairs(out: Console, pairs: Sequence[tuple[str, str]]) -> None:
    """A list of names and values."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, printable(value))
    _print(out, table)


def print_lines(lines: Sequence[str]) -> None:
    """Texts of others, whole; their own line ends stay."""
    for line in lines:
        typer.echo("\n".join(printable(part) for part in line.split("\n")))


def _print(out: Console, table: Table) -> None:
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def printable(text: str) -> str:
    """`text` without what could steer a terminal: others chose these names."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
