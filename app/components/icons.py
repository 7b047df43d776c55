"""Which icons the pages have: a component of a package may ask for one that isn't there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

FALLBACK: Final = "puzzle"
_SPRITE: Final = Path(__file__).resolve().parents[2] / "static" / "icons.svg"


def shown_icon(name: str) -> str:
    """Return the icon's name, or that of a puzzle piece where the pages don't have it."""
    known = _known()
    return name if not known or name in known else FALLBACK


@cache
def _known() -> frozenset[str]:
    # A worker draws nothing and may stand where there is no sprite.
    if not _SPRITE.exists():
        return frozenset()
    return frozenset(re.findall(r'<symbol id="i-([a-z0-9-]+)"', _SPRITE.read_text("utf-8")))
