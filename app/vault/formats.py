"""Known formats of credentials: recognised when a value is stored, as a hint and nothing more.

What is kept of it are a word and, for tokens that say so themselves, a time: never a part of the
value.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime

_PEM = re.compile(r"\s*-----BEGIN ([A-Z0-9 ]{1,60})-----")
_AWS_ID = re.compile(r"(AKIA|ASIA)[A-Z0-9]{16}", re.ASCII)
_GITHUB = re.compile(
    r"(gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})", re.ASCII
)
_JWT = re.compile(r"[A-Za-z0-9_\-]+\.([A-Za-z0-9_\-]+)\.[A-Za-z0-9_\-]*", re.ASCII)
_LATEST = 253402300799  # the last second of the year 9999


@dataclass(frozen=True, slots=True)
class Format:
    """What a value looks like.

    :ivar name: ``pem``, ``json``, ``aws_key``, ``github_token``, ``jwt``, or empty.
    :ivar expires_at: when a JWT says that it ends.
    """

    name: str = ""
    expires_at: datetime | None = None


def recognise(value: str) -> Format:
    """Say what a value looks like; an empty name where it looks like nothing known."""
    text = value.strip()
    if _PEM.match(value):
        return Format("pem")
    if _GITHUB.fullmatch(text):
        return Format("github_token")
    if _AWS_ID.fullmatch(text):
        return Format("aws_key")
    jwt = _JWT.fullmatch(text)
    if jwt is not None and (claims := _read_claims(jwt.group(1))) is not None:
        return Format("jwt", _time(claims.get("exp")))
    if text.startswith(("{", "[")):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return Format()
        names = {str(name).lower() for name in found} if isinstance(found, dict) else set()
        return Format("aws_key" if {"access_key_id", "secret_access_key"} <= names else "json")
    return Format()


def _read_claims(part: str) -> dict[str, object] | None:
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _time(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _LATEST else None
