"""The states of a run and which may follow which (ARCHITECTURE.md, "What happens to a run")."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    CHECKING = "checking"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    SKIPPED = "skipped"


TERMINAL: Final = frozenset(
    {
        RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.REJECTED,
        RunState.SKIPPED,
    }
)
CLAIMED: Final = frozenset({RunState.CHECKING, RunState.RUNNING})
"""A worker holds the run and renews its lease."""
