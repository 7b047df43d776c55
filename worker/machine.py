"""Secrets of the worker's own machine: the parent reads them, a run asks for them by reference.

The run's process has another user and can't read mounted secrets. It asks over its socket, and
the value comes back in a descriptor of memory. Two locks: ``TACIT_WORKER_SECRETS`` says what this
worker hands over at all, the environment's grants (checked in the run) say to whom.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from app.components.errors import NodeError
from app.components.folders import CLOSED, is_below
from app.errors import ConfigError
from app.providers.managers.machine import is_granted, is_pattern
from worker import messages

VARIABLE: Final = "TACIT_WORKER_SECRETS"
_LIMIT: Final = 64 * 1024

log = logging.getLogger("tacit.worker")


class Machine:
    """The parent's side.

    :param key_file: the worker's own key, which is never handed over; neither is what
        ``TACIT_FILE_CLOSED`` names, such as ``TACIT_HOME``.
    :raises ConfigError: :data:`VARIABLE` names something that can't be granted.
    """

    def __init__(self, environ: Mapping[str, str], key_file: Path) -> None:
        self._environ = environ
        self._key_file = key_file
        self._patterns = tuple(environ.get(VARIABLE, "").replace(",", " ").split())
        for pattern in self._patterns:
            if not is_pattern(pattern):
                raise ConfigError(
                    "setting_invalid",
                    f"{VARIABLE} holds “{pattern}”. Name env:NAME, file:/path or role:aws; a name "
                    "may end with *.",
                )

    def answer(self, sock: socket.socket, reference: str) -> None:
        """Send a run what it asked for, or why not."""
        value: bytes | None = None
        refusal = ""
        if not is_granted(self._patterns, reference):
            refusal = "denied"
        else:
            try:
                value = self._read(reference)
            except Exception as error:
                log.warning("A run's request for %s failed: %s", reference, type(error).__name__)
            refusal = "missing" if value is None else ""
        descriptors = []
        try:
            if value is not None:
                descriptors.append(os.memfd_create("tacit-secret", os.MFD_CLOEXEC))
                os.write(descriptors[0], value)
            messages.send(sock, {"answer": reference, "refusal": refusal}, descriptors)
        except OSError:
            log.warning("A run ended before it got %s", reference)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _own(self) -> list[str]:
        """Return the real paths of the worker's key and of Tacit's own files and folders."""
        closed = [text for text in self._environ.get(CLOSED, "").split(":") if text]
        return [os.path.realpath(path) for path in (str(self._key_file), *closed)]

    def _read(self, reference: str) -> bytes | None:
        kind, _, name = reference.partition(":")
        if kind == "env":
            found = self._environ.get(name)
            return None if found is None or name.startswith("TACIT_") else found.encode()
        if kind == "file":
            # Kubernetes mounts secrets as links; they must lead to nothing of Tacit's own.
            path = Path(name).resolve(strict=True)
            if any(is_below(str(path), own) for own in self._own()) or not path.is_file():
                return None
            with path.open("rb") as file:
                value = file.read(_LIMIT + 1)
            return value if len(value) <= _LIMIT else None
        return _role()


def _role() -> bytes | None:
    """Return the credentials of the AWS role that this machine has, as JSON."""
    from botocore.session import Session

    found = Session().get_credentials()
    if found is None:
        return None
    frozen = found.get_frozen_credentials()
    return json.dumps({
        "access_key_id": frozen.access_key, "secret_access_key": frozen.secret_key,
        **({"session_token": frozen.token} if frozen.token else {}),
    }).encode()


class Asking:
    """The run's side.

    :param sock: the socket to the parent, which nobody reads from while a run is under way.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    def ask(self, reference: str) -> str:
        """Return the value of a reference.

        :raises NodeError: ``worker_secret_denied``, ``secret_missing``, ``secret_not_text``.
        """
        with self._lock:
            messages.send(self._sock, {"reference": reference})
            message, descriptors = messages.receive(self._sock)
        answer: Mapping[str, Any] = message or {}
        if answer.get("refusal") == "denied":
            raise NodeError(
                "worker_secret_denied",
                f"This worker doesn't hand over {reference}. List it in {VARIABLE} where the "
                "worker is started, or choose another secret.",
            )
        if not descriptors:
            raise NodeError(
                "secret_missing",
                f"Secret {reference} is missing on this worker, or longer than 64 KiB. Mount it "
                "there, or choose another one in the node's Secret field.",
            )
        with os.fdopen(descriptors[0], "rb") as file:
            file.seek(0)
            data = file.read()
        try:
            # Files are written with a line break at their end; it is no part of the secret.
            return data.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise NodeError(
                "secret_not_text", f"Secret {reference} isn't UTF-8 text. Store it in base64."
            ) from None
