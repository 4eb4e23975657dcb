"""Which cron expressions are understood, what they mean, and how the others are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tickwright.model.errors import InvalidInput
from tickwright.triggers.cron import Cron, cron

SUNDAY = datetime(2026, 3, 1, tzinfo=UTC)


def next_times(expression: str, count: int, *, moment: datetime = SUNDAY) -> list[str]:
    trigger = cron(expression)
    found = []
    for _ in range(count):
        answer = trigger.next_after(moment)
        assert answer is not None
        found.append(f"{answer:%a %Y-%m-%d %H:%M:%S}".removesuffix(":00"))
        moment = answer
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 9 * * *", ["Sun 2026-03-01 09:00", "Mon 2026-03-02 09:00"]),
        ("0 9 * * 1", ["Mon 2026-03-02 09:00", "Mon 2026-03-09 09:00"]),
        ("0 9 1 * *", ["Sun 2026-03-01 09:00", "Wed 2026-04-01 09:00"]),
        ("*/15 * * * *", ["Sun 2026-03-01 00:15", "Sun 2026-03-01 00:30"]),
        ("0 9,18 * * 1-5", ["Mon 2026-03-02 09:00", "Mon 2026-03-02 18:00"]),
    ],
)
def test_the_expressions_of_the_seed(expression: str, expected: list[str]) -> None:
    assert next_times(expression, 2) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 * * 0", ["Sun 2026-03-08 00:00", "Sun 2026-03-15 00:00"]),
        ("0 0 * * 7", ["Sun 2026-03-08 00:00", "Sun 2026-03-15 00:00"]),
        ("0 0 * * sun", ["Sun 2026-03-08 00:00", "Sun 2026-03-15 00:00"]),
        ("0 0 1 jan,JUL *", ["Wed 2026-07-01 00:00", "Fri 2027-01-01 00:00"]),
        ("0 0 * * 5-7", ["Fri 2026-03-06 00:00", "Sat 2026-03-07 00:00"]),
        ("0 0 ? * MON", ["Mon 2026-03-02 00:00", "Mon 2026-03-09 00:00"]),
        ("0 0 15 * ?", ["Sun 2026-03-15 00:00", "Wed 2026-04-15 00:00"]),
        ("0 0 L * *", ["Tue 2026-03-31 00:00", "Thu 2026-04-30 00:00"]),
        ("0 0 LW 5 *", ["Fri 2026-05-29 00:00", "Mon 2027-05-31 00:00"]),
        ("0 0 * * 5L", ["Fri 2026-03-27 00:00", "Fri 2026-04-24 00:00"]),
        ("0 0 * * 2#1", ["Tue 2026-03-03 00:00", "Tue 2026-04-07 00:00"]),
        ("0 0 29 2 *", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00"]),
        ("5/20 0 * * *", ["Sun 2026-03-01 00:05", "Sun 2026-03-01 00:25"]),
        ("30 0 9 * * *", ["Sun 2026-03-01 09:00:30", "Mon 2026-03-02 09:00:30"]),
        ("*/20 * * * * *", ["Sun 2026-03-01 00:00:20", "Sun 2026-03-01 00:00:40"]),
        # Both day fields: either matches, unless one of them starts with a star.
        ("0 0 13 * 5", ["Fri 2026-03-06 00:00", "Fri 2026-03-13 00:00"]),
        ("0 0 */2 * 1", ["Mon 2026-03-09 00:00", "Mon 2026-03-23 00:00"]),
        ("0 0 1-31 * 1", ["Mon 2026-03-02 00:00", "Tue 2026-03-03 00:00"]),
        ("0 0 29 2 1#5", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00"]),
        ("0 0 */28 2 1#5", ["Mon 2044-02-29 00:00", "Mon 2072-02-29 00:00"]),
    ],
)
def test_what_an_expression_means(expression: str, expected: list[str]) -> None:
    assert next_times(expression, 2) == expected


@pytest.mark.parametrize(
    ("macro", "expected"),
    [
        ("@hourly", ["Sun 2026-03-01 01:00", "Sun 2026-03-01 02:00"]),
        ("@daily", ["Mon 2026-03-02 00:00", "Tue 2026-03-03 00:00"]),
        ("@midnight", ["Mon 2026-03-02 00:00", "Tue 2026-03-03 00:00"]),
        ("@weekly", ["Sun 2026-03-08 00:00", "Sun 2026-03-15 00:00"]),
        ("@monthly", ["Wed 2026-04-01 00:00", "Fri 2026-05-01 00:00"]),
        ("@yearly", ["Fri 2027-01-01 00:00", "Sat 2028-01-01 00:00"]),
        ("@Annually", ["Fri 2027-01-01 00:00", "Sat 2028-01-01 00:00"]),
    ],
)
def test_what_a_macro_means(macro: str, expected: list[str]) -> None:
    assert next_times(macro, 2) == expected


@pytest.mark.parametrize("expression", ["*/15 * * * *", "30 2 * * *", "0 0 13 * 5", "0 0 L * *"])
def test_a_leading_second_of_zero_changes_nothing(expression: str) -> None:
    five, six = cron(expression, tz="Europe/Berlin"), cron(f"0 {expression}", tz="Europe/Berlin")
    moment = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)
    for _ in range(20):
        answer = five.next_after(moment)
        assert answer == six.next_after(moment)
        assert answer is not None
        moment = answer


BAD_EXPRESSIONS = {
    "": "needs 5 fields",
    "   ": "needs 5 fields",
    "* * * *": "this has 4",
    "* * * * * * *": "this has 7",
    "60 * * * *": "minute (character 1): '60'",
    "0 24 * * *": "hour (character 3): '24'",
    "0  0 0 * *": "day-of-month (character 6): '0'",
    "0 0 32 * *": "day-of-month (character 5): '32'",
    "0 0 1 13 *": "month (character 7): '13'",
    "0 0 * 0 *": "month (character 7): '0'",
    "0 0 * * 8": "day-of-week (character 9): '8'",
    "60 0 0 * * *": "second (character 1): '60'",
    "1,5,99 * * * *": "minute (character 1): '99'",
    "1,,5 * * * *": "minute (character 1): ''",
    "5-1 * * * *": "minute (character 1): '5-1'",
    "0 0 * * FRI-MON": "day-of-week (character 9): 'FRI-MON'",
    "0 0 * * 6-0": "day-of-week (character 9): '6-0'",
    "*/0 * * * *": "minute (character 1): '*/0'",
    "*/x * * * *": "minute (character 1): '*/X'",
    "-5 * * * *": "minute (character 1): '-5'",
    "1.5 * * * *": "'.' at character 2",
    "5-5/2 * * * *": "one value",
    "05-5/2 * * * *": "one value",
    "0 1,5-5/2 * * *": "hour (character 3): '5-5/2'",
    "0 0 * MAR-3/2 *": "one value",
    "0 0 * * MON-1/2": "one value",
    "0 0 15W * *": "day-of-month (character 5): '15W'",
    "0 0 * * L": "day-of-week (character 9): 'L'",
    "0 0 * * 1#6": "day-of-week (character 9): '1#6'",
    "0 0 * * 1#0": "day-of-week (character 9): '1#0'",
    "L * * * *": "minute (character 1): 'L'",
    "? * * * *": "minute (character 1): '?'",
    "0 0 1 FOO *": "month (character 7): 'FOO'",
    "0 0 * MON *": "month (character 7): 'MON'",
    "@reboot": "@reboot",
    "@every 5m": "@",
    "@daily @daily": "@",
    "@": "@",
    "@ 0 0 * *": "@",
    "H(5-1) * * * *": "minute (character 1): 'H(5-1)' is not allowed; use H, H/n",
    "H/0 * * * *": "minute (character 1): 'H/0'",
    "0 H(0-24) * * *": "hour (character 3): 'H(0-24)'",
    "0 0 H(0-5) * *": "day-of-month (character 5): 'H(0-5)'",
    "0 0 * * H(MON-FRI)": "day-of-week (character 9): 'H(MON-FRI)'",
    "HH * * * *": "minute (character 1): 'HH'",
    "H-5 * * * *": "minute (character 1): 'H-5'",
    "(1) * * * *": "minute (character 1): '(1)'",
    "0 0 30 2 *": "never happens",
    "0 0 31 4 *": "no date matches",
    "0 0 31 2,4,6,9,11 *": "never happens",
    "0 0 */29 2 1#5": "no date matches",
    "0 0 */30 2 1#2": "never happens",
    "\u0663 * * * *": "'\\u0663' at character 1",
    "0 0 * * \u017fUN": "at character 9",
    "0\u00a09 * * *": "at character 2",
    "0 9 * * *\n": "at character 10",
    "0 9 * * *\x00": "'\\x00' at character 10",
    "\ud800 * * * *": "at character 1",
    "0 9 * * * ; DROP TABLE": "at character 11",
    "1," * 127 + "1 * * * *": "longer than 255",
    "*" * 256: "longer than 255",
    "9" * 200 + " * * * *": "minute (character 1)",
    "0-59," * 49 + "60 * * * *": "minute (character 1): '60'",
    "x" * 400_000: "longer than 255",
}


@pytest.mark.parametrize(("expression", "part"), BAD_EXPRESSIONS.items())
def test_a_bad_expression_is_refused_with_what_and_where(expression: str, part: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        cron(expression)
    assert refusal.value.field == "trigger.expression"
    assert part in refusal.value.reason
    assert len(refusal.value.reason) < 250


@pytest.mark.parametrize("expression", [None, 5, 5.0, True, [], {}, b"0 9 * * *"])
def test_an_expression_that_is_no_string_is_refused(expression: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Cron.from_json({"type": "cron", "expression": expression})
    assert refusal.value.field == "trigger.expression"


@pytest.mark.parametrize(
    ("expression", "zone"),
    [("* 2 * 3 0L", "Europe/Berlin"), ("*/10 0 * 4 5L", "Africa/Cairo")],
)
def test_a_rule_that_the_zone_always_skips_is_refused(expression: str, zone: str) -> None:
    assert cron(expression).next_after(SUNDAY) is not None
    with pytest.raises(InvalidInput, match=f"never happens in {zone}") as refusal:
        cron(expression, tz=zone)
    assert refusal.value.field == "trigger.expression"


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "Nowhere/Here",
        "europe/berlin",
        "America",
        "America/",
        "/etc/passwd",
        "../../etc/passwd",
        "Europe/../Europe/Berlin",
        "localtime",
        "posixrules",
        "Factory",
        "posix/Europe/Berlin",
        "right/Europe/Berlin",
        "Europe/Berlin\x00",
        "\x00",
        "Europe/Berlin ",
        "Europe\\Berlin",
        "CEST",
        "+02:00",
        "UTC+2",
        "tzdata.zi",
        "zone.tab",
        "x" * 5_000,
        "A/" * 2_500,
        "\ud800",
        "Z\u00fcrich",
        None,
        0,
        True,
        ["UTC"],
        {"name": "UTC"},
        b"UTC",
    ],
)
def test_a_bad_zone_is_refused(zone: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Cron.from_json({"type": "cron", "expression": "0 9 * * *", "timezone": zone})
    assert refusal.value.field == "trigger.timezone"
    assert len(refusal.value.reason) < 250


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"]
)
def test_a_listed_zone_is_accepted(zone: str) -> None:
    assert cron("0 9 * * *", tz=zone).timezone == zone


def test_the_expression_is_kept_as_written_but_for_blanks() -> None:
    assert cron("  0 9\t* *   mon ").expression == "0 9 * * mon"
    assert cron(" 0  9 * * mon") == cron("0 9 * * mon")
    assert hash(cron(" 0  9 * * mon")) == hash(cron("0 9 * * mon"))


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 9 * * 1", "At 09:00 on Monday (Europe/Berlin)"),
        ("*/15 * * * *", "Every 15th minute of every hour (Europe/Berlin)"),
        ("@daily", "At 00:00 every day (Europe/Berlin)"),
        ("0 0 ? * 5L", "At 00:00 on the last Friday of the month (Europe/Berlin)"),
        ("0 0 */2 * 1", "At 00:00 on every second day of month if it's on Monday (Europe/Berlin)"),
    ],
)
def test_it_describes_itself_in_words(expression: str, words: str) -> None:
    assert cron(expression, tz="Europe/Berlin").describe() == words


def test_a_rule_ends_with_the_calendar_instead_of_overflowing() -> None:
    for zone in ("UTC", "America/New_York", "Pacific/Auckland"):
        trigger = cron("*/5 * * * *", tz=zone)
        last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
        assert trigger.next_after(last) is None
        assert trigger.next_after(last - timedelta(days=40)) is not None
        assert cron("0 0 29 2 *", tz=zone).next_after(last) is None
        assert cron("0 0 29 2 *", tz=zone).next_after(last - timedelta(days=400)) is None


def test_a_rule_begins_with_the_calendar_instead_of_overflowing() -> None:
    for zone in ("UTC", "America/New_York", "Pacific/Auckland"):
        answer = cron("0 0 * * *", tz=zone).next_after(datetime(1, 1, 1, tzinfo=UTC))
        assert answer is not None
        assert answer < datetime(1, 1, 5, tzinfo=UTC)


def test_before_the_calendar_there_is_nothing() -> None:
    for zone in ("UTC", "America/New_York", "Pacific/Auckland"):
        early = datetime(1, 1, 20, tzinfo=UTC)
        assert cron("0 0 29 2 *", tz=zone).previous_before(early) is None
        assert cron("0 0 1 1 *", tz=zone).previous_before(early) is None
        assert cron("0 0 31 12 *", tz=zone).next_after(datetime(9999, 12, 20, tzinfo=UTC)) is None


def test_a_moment_without_zone_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError):
        cron("0 9 * * *").next_after(SUNDAY.replace(tzinfo=None))
