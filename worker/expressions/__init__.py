"""Expressions that users wrote, evaluated where they can do no harm: :class:`Expressions`.

Each language has a helper process of its own (:mod:`worker.expressions.child`), started when the
first node of a run asks for it, used again by the next ones, and killed when it takes too long.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from app.components.expressions import SOURCE_CHARACTERS, Language, problem_with
from worker.expressions.child import LENGTH

SECONDS: Final = 5.0
"""How long one expression may take."""
START_SECONDS: Final = 20.0
"""How long a helper may take until it says that it is there."""
DATA_BYTES: Final = 8 * 1024 * 1024

_LOOK = 0.05


class Expressions:
    """The helpers of one run. Safe to use from threads; one expression of a language at a time.

    :param most: bytes of a result as JSON.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._helpers: dict[str, _Helper] = {}

    def evaluate(
        self, language: Language, source: str, data: Any, check: Callable[[], None]
    ) -> Any:
        """Return what ``source`` makes of ``data``.

        :param check: raises when it is time to stop.
        :raises NodeError: ``expression_not_valid``, ``expression_failed``…; never quotes data.
        """
        if len(source) > SOURCE_CHARACTERS:
            raise problem_with(language, "expression_too_long")
        request = json.dumps({"source": source, "data": data, "most": self._most}).encode()
        if len(request) > DATA_BYTES:
            raise problem_with(language, "expression_data_too_large")
        with self._lock:
            helper = self._helpers.setdefault(language, _Helper(language))
        reply = helper.ask(request, check)
        if "text" in reply:
            return json.loads(reply["text"])["value"]
        raise problem_with(
            language, reply["error"], line=reply["line"], column=reply["column"], most=self._most
        )

    def close(self) -> None:
        """End the helpers."""
        with self._lock:
            helpers, self._helpers = list(self._helpers.values()), {}
        for helper in helpers:
            helper.close()


class _Helper:
    """One process, and the pipes to it."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: bytes, check: Callable[[], None]) -> dict[str, Any]:
        """Send a request and return the reply; kills the process when it takes too long."""
        while not self._lock.acquire(timeout=_LOOK):
            check()
        try:
            try:
                if self._process is None:
                    self._process = _start(self._language)
                    self._exchange(self._process, b"", START_SECONDS, check)
                asked = LENGTH.pack(len(request)) + request
                reply: dict[str, Any] = json.loads(
                    self._exchange(self._process, asked, SECONDS, check)
                )
                return reply
            except BaseException:
                self.close()  # what is left in its pipes belongs to nobody
                raise
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()

    def _exchange(
        self,
        process: subprocess.Popen[bytes],
        asked: bytes,
        seconds: float,
        check: Callable[[], None],
    ) -> bytes:
        """Write what is asked and return what comes back, without its length."""
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a helper without pipes")
        into, out = process.stdin.fileno(), process.stdout.fileno()
        give_up = time.monotonic() + seconds
        left = memoryview(asked)
        got = bytearray()
        while len(got) < LENGTH.size or len(got) < LENGTH.size + LENGTH.unpack_from(got)[0]:
            check()
            if time.monotonic() > give_up:
                raise problem_with(self._language, "expression_timeout")
            readable, writable, _ = select.select([out], [into] if left else [], [], _LOOK)
            try:
                if writable:
                    left = left[os.write(into, left[:65_536]) :]
                if readable:
                    chunk = os.read(out, 1024 * 1024)
                    if not chunk:
                        raise BrokenPipeError
                    got += chunk
            except BrokenPipeError:
                raise problem_with(self._language, "expression_too_much") from None
        return bytes(got[LENGTH.size :])


def _start(language: str) -> subprocess.Popen[bytes]:
    """Start a helper: by exec, so that nothing of this process's memory is in it."""
    child = Path(__file__).parent / "child.py"
    libraries = sysconfig.get_paths()["purelib"]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
        [sys.executable, "-I", "-S", str(child), language, libraries],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={},
        close_fds=True, cwd="/",
    )
    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)
    return process


__all__ = ["Expressions"]
