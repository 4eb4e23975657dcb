"""Durations as people write them: `30s`, `15m`, `1h30m`, or as ISO 8601 does: `PT1H30M`."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from tickwright.model.errors import InvalidInput

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_SHAPE = re.compile("".join(rf"(?:[0-9]+(?:\.[0-9]{{1,6}})?{unit})?" for unit in _SECONDS))
_ISO = re.compile(
    r"P(?=.)(?:{0}W)?(?:{0}D)?(?:T(?=.)(?:{0}H)?(?:{0}M)?(?:{0}S)?)?".format(
        r"[0-9]+(?:\.[0-9]{1,6})?"
    )
)
_ISO_MONTHS = re.compile(r"P[0-9.WD]*[0-9][YM]")
_PART = re.compile(r"([0-9.]+)([wdhms])")
_MAX_TEXT = 32
_SECOND = timedelta(seconds=1)


def duration_from_text(field: str, value: object) -> timedelta:
    """The duration that a text such as `1h30m` or `PT1H30M` names; InvalidInput names `field`."""
    if not isinstance(value, str):
        raise InvalidInput(field, f"must be a text such as 15m, not {type(value).__name__}")
    if len(value) <= _MAX_TEXT and _ISO_MONTHS.match(value):
        raise InvalidInput(
            field, f"{value!r} counts months or years, which are no fixed time: use days or a cron"
        )
    known = value and (_SHAPE.fullmatch(value) or _ISO.fullmatch(value))
    if not known or len(value) > _MAX_TEXT:
        shown = value if len(value) <= _MAX_TEXT else f"{value[:_MAX_TEXT]}…"
        raise InvalidInput(
            field, f"{shown!r} is no duration such as 30s, 15m, 2h, 1d, 1h30m or PT1H30M"
        )
    parts = _PART.findall(value.lower())
    seconds = sum(Decimal(count) * _SECONDS[unit] for count, unit in parts)
    try:
        return timedelta(microseconds=int(seconds * 10**6))
    except OverflowError:
        raise InvalidInput(field, f"{value!r} is too long") from None


def duration_text(value: timedelta) -> str:
    """The shortest text for a duration of 0 or more; `duration_from_text` reads it back."""
    left, rest = divmod(value, _SECOND)
    parts = []
    for unit in ("d", "h", "m"):
        count, left = divmod(left, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    fraction = f".{rest.microseconds:06}".rstrip("0") if rest else ""
    if left or fraction or not parts:
        parts.append(f"{left}{fraction}s")
    return "".join(parts)
