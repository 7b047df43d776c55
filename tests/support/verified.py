"""``tacit audit verify`` without a process of its own for each time."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from app.cli import tacit
from tests.support.vaults import Installed


def verify(installed: Installed, checkpoint: Path | None = None) -> tuple[int, str]:
    """Run the command; returns its exit code and what it said."""
    arguments = ["audit", "verify", *(("--checkpoint", str(checkpoint)) if checkpoint else ())]
    result = CliRunner().invoke(tacit, arguments, env=installed.settings)
    return result.exit_code, result.output
