"""When a node's work with the network gives up."""

from __future__ import annotations

import time

from app.components.context import Cancellation
from app.components.errors import NodeTimeout


class Deadline:
    """When an exchange gives up: cancelled, or its seconds are over.

    :param code: of the failure when the time is over.
    :param place: who didn't answer in time; may change on the way.
    """

    def __init__(
        self,
        cancelled: Cancellation,
        seconds: float,
        *,
        code: str = "http_timeout",
        place: str = "The server",
    ) -> None:
        self._cancelled = cancelled
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._code = code
        self.place = place

    def check(self) -> None:
        """Raise when it is time to stop.

        :raises NodeCancelled: the run was cancelled.
        :raises NodeTimeout: the seconds are over.
        """
        self._cancelled.raise_if_set()
        if self.remaining() <= 0:
            raise NodeTimeout(
                f"{self.place} didn't answer in {self._seconds:g} s. See whether the worker can "
                "reach it, or raise the node's time limit.", code=self._code
            )

    def remaining(self) -> float:
        """Return the seconds that are left."""
        return self._end - time.monotonic()
