"""When a run, or one attempt of a node, has to stop: cancelled, out of time, or lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from app.components.errors import NodeCancelled, NodeTimeout


class RunCancellation:
    """One for all nodes of a run; the :class:`~app.components.context.Cancellation` they see.

    :param deadline: when the run's time is over, on the monotonic clock; None for no limit.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self._event = threading.Event()
        self._told: list[Callable[[], None]] = []
        self.deadline = deadline

    def cancel(self) -> None:
        """Ask every node to stop."""
        self._event.set()
        for tell in self._told:
            tell()

    def subscribe(self, tell: Callable[[], None]) -> None:
        """Have ``tell`` called, from whatever thread, when somebody asks for an end."""
        self._told.append(tell)

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


class AttemptCancellation:
    """What one attempt of a node sees: the run's cancellation, and a time limit of its own.

    :param seconds: the node's time limit; None for no other than the run's.
    """

    def __init__(self, run: RunCancellation, seconds: float | None, label: str) -> None:
        self._run = run
        self._seconds = seconds
        self._label = label
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def is_set(self) -> bool:
        """Say whether to stop, for whatever reason."""
        return self._run.is_set() or self._late()

    def wait(self, seconds: float) -> bool:
        """Sleep up to ``seconds``; return at once, and True, when it is time to stop."""
        if self._deadline is not None:
            seconds = max(0.0, min(seconds, self._deadline - time.monotonic()))
        return self._run.wait(seconds) or self._late()

    def raise_if_set(self) -> None:
        """Stop here when it is time to.

        :raises NodeCancelled: the run was cancelled.
        :raises NodeTimeout: the node's or the run's deadline passed.
        """
        self._run.raise_if_set()
        if self._late():
            raise NodeTimeout(timeout_message(self._label, self._seconds))

    def _late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline


def timeout_message(label: str, seconds: float | None) -> str:
    """Say that a node took longer than its time limit."""
    return (
        f"{label} wasn't done in {seconds:g} s, its time limit. Raise the limit, or make it do "
        "less."
    )
