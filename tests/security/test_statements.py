"""docs/security-statements.md: every statement of SECURITY.md, §8, with the tests that prove it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security-statements.md"
DESIGN = ROOT.parent / "shared" / "SECURITY.md"
"""Where the statements come from; not a part of every checkout."""

NUMBERS = range(1, 22)
LATER: dict[int, tuple[str, ...]] = {}
"""Statements that are proven whole when more components are there, and the files that prove a part
of them today.
"""

NOTES = {
    18: "(The suite writes for 8 seconds.) ",
    19: "(Browser storage and traffic: the main job's test, `tests/e2e/test_main_job.py`.) ",
    20: "(Beside them, what a run reaches at all: `test_run_confinement.py`.) ",
    21: "For the components there are, which speak HTTP, SQL and SMTP: ",
}


def functions(file: Path) -> list[str]:
    """Return the names of a file's tests, in their order."""
    tree = ast.parse(file.read_text())
    return [node.name for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def proofs() -> dict[int, dict[str, list[str]]]:
    """Return the tests by statement and file: those named ``test_sNN_…``, and the parts that are
    there of what comes later.
    """
    found: dict[int, dict[str, list[str]]] = defaultdict(dict)
    for file in sorted((ROOT / "tests" / "security").glob("test_*.py")):
        for name in functions(file):
            if numbered := re.match(r"test_s(\d\d)_", name):
                path = file.relative_to(ROOT).as_posix()
                found[int(numbered[1])].setdefault(path, []).append(name)
    for number, paths in LATER.items():
        for path in paths:
            found[number].setdefault(path, functions(ROOT / path))
    return found


def row(number: int, text: str, tests: dict[str, list[str]]) -> str:
    """Write a statement's line of the table."""
    cells = [
        f"[{Path(path).name}](../{path})"
        + ("" if number in LATER else ": " + ", ".join(f"`{name}`" for name in names))
        for path, names in tests.items()
    ]
    return f"| {number} | {text} | {NOTES.get(number, '')}{'; '.join(cells)} |"


def rows() -> dict[int, tuple[str, str]]:
    """Return the page's lines and statements by number."""
    found = {}
    for line in PAGE.read_text().splitlines():
        if cells := re.fullmatch(r"\| (\d+) \| (.+?) \| (.+) \|", line):
            found[int(cells[1])] = (line, cells[2])
    return found


def test_every_statement_has_its_line() -> None:
    assert list(rows()) == list(NUMBERS)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_statement_is_linked_to_all_its_tests(number: int) -> None:
    tests = proofs()[number]
    assert any(tests.values()), f"statement {number} has no test"
    line, text = rows()[number]
    assert line == row(number, text, tests), f"It should be:\n{row(number, text, tests)}"


def test_no_test_proves_a_statement_that_there_is_not() -> None:
    assert set(proofs()) == set(NUMBERS)


@pytest.mark.skipif(not DESIGN.exists(), reason="the design is not beside this checkout")
def test_the_statements_are_those_of_the_design() -> None:
    chapter = DESIGN.read_text().partition("## 8. ")[2]
    stated = {int(number): text for number, text in re.findall(r"^(\d+)\. (.+)$", chapter, re.M)}
    assert {number: text for number, (_, text) in rows().items()} == stated
