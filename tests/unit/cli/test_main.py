"""How the command line behaves as a whole: help, refusals, no tracebacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import COMMANDS

TACIT = Path(sys.executable).with_name("tacit")


def _run(home: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.defpath, "TACIT_HOME": str(home)}
    return subprocess.run(
        [TACIT, *arguments], env=environment, capture_output=True, text=True, input=stdin,
        check=False,
    )


def test_help_lists_every_command(tmp_path: Path) -> None:
    shown = _run(tmp_path, "--help").stdout
    assert all(f"  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(tmp_path: Path, command: str) -> None:
    run = _run(tmp_path, command, "--help")
    assert run.returncode == 0
    assert run.stdout.startswith("Usage: tacit")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["token", "create", "--user", "a@example.org", "--scope", "secrets:read"],
         "not_installed"),
        (["user", "create", "--email", "a@example.org", "--role", "admin"], "password_missing"),
        (["worker"], "worker_settings_missing"),
    ],
)
def test_refusal_is_one_sentence_with_a_code(
    tmp_path: Path, arguments: list[str], code: str
) -> None:
    run = _run(tmp_path / "nowhere", *arguments)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith("tacit: ")
    assert run.stderr.rstrip().endswith(f"[{code}]")
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "nowhere").exists()


def test_unusable_setting_is_said(tmp_path: Path) -> None:
    run = subprocess.run(
        [TACIT, "up"], capture_output=True, text=True, check=False,
        env={"PATH": os.defpath, "TACIT_HOME": str(tmp_path), "TACIT_PORT": "high"},
    )
    assert run.returncode == 1
    assert "[setting_invalid]" in run.stderr
