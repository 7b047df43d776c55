"""When a run has to stop: cancelled by a person, out of time, or lost."""

from __future__ import annotations

import threading
import time

from app.components.errors import NodeCancelled, NodeTimeout


class RunCancellation:
    """One for all nodes of a run; the :class:`~app.components.context.Cancellation` they see.

    :param deadline: when the run's time is over, on the monotonic clock; None for no limit.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self._event = threading.Event()
        self.deadline = deadline

    def cancel(self) -> None:
        """Ask every node to stop."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked for an end, however much time is left."""
        return self._event.is_set()

    def is_set(self) -> bool:
        """Say whether to stop, for whatever reason."""
        return self._event.is_set() or self._late()

    def wait(self, seconds: float) -> bool:
        """Sleep up to ``seconds``; return at once, and True, when it is time to stop."""
        if self.deadline is not None:
            seconds = min(seconds, max(0.0, self.deadline - time.monotonic()))
        self._event.wait(seconds)
        return self.is_set()

    def raise_if_set(self) -> None:
        """Stop here when it is time to.

        :raises NodeCancelled: the run was cancelled.
        :raises NodeTimeout: the run's deadline passed.
        """
        if self._event.is_set():
            raise NodeCancelled
        if self._late():
            raise NodeTimeout(
                "The run's time was over before this node was done. Raise the flow's time limit, "
                "or make it do less.", code="run_timeout",
            )

    def _late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline
