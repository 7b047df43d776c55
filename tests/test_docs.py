"""The documentation says what the code does: settings, commands, make targets."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest

from app.cli import COMMANDS, tacit
from app.config import SETTINGS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _leaves(found, (*path, name))
    else:
        yield path


def _resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    command: click.Command = tacit
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"tacit {' '.join(words)}: there is no such command"
        command, words = found, words[1:]
    return command, words


def _quoted(text: str) -> Iterator[str]:
    """Yield what stands in code: in backticks, quotation marks or fenced blocks."""
    for block in re.findall(r"```[a-z]*\n(.*?)```", text, re.S):
        yield from (line.partition("  #")[0].strip() for line in block.splitlines())
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))


def test_every_setting_is_documented_as_it_is() -> None:
    rows = re.findall(
        r"^\| `(TACIT_\w+)` \| (.*?) \| (.*?) \|$", (ROOT / "docs/settings.md").read_text(), re.M
    )
    expected = [(one.name, one.default or "–", one.help) for one in SETTINGS]
    assert rows == expected


def test_every_setting_of_the_code_has_an_entry() -> None:
    for_workers = {
        "TACIT_DRAIN_SECONDS", "TACIT_EGRESS_REFUSED", "TACIT_FILE_CLOSED", "TACIT_QUEUE",
        "TACIT_RUN_CPU_SECONDS", "TACIT_RUN_MEMORY_MB", "TACIT_RUN_OPEN_FILES",
        "TACIT_WORKER_KEY_FILE", "TACIT_WORKER_SCRATCH",
    }
    used = {
        name
        for folder in ("app", "worker")
        for file in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"[\"'](TACIT_[A-Z_]+)[\"']", file.read_text())
    }
    assert used - {one.name for one in SETTINGS} <= for_workers
    operations = (ROOT / "docs/operations.md").read_text()
    assert all(name in operations for name in for_workers)


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    documented = {
        tuple(takewhile(re.compile(r"[a-z][a-z-]*").fullmatch, line.split()[1:]))
        for line in re.findall(r"^tacit .*$", text, re.M)
    }
    assert set(_leaves(tacit)) <= documented
    assert set(COMMANDS) == {path[0] for path in _leaves(tacit)}


@pytest.mark.parametrize("document", PAGES, ids=lambda one: one.name)
def test_commands_of_a_page_exist_with_their_options(document: Path) -> None:
    for line in _quoted(document.read_text()):
        line = re.sub(r"^(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?", "", line)
        if not line.startswith("tacit "):
            continue
        words = shlex.split(line.replace("[", " ").replace("]", " "))[1:]
        command, rest = _resolve(words)
        known = {
            name for one in command.params for name in (*one.opts, *one.secondary_opts)
        } | {"--help", "--version"}
        unknown = [word for word in rest if word.startswith("--") and word not in known]
        assert not unknown, f"{line}: {unknown}"


@pytest.mark.parametrize("document", PAGES, ids=lambda one: one.name)
def test_make_targets_of_a_page_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for line in _quoted(document.read_text()):
        line = re.sub(r"^(?:[A-Z_]+=\S+ )*", "", line)
        named = re.fullmatch(r"make ([a-z-]+).*", line)
        assert named is None or named[1] in targets, line


@pytest.mark.parametrize("document", PAGES, ids=lambda one: one.name)
def test_links_to_files_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_ci_runs_the_tests() -> None:
    assert "make" in (ROOT / ".ci/run").read_text()
    assert " test" in (ROOT / ".ci/run").read_text()
