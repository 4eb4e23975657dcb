"""The one table that is printed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from bench.lines.base import Against, Figure
from bench.place import POSTGRES
from bench.results import Measured, Spread, Verdict

_STORES = {POSTGRES: "PostgreSQL"}
_MARKS = {True: "[green]kept[/]", False: "[red]missed[/]"}


def table_of(measured: Sequence[Measured]) -> Table:
    table = Table(title="Median of the rounds (lowest to highest)")
    for heading in ("line", "store", "figure", "Tickwright", "floor", "to floor", "best peer"):
        table.add_column(heading)
    table.add_column("to peer")
    table.add_column("budget")
    for one in measured:
        for number, figure in enumerate(one.line.figures):
            head = f"{one.line.title}: {one.variant.label}" if not number else ""
            table.add_row(head, *_row(one, figure), end_section=figure is one.line.figures[-1])
    return table


def missed(measured: Sequence[Measured]) -> list[str]:
    """Each budget that is not kept, in words."""
    return [
        f"{one.line.title}, {one.variant.label}, {_STORES.get(one.dialect, 'SQLite')}: "
        f"{figure.title}: {_limit(figure, verdict)}, and it is {_number(figure, verdict)}"
        for one in measured
        for figure in one.line.figures
        for verdict in one.verdicts(figure)
        if not verdict.kept
    ]


def _row(one: Measured, figure: Figure) -> list[str]:
    floor = one.floor.name
    peer = one.best_peer(figure)
    return [
        _STORES.get(one.dialect, "SQLite"),
        figure.title,
        _spread(one.spread(one.ours.name, figure), figure),
        _spread(one.spread(floor, figure), figure),
        _ratio(one.ratio(figure, one.values(floor, figure))),
        f"{peer.title} {_spread(one.spread(peer.name, figure), figure)}" if peer else "-",
        _ratio(one.ratio(figure, one.values(peer.name, figure))) if peer else "-",
        "\n".join(_verdict(figure, verdict) for verdict in one.verdicts(figure)),
    ]


def _spread(found: Spread | None, figure: Figure) -> str:
    if found is None:
        return "-"
    middle, low, high = (
        f"{value:,.{figure.digits}f}" for value in (found.median, found.low, found.high)
    )
    unit = f" {figure.unit}" if figure.unit else ""
    return f"{middle}{unit}" if low == high else f"{middle}{unit} ({low} to {high})"


def _ratio(found: Spread | None) -> str:
    return f"{found.median:.2f}" if found else "-"


def _limit(figure: Figure, verdict: Verdict) -> str:
    budget = verdict.budget
    if budget.against is Against.FLOOR:
        return f"at most {budget.limit:g} of the floor"
    if budget.against is Against.FIRST:
        return f"at most {budget.limit:g} of the few"
    word = "at least" if figure.higher_is_better else "at most"
    return f"{word} {budget.limit:,g} {figure.unit}".replace(" /s", "/s")


def _number(figure: Figure, verdict: Verdict) -> str:
    if verdict.budget.against is Against.NOTHING:
        return f"{verdict.value:,.{figure.digits}f} {figure.unit}".replace(" /s", "/s").strip()
    return f"{verdict.value:.2f}"


def _verdict(figure: Figure, verdict: Verdict) -> str:
    extra = "" if verdict.budget.against is Against.NOTHING else f" ({verdict.value:.2f})"
    return f"{_limit(figure, verdict)}{extra} {_MARKS[verdict.kept]}"
