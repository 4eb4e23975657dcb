"""Public holidays from the `holidays` library, each year of each place computed once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache, lru_cache
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING

from tickwright.model.calendar import HolidaySource
from tickwright.model.errors import InvalidInput
from tickwright.triggers.base import quoted

if TYPE_CHECKING:
    from holidays.holiday_base import HolidayBase

_ENGLISH = "en_US"
_SURELY_KNOWN = 2020
_SHOWN = 8
_CODE = 3
# The library warns through a list that the whole process shares.
_warned = Lock()


def check_source(field: str, source: HolidaySource) -> None:
    """InvalidInput naming the part of `field` that the library does not know, with near matches."""
    codes = _countries()
    if source.country not in codes.values():
        near = _near(source.country, codes)
        raise InvalidInput(
            f"{field}.country",
            f"{quoted(source.country)} is no country (ISO 3166-1) whose holidays are known"
            f"{_suggested({codes[name] for name in near})}",
        )
    place = _place(source.country)
    known = {**place.subdivisions_aliases, **{code: code for code in place.subdivisions}}
    if source.subdivision is not None and source.subdivision not in known:
        near_codes = {known[name] for name in _near(source.subdivision, known)}
        raise InvalidInput(
            f"{field}.subdivision",
            f"{quoted(source.subdivision)} is no part of {source.country} whose holidays are known"
            f"{_suggested(near_codes or place.subdivisions)}",
        )
    for n, category in enumerate(source.categories):
        if category not in place.supported_categories:
            choice = ", ".join(place.supported_categories)
            raise InvalidInput(f"{field}.categories.{n}", f"must be one of {choice}")
    languages = _languages(place)
    if source.language is not None and source.language not in languages:
        raise InvalidInput(f"{field}.language", f"must be one of {', '.join(languages)}")


@lru_cache(maxsize=4096)
def holidays_in(source: HolidaySource, year: int) -> Mapping[date, str]:
    """The holidays of one year by their dates, those included that are kept in it for another."""
    found, _ = _computed(source, year)
    return MappingProxyType(found)


@lru_cache(maxsize=1024)
def known_until(source: HolidaySource) -> date:
    """The last day of the last year of which the library says that it knows the holidays."""
    place = _place(source.country)
    last, beyond = _SURELY_KNOWN, place.end_year + 1
    while beyond - last > 1:
        middle = (last + beyond) // 2
        _, is_complete = _computed(source, middle)
        last, beyond = (middle, beyond) if is_complete else (last, middle)
    return date(last, 12, 31)


def _computed(source: HolidaySource, year: int) -> tuple[dict[date, str], bool]:
    """The holidays of that year, and whether the library did not warn that some are missing."""
    import holidays

    language = source.language or _default_language(source.country)
    with _warned, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = holidays.country_holidays(
            source.country,
            subdiv=source.subdivision,
            years=year,
            expand=False,
            language=language,
            categories=source.categories or None,
        )
        return dict(found), not told


@cache
def _place(country: str) -> HolidayBase:
    import holidays

    return holidays.country_holidays(country, expand=False)


@cache
def _default_language(country: str) -> str | None:
    """Never the machine's own, so that a day has the same name everywhere."""
    place = _place(country)
    return _ENGLISH if _ENGLISH in place.supported_languages else place.default_language


def _languages(place: HolidayBase) -> tuple[str, ...]:
    return place.supported_languages or tuple(filter(None, [place.default_language]))


@cache
def _countries() -> Mapping[str, str]:
    """ISO codes by everything a country is called."""
    from holidays.registry import COUNTRIES

    return {name: names[1] for names in COUNTRIES.values() for name in names}


def _near(wanted: str, known: Iterable[str]) -> list[str]:
    by_fold: dict[str, str] = {}
    for name in known:
        by_fold.setdefault(name.casefold(), name)
    folded = wanted.casefold()
    if folded in by_fold:
        return [by_fold[folded]]
    alike = 0.5 if len(folded) <= _CODE else 0.6
    return [by_fold[each] for each in get_close_matches(folded, by_fold, _SHOWN, alike)]


def _suggested(codes: Iterable[str]) -> str:
    found = sorted(codes)
    if len(found) < 3:
        return f"; did you mean {' or '.join(found)}?" if found else ""
    more = ", …" if len(found) > _SHOWN else ""
    return f"; there are {', '.join(found[:_SHOWN])}{more}"
