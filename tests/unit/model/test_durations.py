"""Durations as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwright.model.durations import duration_from_text, duration_text
from tickwright.model.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("15m", 900), ("1h30m", 5400), ("1d", 86_400), ("1w", 604_800), ("0.25s", 0.25)],
)
def test_a_text_names_a_duration(text: str, seconds: float) -> None:
    assert duration_from_text("timeout", text) == timedelta(seconds=seconds)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=36_500)))
def test_what_is_written_is_read_back(value: timedelta) -> None:
    assert duration_from_text("timeout", duration_text(value)) == value


@pytest.mark.parametrize(
    "text", ["", "15", "m", "1x", "-1s", "1s1m", "1.s", "٣s", "1y", "1 h", "9" * 40 + "s", 15, None]
)
def test_anything_else_is_refused_by_name(text: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        duration_from_text("timeout", text)
    assert refused.value.field == "timeout"


def test_what_no_clock_could_count_is_refused() -> None:
    with pytest.raises(InvalidInput, match="too long"):
        duration_from_text("timeout", "9" * 30 + "w")
