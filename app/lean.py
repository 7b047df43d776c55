"""What libraries load where it is installed, and Tacit's processes have no use for."""

from __future__ import annotations

import sys
from typing import Final

HTTPX_COMMAND: Final = "httpx._main"
"""httpx's command line, with rich and pygments: 4.4 MiB of each process that imports httpx."""
TELEMETRY: Final = "opentelemetry"
"""What redis-py takes up by itself, for figures that nobody reads: 2.4 to 3.5 MiB and 50 ms. The
runtime listener sends spans with it where it is told to; then it is let in."""


def leave_out(*modules: str) -> None:
    """Have later imports of modules fail as if they weren't installed; what is loaded stays.

    For modules that a library tries to import and does without.
    """
    for name in modules:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def let_in(module: str) -> None:
    """Take back that a module is left out."""
    if module in sys.modules and sys.modules[module] is None:
        del sys.modules[module]
