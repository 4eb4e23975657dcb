"""What was measured, and what follows from it: medians, ranges, ratios round by round, verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.contenders import BY_NAME, MEMBERS, Member, Role
from bench.lines.base import Against, Budget, Figure, Line, Sample, Variant


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several rounds, and their range."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        return cls(median(values), min(values), max(values)) if values else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a budget is kept."""

    budget: Budget
    value: float
    kept: bool


@dataclass(slots=True)
class Measured:
    """One variant of one line on one store: a sample, or none, per contender and round."""

    line: Line
    dialect: str
    variant: Variant
    first: Measured | None = None
    samples: dict[str, list[Sample | None]] = field(default_factory=dict)

    @property
    def index(self) -> int:
        return 0 if self.first is None else 1

    def values(self, name: str, figure: Figure) -> list[float | None]:
        samples = self.samples.get(name, [])
        return [None if sample is None else sample.get(figure.key) for sample in samples]

    def spread(self, name: str, figure: Figure) -> Spread | None:
        return Spread.of([value for value in self.values(name, figure) if value is not None])

    def ratio(self, figure: Figure, other: list[float | None]) -> Spread | None:
        """Ours to another's, round by round, so that a busy moment weighs on both."""
        ours = self.values(self.ours.name, figure)
        pairs = [(a, b) for a, b in zip(ours, other, strict=False) if a is not None and b]
        return Spread.of([a / b for a, b in pairs])

    @property
    def ours(self) -> Member:
        return BY_NAME["tickwright"]

    @property
    def floor(self) -> Member:
        return next(m for m in MEMBERS if m.role is Role.FLOOR and self.dialect in m.dialects)

    def best_peer(self, figure: Figure) -> Member | None:
        """The peer with the best median, if any was measured."""
        found = [
            (spread.median, member)
            for member in MEMBERS
            if member.role is Role.PEER and (spread := self.spread(member.name, figure))
        ]
        if not found:
            return None
        pick = max if figure.higher_is_better else min
        return pick(found, key=lambda one: one[0])[1]

    def verdicts(self, figure: Figure) -> Iterator[Verdict]:
        for budget in figure.budgets:
            applies = self.dialect in budget.dialects and budget.variant in (None, self.index)
            found = self._judged(figure, budget) if applies else None
            if found is not None:
                least = figure.higher_is_better and budget.against is Against.NOTHING
                value = found.median
                yield Verdict(
                    budget, value, value >= budget.limit if least else value <= budget.limit
                )

    def _judged(self, figure: Figure, budget: Budget) -> Spread | None:
        if budget.against is Against.NOTHING:
            return self.spread(self.ours.name, figure)
        if budget.against is Against.FLOOR:
            return self.ratio(figure, self.values(self.floor.name, figure))
        if self.first is None:
            return None
        return self.ratio(figure, self.first.values(self.ours.name, figure))

    def as_json(self) -> dict[str, Any]:
        return {
            "line": self.line.name,
            "store": self.dialect,
            "variant": self.variant.label,
            "samples": self.samples,
            "figures": {figure.key: self._figure(figure) for figure in self.line.figures},
        }

    def _figure(self, figure: Figure) -> dict[str, Any]:
        spreads = {name: self.spread(name, figure) for name in self.samples}
        return {
            "title": figure.title,
            "unit": figure.unit,
            "spread": {
                name: [found.median, found.low, found.high]
                for name, found in spreads.items()
                if found is not None
            },
            "budgets": [
                {
                    "limit": verdict.budget.limit,
                    "against": verdict.budget.against.value,
                    "value": verdict.value,
                    "kept": verdict.kept,
                }
                for verdict in self.verdicts(figure)
            ],
        }
