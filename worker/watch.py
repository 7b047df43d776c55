"""What the worker's parent hears from a run's process, and when it has to end that process.

A run that is cancelled ends itself in order, within two seconds and whatever its nodes do: unless
its interpreter is held up by a library's code, which no thread of its own can interrupt. Then the
process has to be killed from outside, and the server told. A run that nobody cancelled goes on: who
asks the server in its place renews its lease, until its time is over.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

GRACE_SECONDS: Final = 3.5
"""How long after it heard of a cancellation a process may take to begin its report: the engine
waits two seconds for its nodes, and captured output is drained."""
DEAF_SECONDS: Final = 3.0
"""After so long without a word a process may be held up, and the server is asked in its place."""
ASK_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 1.0

CANCELLED: Final = "cancelled: it didn't stop in 2 seconds"


@dataclass
class Signs:
    """Signs of life of one run's process.

    :ivar news: all that it said, by name.
    """

    news: dict[str, Any] = field(default_factory=dict)
    _heard: float = field(default_factory=time.monotonic)
    _cancelling: float | None = None
    _asked: float = 0.0

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take in what the process said."""
        self._heard = time.monotonic()
        if "cancelling" in message and self._cancelling is None:
            self._cancelling = self._heard
        self.news.update(message)

    @property
    def claim(self) -> int | None:
        """The claim that the process holds; None before it has one."""
        claim = self.news.get("claimed")
        return claim if isinstance(claim, int) else None

    def due(self) -> Literal["ask", "kill"] | None:
        """Return what the parent has to do now, if anything.

        ``ask``: whether the server wants this run stopped, which its process may be too busy to
        hear; being asked, it renews the lease.
        """
        if self.claim is None or "finishing" in self.news:
            return None
        now = time.monotonic()
        if self._cancelling is not None and now - self._cancelling > GRACE_SECONDS:
            return "kill"
        if now - self._heard > DEAF_SECONDS and now - self._asked >= ASK_SECONDS:
            self._asked = now
            return "ask"
        return None
