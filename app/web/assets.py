"""Addresses of static files that name what the files are, so that browsers may keep them.

The canvas is some eighty small modules that import each other by relative paths: with one name in
front of all of them a browser asks for none of them a second time, and after an upgrade for all.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, Response

MARK = "v-"
YEAR = 31_536_000


def register(app: Flask) -> None:
    """Let ``url_for("static", …)`` name the files' version, and such addresses be kept for ever.

    An address without a version, or with that of another release (a page that was open during an
    upgrade), still answers with the file that is there, to be asked for again.
    """
    version = _version(Path(app.static_folder or ""))

    @app.url_defaults
    def _name(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["filename"] = f"{version}/{values['filename']}"

    def send(filename: str) -> Response:
        first, _, rest = filename.partition("/")
        answer = app.send_static_file(rest if first.startswith(MARK) else filename)
        if first == version:
            answer.cache_control.no_cache = None
            answer.cache_control.public = True
            answer.cache_control.max_age = YEAR
            answer.cache_control.immutable = True
        return answer

    app.view_functions["static"] = send


def _version(folder: Path) -> str:
    """Return a name for what the folder holds: the same on every host of an installation."""
    content = sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content.update(f"{path.relative_to(folder)}\0".encode())
            content.update(sha256(path.read_bytes()).digest())
    return MARK + content.hexdigest()[:16]
