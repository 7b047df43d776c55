"""What a node does when it fails or takes too long: retries, time limit, what becomes of the run.

They stand beside a node's settings, since the engine follows them and not the component. Left out
of the document where they say what is so anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

OnError = Literal["stop", "continue"]

MAX_RETRIES: Final = 20
MAX_PAUSE: Final = 3_600
MAX_TIMEOUT: Final = 86_400


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and after which pauses, a node is tried again.

    Only errors that the component calls retryable are.

    :param count: tries after the first one.
    :param backoff_seconds: the first pause.
    :param factor: by which each pause is longer than the one before.
    :param max_seconds: the longest pause.
    :param jitter: the share of each pause that is left to chance, from 0 to 1, so that many
        nodes that failed together don't come back together.
    """

    count: int
    backoff_seconds: float = 1
    factor: float = 2
    max_seconds: float = 60
    jitter: float = 0.5

    def pause(self, attempt: int, chance: float) -> float:
        """Return the seconds to wait after a failed attempt.

        :param attempt: the one that failed, from 1.
        :param chance: from 0 to 1; 1 takes the whole pause.
        """
        whole = min(self.max_seconds, self.backoff_seconds * self.factor ** (attempt - 1))
        return whole * (1 - self.jitter * (1 - chance))

    def to_document(self) -> dict[str, Any]:
        """Return all of it as the graph document holds it."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True, slots=True)
class Policies:
    """A node's policies.

    :param timeout: seconds for one attempt; None for no limit but the run's.
    :param on_error: ``continue`` lets what waits for the node's ``done`` run after a failure,
        and the run succeed.
    """

    retry: Retry | None = None
    timeout: float | None = None
    on_error: OnError = "stop"

    def to_document(self) -> dict[str, Any]:
        """Return the keys that stand in a node of the graph document."""
        written: dict[str, Any] = {}
        if self.retry is not None:
            written["retry"] = self.retry.to_document()
        if self.timeout is not None:
            written["timeout"] = self.timeout
        if self.on_error != "stop":
            written["on_error"] = self.on_error
        return written


NO_POLICIES: Final = Policies()
KEYS: Final = frozenset({"retry", "timeout", "on_error"})
_LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "count": (0, MAX_RETRIES),
    "backoff_seconds": (0, MAX_PAUSE),
    "factor": (1, 10),
    "max_seconds": (0, MAX_PAUSE),
    "jitter": (0, 1),
}


def read_policies(
    raw: Mapping[str, Any], node: str, complain: Callable[[str, str, str], None]
) -> Policies:
    """Read the policies of a node of a graph document.

    :param complain: called with code, message and field for each thing that can't be.
    """
    if KEYS.isdisjoint(raw):
        return NO_POLICIES
    retry, timeout, on_error = raw.get("retry"), raw.get("timeout"), raw.get("on_error", "stop")
    found: Retry | None = None
    if retry is not None:
        message = _wrong_retry(retry)
        if message:
            complain("retry_not_valid", f"retry of node {node} {message}", "retry")
        elif retry["count"]:
            pauses = {name: _plain(value) for name, value in retry.items() if name != "count"}
            found = Retry(int(retry["count"]), **pauses)
    if timeout is not None and not (_is_number(timeout) and 0 < timeout <= MAX_TIMEOUT):
        complain(
            "timeout_not_valid",
            f"timeout of node {node} has to be a number of seconds, more than 0 and at most "
            f"{MAX_TIMEOUT}.",
            "timeout",
        )
        timeout = None
    if on_error not in ("stop", "continue"):
        complain(
            "on_error_not_valid", f"on_error of node {node} has to be stop or continue.", "on_error"
        )
        on_error = "stop"
    return Policies(found, None if timeout is None else _plain(timeout), on_error)


def _wrong_retry(retry: Any) -> str:
    """Say what is wrong with a retry policy; empty where nothing is."""
    if not isinstance(retry, dict) or "count" not in retry:
        return 'has to be an object with a count, such as {"count": 3}.'
    if not retry.keys() <= _LIMITS.keys():
        return f"takes {', '.join(_LIMITS)} and nothing else."
    for name, value in retry.items():
        least, most = _LIMITS[name]
        if not _is_number(value) or not least <= value <= most:
            return f"has a {name} that isn't a number from {least} to {most}."
    if retry["count"] != int(retry["count"]):
        return "has a count that isn't a whole number."
    return ""


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _plain(value: float) -> float:
    """Write a whole number without its point, so that one meaning has one canonical form."""
    return int(value) if value == int(value) else value


def describe_policies() -> list[dict[str, Any]]:
    """Return the policies as fields that an inspector can show; names are dotted paths."""
    standard = Retry(0)
    return [
        {
            "name": "retry.count", "label": "Retries", "kind": "number",
            "default": standard.count, "min": 0, "max": MAX_RETRIES, "whole": True,
            "help": "How often to try again after an error that may pass, such as a refused "
            "connection. Each try fetches its secrets anew.",
        },
        {
            "name": "retry.backoff_seconds", "label": "First pause (s)", "kind": "number",
            "default": standard.backoff_seconds, "min": 0, "max": MAX_PAUSE, "whole": False,
            "help": "Seconds before the first retry.",
        },
        {
            "name": "retry.factor", "label": "Growth", "kind": "number",
            "default": standard.factor, "min": 1, "max": 10, "whole": False,
            "help": "Each pause is so many times as long as the one before.",
        },
        {
            "name": "retry.max_seconds", "label": "Longest pause (s)", "kind": "number",
            "default": standard.max_seconds, "min": 0, "max": MAX_PAUSE, "whole": False,
            "help": "No pause is longer.",
        },
        {
            "name": "retry.jitter", "label": "Left to chance", "kind": "number",
            "default": standard.jitter, "min": 0, "max": 1, "whole": False,
            "help": "The share of each pause that is random, so that nodes that failed together "
            "don't come back together.",
        },
        {
            "name": "timeout", "label": "Time limit (s)", "kind": "number",
            "default": None, "min": 0, "max": MAX_TIMEOUT, "whole": False,
            "help": "Seconds for one try. Empty: only the run's own limit counts.",
        },
        {
            "name": "on_error", "label": "When it fails", "kind": "select", "default": "stop",
            "choices": [
                {"value": "stop", "label": "Fail the run"},
                {"value": "continue", "label": "Go on"},
            ],
            "help": "Go on: what waits for Done runs all the same, what needs its outputs is "
            "skipped, and the run can still succeed.",
        },
    ]  # fmt: skip
