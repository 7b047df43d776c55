"""When a request is sent again: only where that can't do anything twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from app.components.context import Context
from app.components.errors import NodeError
from app.providers.errors import EgressError

Result = TypeVar("Result")
Failure = EgressError | NodeError

#: Longest that a server's Retry-After is followed, in seconds.
MAX_WAIT: Final = 60.0
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 20.0
#: Doing them twice is doing them once (RFC 9110, 9.2.2).
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
#: The server didn't do what was asked.
_NOT_DONE: Final = frozenset({429, 503})
_PASSING: Final = frozenset({408, 425, 500, 502, 504})
#: The request never reached the server.
_NOT_SENT: Final = frozenset({"connection_failed", "host_not_found", "proxy_refused"})


def tried(
    context: Context,
    method: str,
    most: int,
    once: Callable[[], Result],
    *,
    later: Callable[[Result], str | None],
    told: Callable[[Result | Failure], str],
) -> Result:
    """Send a request, and again after a pause where that can't do anything twice.

    :param most: tries after the first.
    :param once: sends it; opens the credentials anew.
    :param later: returns what an answer's Retry-After says (empty for nothing) where the answer
        means that the request wasn't done; None where it is the answer.
    :param told: what the log says of a try that failed.
    :raises NodeError: or EgressError, as the last try did.
    """
    attempt = 0
    while True:
        attempt += 1
        last, pause = attempt > most, None
        outcome: Result | Failure
        try:
            outcome = answer = once()
        except (EgressError, NodeError) as error:
            if last or not again_after_failure(method, error.code, error.retryable):
                raise
            outcome, pause = error, pause_before(attempt, "")
        else:
            asked = None if last else later(answer)
            if asked is not None:
                pause = pause_before(attempt, asked)
            if pause is None:
                return answer
        context.log.info(
            f"{told(outcome)}; again in {pause or 0:.1f} s ({attempt} of {most})."
        )
        context.cancelled.wait(pause or 0)
        context.cancelled.raise_if_set()


def again_after_status(method: str, status: int) -> bool:
    """Say whether a request that was answered so may be sent again."""
    return status in _NOT_DONE or (status in _PASSING and method in _IDEMPOTENT)


def again_after_failure(method: str, code: str, retryable: bool) -> bool:
    """Say whether a request that failed so may be sent again."""
    return retryable and (code in _NOT_SENT or method in _IDEMPOTENT)


def pause_before(attempt: int, retry_after: str) -> float | None:
    """Return the seconds to wait after a failed attempt; None where it would be too long.

    :param attempt: the one that failed, from 1.
    :param retry_after: the answer's header, seconds or a date; empty for none.
    """
    asked = _read(retry_after)
    if asked is not None:
        return asked if asked <= MAX_WAIT else None
    # Half of the pause is chance, so that many runs don't come back at once.
    whole = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempt - 1))
    return whole * random.uniform(0.5, 1.0)  # noqa: S311


def _read(text: str) -> float | None:
    text = text.strip()
    if text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
