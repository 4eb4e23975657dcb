"""The rules of CONTRIBUTING that a machine can check."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tickwright"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_FILE = 500
LONGEST_FUNCTION = 50
BANNED_NAMES = {"utils", "util", "helpers", "helper", "manager", "misc", "common"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_source_file_is_short_named_well_and_says_its_duty(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    assert path.stem not in BANNED_NAMES
    assert ast.get_docstring(ast.parse(text)), "a module opens with the sentence of its duty"


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_functions_are_short(path: Path) -> None:
    too_long = [
        function.name
        for function in _functions(path)
        if (function.end_lineno or 0) - function.lineno >= LONGEST_FUNCTION
    ]
    assert too_long == []


def test_nothing_is_left_for_later_and_no_machine_is_named() -> None:
    pattern = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|/root/|/work/|/home/")
    found = [
        f"{_name(path)}:{number}"
        for path in [*SOURCES, *TESTS, *sorted(ROOT.glob("*.md"))]
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_tests_sleep_only_where_processes_are_real() -> None:
    slow = ("e2e", "faults")
    sleeping = [
        _name(path)
        for path in TESTS
        if not set(path.relative_to(ROOT / "tests").parts) & set(slow) and path != Path(__file__)
        if re.search(r"\bsleep\((?!0\))", path.read_text(encoding="utf-8"))
    ]
    assert sleeping == []


def test_tests_use_no_mocks() -> None:
    mocking = [
        _name(path)
        for path in TESTS
        if path != Path(__file__)
        if re.search(r"unittest\.mock|MagicMock|mocker\b", path.read_text(encoding="utf-8"))
    ]
    assert mocking == []


def test_the_model_needs_nothing_but_the_standard_library() -> None:
    foreign = set()
    for path in (PACKAGE / "model").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            foreign |= {name.partition(".")[0] for name in names}
    assert foreign - sys.stdlib_module_names <= {"tickwright"}


def test_no_committed_file_names_a_package_index() -> None:
    listed = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    listed += (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert not re.search(r"index-url|https?://[^\s]*(pypi|registry)", listed)
