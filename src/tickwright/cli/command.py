"""What makes a function a command: options in groups, and errors told in one line.

Invariant: whatever a command raises ends as one line on stderr and an exit code, never as a
traceback, unless `--debug` asks for one.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import Any, get_type_hints

import typer

from tickwright.model.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    NotPossible,
    StoreUnavailable,
    TickwrightError,
)

OK = 0
FAILED = 1
WRONG = 2
UNKNOWN = 3
REFUSED = 4
AWAY = 5
TIMED_OUT = 124
INTERRUPTED = 130
_CODES: tuple[tuple[type[TickwrightError], int], ...] = (
    (InvalidInput, WRONG),
    (NotFound, UNKNOWN),
    (Conflict, REFUSED),
    (NotPossible, REFUSED),
    (StoreUnavailable, AWAY),
)


def new_group(text: str, *, name: str | None = None) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=text,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def add_members(group: typer.Typer, members: Mapping[str, str]) -> None:
    """Load each member and add it by its name; a member is a command or a group of its own."""
    for name, home in members.items():
        module, _, attribute = home.partition(":")
        member = getattr(import_module(module), attribute)
        if isinstance(member, typer.Typer):
            group.add_typer(member, name=name)
        else:
            group.command(name)(member)


def command(fn: Callable[..., None]) -> Callable[..., None]:
    """`fn` for Typer: each parameter that is a dataclass becomes one option per field.

    One of them is a `Reach`, which says whether errors come with their traceback.
    """
    hints = get_type_hints(fn, include_extras=True)
    groups: dict[str, type[Any]] = {
        name: hint
        for name, hint in hints.items()
        if isinstance(hint, type) and dataclasses.is_dataclass(hint)
    }

    @wraps(fn)
    def run(**given: Any) -> None:
        with reported(debug=bool(given.get("debug"))):
            for name, group in groups.items():
                fields = [field.name for field in dataclasses.fields(group)]
                given[name] = group(**{field: given.pop(field) for field in fields})
            fn(**given)

    spread = list(_spread(fn, hints, groups))
    run.__signature__ = inspect.Signature(spread)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in spread}
    return run


def _spread(
    fn: Callable[..., None], hints: Mapping[str, Any], groups: Mapping[str, type[Any]]
) -> Iterator[inspect.Parameter]:
    for name, parameter in inspect.signature(fn).parameters.items():
        if name not in groups:
            yield parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hints[name])
            continue
        fields = get_type_hints(groups[name], include_extras=True)
        for field in dataclasses.fields(groups[name]):
            yield inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=fields[field.name],
            )


@contextmanager
def reported(*, debug: bool) -> Iterator[None]:
    """Turn what the block raises into a line on stderr and the exit code that belongs to it."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except TickwrightError as error:
        if debug:
            raise
        raise typer.Exit(told(error)) from None
    except Exception as error:
        if debug:
            raise
        complain(f"unexpected {type(error).__name__}: {error} (--debug shows where)")
        raise typer.Exit(FAILED) from None


def told(error: TickwrightError) -> int:
    """Say what went wrong on stderr; the exit code for it."""
    complain(str(error))
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def complain(message: str) -> None:
    """One line on stderr; the further lines of drivers' messages hold statements, not reasons."""
    typer.echo(f"error: {first_line(message)}", err=True)


def first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")


def note(message: str) -> None:
    """Something worth knowing that is no part of the answer."""
    typer.echo(message, err=True)
