"""One page of a longer list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`total` counts everything the query matches, not just this page.

    Where that would take too long it counts up to a bound, and `exact` is False: there are so
    many at least. `next_cursor` leads to what follows, where a list can be followed that way.
    """

    items: list[T]
    total: int
    limit: int
    offset: int
    exact: bool = True
    next_cursor: str | None = None

    @property
    def has_more(self) -> bool:
        return self.next_cursor is not None or self.offset + len(self.items) < self.total
