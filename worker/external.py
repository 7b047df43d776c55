"""A run's dealings with secret managers outside: what was checked and fetched, and who is told.

The server writes the audit. It is told before a value is used, and without its answer no value
is used: the same rule as for stored secrets.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from app.components.errors import NodeError
from app.components.secret import Secret, expose
from worker.errors import RuntimeRefused, RuntimeUnreachable

AUDIT_UNREACHABLE: Final = "audit_unreachable"
"""An access could not be written down, or the answer that it was got lost."""
CACHE_ENTRIES: Final = 64
CACHE_CHARACTERS: Final = 4 * 1024 * 1024

Purpose = Literal["check", "use"]


@dataclass(frozen=True, slots=True)
class External:
    """The external secret that a node names."""

    provider: str
    reference: str


@dataclass
class ExternalDoor:
    """What all nodes of a run share of it. Used from many threads.

    :param tell: sends one access to the server: ``{node, attempt, purpose, outcome, …}``.
    :param ask: gets the value of a reference from the worker's parent.
    :param granted: references that the environment grants.
    """

    tell: Callable[[Mapping[str, Any]], None]
    ask: Callable[[str], str]
    granted: tuple[str, ...] = ()
    #: The version that the pre-run check found, by node.
    versions: dict[str, str] = field(default_factory=dict)
    _kept: OrderedDict[str, tuple[str, str]] = field(default_factory=OrderedDict, repr=False)
    _size: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def find(self, key: str) -> tuple[str, str] | None:
        """Return a value and its version that this run fetched before."""
        with self._lock:
            return self._kept.get(key)

    def keep(self, key: str, found: tuple[str, str]) -> None:
        """Remember a value for this run; the oldest ones go when there are too many."""
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = found
            self._size += len(found[0])
            while len(self._kept) > CACHE_ENTRIES or self._size > CACHE_CHARACTERS:
                self._size -= len(self._kept.popitem(last=False)[1][0])

    def report(
        self, node: str, attempt: int, purpose: Purpose, *, code: str = "", version: str = ""
    ) -> None:
        """Have the server write down an access.

        :param code: why it failed; empty for one that didn't.
        :raises NodeError: the server refused it, or couldn't be told: the value isn't used.
        """
        access = {"node": node, "attempt": attempt, "purpose": purpose, "code": code}
        if version:
            access["version"] = version
        try:
            self.tell(access)
        except RuntimeRefused as error:
            raise NodeError(error.code, error.detail, retryable=error.status >= 500) from None
        except RuntimeUnreachable as error:
            raise NodeError(
                AUDIT_UNREACHABLE,
                f"The access couldn't be written down, so the secret isn't used: {error}",
                retryable=True,
            ) from None

    def worker_value(self, reference: str) -> str:
        """Return a secret of the worker's machine.

        :raises NodeError: ``worker_secret_denied``, ``secret_missing``.
        """
        from app.providers.managers.machine import is_granted

        if not is_granted(self.granted, reference):
            raise NodeError(
                "worker_secret_denied",
                f"This environment doesn't grant {reference}. Someone who manages environments "
                "has to grant it (tacit reach --grant), or choose another secret.",
            )
        return self.ask(reference)


def key_of(external: External, config: Any, secrets: Mapping[str, Secret]) -> str:
    """Return what two fetches share that must bring the same value: settings and credentials."""
    held = {port: expose(secret) for port, secret in sorted(secrets.items())}
    parts = [external.provider, external.reference, config.model_dump_json(), held]
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()
