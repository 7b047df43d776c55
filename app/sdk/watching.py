"""What a component under test does past its context, as the interpreter's audit hooks tell it.

For authors' tests: a package that opens its own connection is found by ``contract.check``. In a
worker nothing of this runs (docs/components.md says what ``uses`` binds there).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_TOLD: Final = {
    "socket.connect": "connects to the network by itself",
    "socket.sendto": "sends to the network by itself",
    "socket.bind": "listens on the network",
    "subprocess.Popen": "starts a program",
    "os.system": "starts a program",
    "os.posix_spawn": "starts a program",
    "os.exec": "starts a program",
}
_GUARD: Final = "app.providers.egress"

_watched: dict[int, list[str]] = {}
_installed = False


@contextmanager
def watched() -> Iterator[list[str]]:
    """Yield a list that fills with what this thread does past the context: words, each once."""
    global _installed
    if not _installed:
        # It can't be taken off again; without a watched thread it returns at once.
        sys.addaudithook(_hear)
        _installed = True
    found: list[str] = []
    _watched[threading.get_ident()] = found
    try:
        yield found
    finally:
        _watched.pop(threading.get_ident(), None)


def _hear(event: str, _arguments: tuple[Any, ...]) -> None:
    if not _watched or event not in _TOLD:
        return
    found = _watched.get(threading.get_ident())
    if found is None or _TOLD[event] in found:
        return
    if sys._getframe(1).f_globals.get("__name__") != _GUARD:
        found.append(_TOLD[event])
