"""What holds for every trigger at every moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from tickwright.model.errors import InvalidInput
from tickwright.triggers import Trigger, trigger_from_json
from tickwright.triggers.cron import Cron, cron
from tickwright.triggers.interval import Interval, every
from tickwright.triggers.one_shot import OneShot
from tickwright.triggers.rrule import rrule

ZONES = (
    "UTC",
    "Africa/Cairo",
    "America/Havana",
    "America/New_York",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Chatham",
)

TICK = timedelta(microseconds=1)

moments = st.datetimes(
    datetime.fromisoformat("1900-01-01"),
    datetime.fromisoformat("2200-01-01"),
    timezones=st.just(UTC),
)
all_moments = st.datetimes(timezones=st.just(UTC))
durations = st.integers(1, 3653 * 86_400).map(lambda seconds: timedelta(seconds=seconds))


def field(low: int, high: int, *extra: str) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = (
        st.tuples(number, number)
        .filter(lambda ab: ab[0] < ab[1])
        .map(lambda ab: f"{ab[0]}-{ab[1]}")
    )
    stepped = st.tuples(st.just("*") | span, st.integers(1, high)).map(
        lambda ab: f"{ab[0]}/{ab[1]}"
    )
    term = st.just("*") | number.map(str) | span | stepped
    if extra:
        term |= st.sampled_from(extra)
    return st.lists(term, min_size=1, max_size=3).map(",".join)


@st.composite
def cron_texts(draw: st.DrawFn) -> str:
    fields = [
        draw(field(0, 59)),
        draw(field(0, 23)),
        draw(field(1, 28, "31", "L", "LW")),
        draw(field(1, 12, "FEB", "SEP-DEC")),
        draw(field(0, 7, "MON", "5L", "1#5")),
    ]
    return " ".join([draw(field(0, 59)), *fields] if draw(st.booleans()) else fields)


@st.composite
def crons(draw: st.DrawFn) -> Trigger:
    zone = draw(st.sampled_from(ZONES))
    try:
        return cron(
            draw(cron_texts()),
            tz=zone,
            day_and=draw(st.booleans()),
            month_end=draw(st.sampled_from(("skip", "clamp"))),
            **draw(options),
        )
    except InvalidInput:
        return Cron("30 2 * * *", zone)


options = st.fixed_dictionaries(
    {},
    optional={
        "dst_gap": st.sampled_from(("after", "shift", "skip")),
        "dst_overlap": st.sampled_from(("first", "last", "both")),
    },
)


@st.composite
def rules(draw: st.DrawFn) -> Trigger:
    """Whatever kind of recurrence rule, with dates added and removed."""
    stepped = draw(st.booleans())
    freqs = ("HOURLY", "MINUTELY", "SECONDLY") if stepped else ("DAILY", "WEEKLY", "MONTHLY")
    parts = [f"FREQ={draw(st.sampled_from((*freqs, 'YEARLY') if not stepped else freqs))}"]
    parts.append(f"INTERVAL={draw(st.sampled_from((1, 1, 2, 5, 17)))}")
    if draw(st.booleans()):
        parts.append(f"BYHOUR={draw(st.integers(0, 20))},{draw(st.integers(1, 23))}")
    if draw(st.booleans()):
        parts.append(f"BYDAY={draw(st.sampled_from(('MO', 'SU,TH', 'MO,TU,WE,TH,FR')))}")
        if not stepped and draw(st.booleans()):
            parts.append(f"BYSETPOS={draw(st.sampled_from((1, -1)))}")
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 900))}")
    local = st.datetimes(datetime.fromisoformat("1950-01-01"), datetime.fromisoformat("2150-01-01"))
    dates = st.lists(local.map(lambda date: date.replace(microsecond=0)), max_size=3)
    start = draw(local).replace(microsecond=0)
    more = {} if stepped else draw(options)
    try:
        return rrule(
            ";".join(parts),
            start=start,
            tz=draw(st.sampled_from(ZONES)),
            rdates=draw(dates),
            exdates=[start, *draw(dates)],
            **more,
        )
    except InvalidInput:
        return rrule("FREQ=DAILY", start=start, tz="Europe/Berlin")


triggers = st.one_of(
    crons(),
    rules(),
    st.builds(Interval, durations, all_moments),
    st.builds(OneShot, all_moments),
)


@given(triggers, moments)
def test_the_next_instant_is_later_and_in_utc(trigger: Trigger, moment: datetime) -> None:
    for _ in range(5):
        answer = trigger.next_after(moment)
        if answer is None:
            return
        assert answer > moment
        assert answer.tzinfo is UTC
        moment = answer


@given(triggers, moments, st.floats(0, 1, exclude_max=True))
def test_there_is_nothing_between_a_moment_and_its_next_instant(
    trigger: Trigger, moment: datetime, share: float
) -> None:
    answer = trigger.next_after(moment)
    if answer is not None and (between := moment + (answer - moment) * share) < answer:
        assert trigger.next_after(between) == answer


@given(triggers, moments)
def test_the_previous_instant_is_earlier_and_in_utc(trigger: Trigger, moment: datetime) -> None:
    for _ in range(5):
        answer = trigger.previous_before(moment)
        if answer is None:
            return
        assert answer < moment
        assert answer.tzinfo is UTC
        moment = answer


@given(triggers, moments)
def test_previous_inverts_next(trigger: Trigger, moment: datetime) -> None:
    there = trigger.next_after(moment)
    if there is not None:
        back = trigger.previous_before(there)
        assert back is None or back <= moment
        assert back is None or trigger.next_after(back) == there
        assert trigger.previous_before(there + TICK) == there
    before = trigger.previous_before(moment)
    if before is not None:
        after = trigger.next_after(before)
        assert after is None or after >= moment
        assert trigger.next_after(before - TICK) == before


@given(triggers, moments, st.floats(0, 1, exclude_max=True))
def test_there_is_nothing_between_a_moment_and_its_previous_instant(
    trigger: Trigger, moment: datetime, share: float
) -> None:
    answer = trigger.previous_before(moment)
    if answer is not None and (between := moment - (moment - answer) * share) > answer:
        assert trigger.previous_before(between) == answer


@given(triggers, all_moments)
@example(Cron("* * * * *", "Pacific/Auckland"), datetime.max.replace(tzinfo=UTC))
@example(Cron("* * * * *", "America/New_York"), datetime.min.replace(tzinfo=UTC))
@example(Cron("* * * * *", "Pacific/Auckland"), datetime.min.replace(tzinfo=UTC))
def test_no_moment_overflows(trigger: Trigger, moment: datetime) -> None:
    answer = trigger.next_after(moment)
    assert answer is None or answer > moment
    answer = trigger.previous_before(moment)
    assert answer is None or answer < moment


@given(triggers | st.builds(Interval, durations))
def test_json_gives_the_same_trigger_back(trigger: Trigger) -> None:
    again = trigger_from_json(json.loads(json.dumps(trigger.to_json())))
    assert again == trigger
    assert hash(again) == hash(trigger)
    assert again.describe() == trigger.describe()
    assert trigger.describe().isprintable()


@given(durations, all_moments, moments)
def test_an_interval_keeps_its_phase(
    duration: timedelta, anchor: datetime, moment: datetime
) -> None:
    answer = every(duration, anchor=anchor).next_after(moment)
    if answer is not None:
        assert (answer - anchor) % duration == timedelta()
        assert answer == anchor or answer - moment <= duration


def field_refused(make: Callable[[], Trigger]) -> str | None:
    """The field that is refused; None if the trigger can be made, used and described."""
    try:
        trigger = make()
    except InvalidInput as refusal:
        return refusal.field
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    answer = trigger.anchored(moment).next_after(moment)
    assert answer is not None
    assert answer > moment
    assert trigger.describe()
    return None


@given(st.text(max_size=300) | st.text("0123456789*/,-#?LW @MONJANSUN", max_size=40))
def test_any_text_is_a_cron_rule_or_refused(text: str) -> None:
    assert field_refused(lambda: Cron(text)) in (None, "trigger.expression")


@given(st.text(max_size=40) | st.text("0123456789.wdhms", max_size=40))
def test_any_text_is_an_interval_or_refused(text: str) -> None:
    assert field_refused(lambda: every(text)) in (None, "trigger.every")


@given(st.text(max_size=60) | st.text("FREQDAILYMONTHSUWKBYINTERVCP=;,-0123456789:\n", max_size=60))
def test_any_text_is_a_recurrence_rule_or_refused(text: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert field_refused(lambda: rrule(text, start=start)) in (None, "trigger.rule")
    assert field_refused(lambda: rrule(f"FREQ=DAILY;{text}", start=start)) in (None, "trigger.rule")


@given(st.text(max_size=40) | st.text("UTCEurope/Berlin.+-0123456789", max_size=40))
def test_any_text_is_a_zone_or_refused(text: str) -> None:
    assert field_refused(lambda: Cron("0 9 * * *", text)) in (None, "trigger.timezone")
