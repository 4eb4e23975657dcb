"""One calendar, shown; and changed, then shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tickwright.cli.wording import exception_in_words, holidays_in_words, week_in_words

if TYPE_CHECKING:
    from tickwright.cli.options import Place
    from tickwright.cli.session import Session
    from tickwright.model.calendar import Calendar

Work = Callable[["Session"], Awaitable["Calendar"]]
_SHOWN = 20


def show_after(place: Place, work: Work, *, as_json: bool) -> None:
    """Print the calendar that `work` answers with."""
    from tickwright.cli.output import console, print_json, print_pairs
    from tickwright.cli.session import in_session
    from tickwright.cli.shapes import calendar_json

    calendar = in_session(place, work)
    if as_json:
        print_json(calendar_json(calendar))
    else:
        print_pairs(console(), _pairs(calendar))


def _pairs(calendar: Calendar) -> list[tuple[str, str]]:
    definition = calendar.definition
    exceptions = [exception_in_words(each) for each in definition.exceptions[:_SHOWN]]
    if len(definition.exceptions) > _SHOWN:
        exceptions.append(f"and {len(definition.exceptions) - _SHOWN} more; --json has all")
    return [
        ("Key", calendar.key),
        ("Scope", str(calendar.scope)),
        *([("Name", definition.name)] if definition.name else []),
        *([("Description", definition.description)] if definition.description else []),
        ("Timezone", definition.timezone),
        ("Week", week_in_words(definition.weekdays)),
        ("Holidays", holidays_in_words(definition.holidays)),
        *(("" if n else "Exceptions", text) for n, text in enumerate(exceptions)),
        ("Version", str(calendar.version)),
    ]
