"""``python -m worker.main``: starts a worker (:mod:`worker.parent`)."""

from __future__ import annotations

import sys
from typing import NoReturn


def execute(run_id: str) -> NoReturn:
    """The one function that jobs name. It is never called: the worker knows what it means."""
    raise RuntimeError(f"Run {run_id} is performed by python -m worker.main, not by a call.")


def leave_out() -> None:
    """Keep out what Redis' client loads wherever it is installed: the server's OpenTelemetry.

    A worker sends its spans to the server and has no use for it; it takes 3.5 MiB and 50 ms.
    """
    sys.modules.setdefault("opentelemetry", None)  # type: ignore[arg-type]


def main() -> int:
    """Start the worker; returns the exit status."""
    leave_out()
    from worker.parent import start

    return start()


if __name__ == "__main__":
    sys.exit(main())
