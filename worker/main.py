"""``python -m worker.main``: starts a worker (:mod:`worker.parent`)."""

from __future__ import annotations

import sys
from typing import NoReturn

from app import lean


def execute(run_id: str) -> NoReturn:
    """The one function that jobs name. It is never called: the worker knows what it means."""
    raise RuntimeError(f"Run {run_id} is performed by python -m worker.main, not by a call.")


def main() -> int:
    """Start the worker; returns the exit status."""
    lean.leave_out(lean.HTTPX_COMMAND, lean.TELEMETRY)
    from worker.parent import start

    return start()


if __name__ == "__main__":
    sys.exit(main())
