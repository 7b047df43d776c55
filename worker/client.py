"""The only door to the server: JSON over TLS that ``TACIT_CA`` vouches for.

``http.client`` on purpose: it costs a third of httpx's processor time a call. Connections are
kept open and shared by the threads of a run; no proxy, cookie or redirect is ever looked at.
"""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.errors import ConfigError
from worker.errors import RuntimeRefused, RuntimeUnreachable

TIMEOUT = 20.0
ANSWER_LIMIT = 16 * 1024 * 1024
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 3.0
_AGAIN = frozenset({429, 502, 503, 504})

Token = str | Callable[[], str] | None


class RuntimeClient:
    """Calls the runtime listener. Safe to use from threads.

    :param url: ``TACIT_RUNTIME_URL``, https only.
    :param ca: the PEM file that vouches for the listener.
    :raises ConfigError: the URL or the file can't be used.
    """

    def __init__(self, url: str, ca: Path, *, timeout: float = TIMEOUT) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.query:
            raise ConfigError(
                "setting_invalid",
                "TACIT_RUNTIME_URL has to be an address such as https://tacit.example.com:8444.",
            )
        self._host, self._port = parts.hostname, parts.port or 443
        shown = f"[{self._host}]" if ":" in self._host else self._host
        self._listener = f"{shown}:{self._port}"
        self._base = parts.path.rstrip("/")
        self._timeout = timeout
        try:
            # Only the file counts: a certificate that the system trusts isn't enough.
            self._tls = ssl.create_default_context(cafile=str(ca))
        except OSError as error:
            raise ConfigError(
                "ca_unreadable",
                f"The CA file {ca} can't be used: {error.strerror or error}. Set TACIT_CA to the "
                "installation's tls/ca.pem.",
            ) from None
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._idle: list[http.client.HTTPSConnection] = []
        self._lock = threading.Lock()
        self._offset = 0.0
        self._closed = threading.Event()

    def now(self) -> float:
        """The server's time as far as it is known, in Unix seconds."""
        return time.time() + self._offset

    def learn_time(self, unix: object) -> None:
        """Take over the server's time from an answer."""
        if isinstance(unix, int | float) and not isinstance(unix, bool):
            self._offset = float(unix) - time.time()

    def call(
        self,
        method: str,
        path: str,
        *,
        token: Token = None,
        body: Mapping[str, Any] | None = None,
        patience: float = 0.0,
        repeat: bool = True,
        meanwhile: Callable[[], object] | None = None,
    ) -> dict[str, Any]:
        """Send one request and return the answer's JSON object.

        :param token: the bearer token, or what makes a fresh one for each attempt.
        :param patience: seconds to go on trying when the server can't be reached or is busy.
        :param repeat: False for a call that must not arrive twice: then it is tried again only
            where it can't have arrived.
        :param meanwhile: called while the server answers, at each attempt; must not raise.
        :raises RuntimeRefused: the server said no.
        :raises RuntimeUnreachable: no usable answer came.
        """
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode(
            "utf-8", "backslashreplace")
        give_up = time.monotonic() + patience
        pause = FIRST_PAUSE
        while True:
            try:
                return self._once(
                    method, path, token() if callable(token) else token, data, meanwhile
                )
            except RuntimeRefused as error:
                if error.status not in _AGAIN or time.monotonic() + pause > give_up:
                    raise
            except RuntimeUnreachable as error:
                if time.monotonic() + pause > give_up or (error.sent and not repeat):
                    raise
            if self._closed.wait(pause):
                raise RuntimeUnreachable("The worker is stopping.")
            pause = min(pause * 2, LONGEST_PAUSE)

    def open(self) -> None:
        """Open a connection ahead of need.

        :raises RuntimeUnreachable: the listener doesn't answer.
        """
        connection = self._connect()
        with self._lock:
            self._idle.append(connection)

    def warm(self) -> None:
        """Ask for nothing, which opens a connection where there is none; learn the server's time.

        :raises RuntimeUnreachable: the listener doesn't answer.
        """
        self.learn_time(self.call("GET", "/ping").get("unix"))

    def close(self) -> None:
        """Close idle connections and stop waiting."""
        self._closed.set()
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def reopen(self) -> None:
        """Make a closed client usable again: for a forked child, which shares no connection."""
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._idle = []

    def _once(
        self, method: str, path: str, token: str | None, data: bytes | None,
        meanwhile: Callable[[], object] | None,
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        connection = self._take()
        try:
            connection.request(method, self._base + path, body=data, headers=headers)
            if meanwhile is not None:
                meanwhile()
            answer = connection.getresponse()
            content = answer.read(ANSWER_LIMIT + 1)
            status, closing = answer.status, answer.will_close
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise RuntimeUnreachable(
                f"{self._listener} doesn't answer: {type(error).__name__}.", sent=True
            ) from None
        except BaseException:
            connection.close()
            raise
        if closing or len(content) > ANSWER_LIMIT:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return self._read(status, content)

    def _read(self, status: int, content: bytes) -> dict[str, Any]:
        try:
            document = json.loads(content) if content else {}
        except ValueError:
            document = None
        if 200 <= status < 300:
            if isinstance(document, dict):
                return document
            raise RuntimeUnreachable(
                f"{self._listener} answered something that isn't JSON.", sent=True
            )
        problem = document if isinstance(document, dict) else {}
        raise RuntimeRefused(
            status, str(problem.get("code") or f"http_{status}"),
            str(problem.get("detail") or problem.get("title") or f"The server answered {status}."),
        )

    def _take(self) -> http.client.HTTPSConnection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._connect()
            if _is_alive(connection):
                return connection
            connection.close()

    def _connect(self) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=self._timeout, context=self._tls
        )
        try:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except ssl.SSLCertVerificationError as error:
            raise RuntimeUnreachable(
                f"The certificate of {self._listener} doesn't hold: "
                f"{error.verify_message}. Is TACIT_CA this installation's?"
            ) from None
        except OSError as error:
            raise RuntimeUnreachable(
                f"{self._listener} can't be reached: "
                f"{error.strerror or type(error).__name__}."
            ) from None
        return connection


def _is_alive(connection: http.client.HTTPSConnection) -> bool:
    """Whether an idle connection is still open.

    Readable alone says nothing: TLS 1.3 sends session tickets after the handshake.
    """
    sock = connection.sock
    if sock is None:
        return False
    try:
        if not select.select([sock], [], [], 0)[0]:
            return True
        sock.settimeout(0)
        try:
            return sock.recv(1) is None  # end of stream, or bytes that nobody asked for
        except (ssl.SSLWantReadError, BlockingIOError):
            return True
        finally:
            sock.settimeout(connection.timeout)
    except (OSError, ValueError):
        return False
