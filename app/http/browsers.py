"""Headers that only browsers send; where a value could leave they are refused (SECURITY.md, 4)."""

from __future__ import annotations

from typing import Final

from flask import request

_NAMES: Final = frozenset({"cookie", "origin"})
_PREFIXES: Final = ("sec-fetch-", "access-control-request-")


def sent_by_browser() -> bool:
    """Say whether the current request carries a cookie or what browsers say of a request."""
    names = {name.lower() for name, _ in request.headers}
    return bool(names & _NAMES) or any(name.startswith(_PREFIXES) for name in names)
