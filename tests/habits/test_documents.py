"""Documents that would otherwise drift away from the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tickwright.config import Settings
from tickwright.model import errors
from tickwright.model import event as events

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def _text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    field = Settings.model_fields[name]
    variable = f"TICKWRIGHT_{name.upper()}"
    line = next((row for row in _text("settings.md").splitlines() if f"`{variable}`" in row), None)
    assert line is not None, f"docs/settings.md does not name {variable}"
    assert field.description is not None
    assert field.description in line


NAMES = sorted(value for value in vars(events).values() if str(value).startswith("scheduler."))


@pytest.mark.parametrize("name", NAMES)
def test_every_event_is_documented(name: str) -> None:
    assert f"`{name}`" in _text("events.md")


@pytest.mark.parametrize(
    "error", [e for e in vars(errors).values() if isinstance(e, type)], ids=lambda e: e.__name__
)
def test_every_error_is_documented(error: type[errors.TickwrightError]) -> None:
    assert f"`{error.code}`" in _text("errors.md")
    assert error.__doc__


def test_the_changelog_has_the_version_and_says_why() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(version)}\]", changelog, re.MULTILINE)


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", path.read_text("utf-8")):
            if not (path.parent / target).exists():
                broken.append(f"{path.name}: {target}")
    assert broken == []


def test_decisions_are_recorded_and_numbered() -> None:
    decisions = sorted(path.name for path in (DOCS / "decisions").glob("*.md"))
    assert decisions, "choices that someone will want to undo are recorded"
    assert all(re.match(r"\d{4}-[a-z0-9-]+\.md$", name) for name in decisions)
