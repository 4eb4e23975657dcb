"""Moments go in and out as RFC 3339, and are aware and in UTC inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwright.model.errors import InvalidInput
from tickwright.model.timestamps import aware, from_rfc3339, to_rfc3339

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis takes naive bounds
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23))),
)


@given(MOMENTS)
def test_a_moment_is_read_back_as_the_same_instant_in_utc(moment: datetime) -> None:
    read = from_rfc3339("at", to_rfc3339(moment))
    assert read == moment
    assert read.tzinfo is UTC


@given(MOMENTS)
def test_any_aware_moment_is_brought_to_utc(moment: datetime) -> None:
    assert aware("at", moment) == moment
    assert aware("at", moment).tzinfo is UTC


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NINE, "2026-03-01T09:00:00Z"),
        (NINE.replace(microsecond=250_000), "2026-03-01T09:00:00.250000Z"),
        (NINE.astimezone(timezone(timedelta(hours=2))), "2026-03-01T09:00:00Z"),
    ],
)
def test_a_moment_is_written_in_utc_with_a_z(moment: datetime, text: str) -> None:
    assert to_rfc3339(moment) == text


@pytest.mark.parametrize(
    "text", ["2026-03-01T09:00:00Z", "2026-03-01T11:00:00+02:00", "2026-03-01T09:00:00.000Z"]
)
def test_an_offset_is_respected(text: str) -> None:
    assert from_rfc3339("at", text) == NINE


@pytest.mark.parametrize(
    ("given_text", "reason"),
    [
        ("2026-03-01T09:00:00", "RFC 3339 time"),
        ("2026-03-01", "RFC 3339 time"),
        ("tomorrow", "not an RFC 3339 time"),
        ("2026-02-30T09:00:00Z", "is not a time"),
        ("0001-01-01T00:00:00+02:00", "outside the years"),
        ("9999-12-31T23:59:59-02:00", "outside the years"),
        (1_772_355_600, "must be a string"),
        (None, "must be a string"),
    ],
)
def test_what_names_no_instant_is_refused_by_field(given_text: object, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as refused:
        from_rfc3339("startsAt", given_text)
    assert refused.value.field == "startsAt"


@pytest.mark.parametrize(
    "moment",
    ["2026-03-01T09:00:00Z", None, datetime(2026, 3, 1, 9, 0)],  # noqa: DTZ001 - naive on purpose
)
def test_only_aware_datetimes_are_moments(moment: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        aware("endsAt", moment)
    assert refused.value.field == "endsAt"
