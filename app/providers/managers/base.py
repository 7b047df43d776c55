"""The contract of an external secret manager, and what all of them share.

A manager is made for one node: its address and credentials are settled, and every connection of
its goes through the egress guard. A new one is one module here and one component; nothing else
knows which managers there are.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from app.providers.calls import send
from app.providers.egress import Stop
from app.providers.errors import EgressError, ProviderError, ProviderUnreachable

if TYPE_CHECKING:
    from app.providers.destinations import Target
    from app.providers.egress import EgressGuard

ATTEMPTS: Final = 4
FIRST_PAUSE: Final = 0.2
MAX_VALUE: Final = 64 * 1024
MAX_ANSWER: Final = 4 * 1024 * 1024

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Description:
    """What a manager says of a secret without handing it over.

    :param version: the version that a fetch would return now, in the manager's own words; empty
        where it has none.
    """

    version: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A value and its version."""

    value: str = field(repr=False)
    version: str = ""


class SecretManager(Protocol):
    """An external secret manager, as one node reaches it."""

    def describe(self, reference: str, version: str = "") -> Description:
        """Say whether a secret is there and may be read, without reading it.

        :param reference: its name there: an ARN, a path.
        :param version: a version or stage; empty for the newest.
        :raises ProviderError: one of its kinds. :class:`~app.providers.errors.ProviderDenied`
            where describing isn't allowed: then the caller fetches.
        """

    def fetch(self, reference: str, version: str = "") -> Fetched:
        """Return the value.

        :raises ProviderError: one of its kinds.
        """

    def health(self) -> None:
        """Say whether the manager answers at all.

        :raises ProviderError: it doesn't, or not to these credentials.
        """


class Pause(Protocol):
    """A sleep that ends when it is time to stop."""

    def __call__(self, seconds: float) -> object: ...


def with_retries(call: Callable[[], Result], stop: Stop, pause: Pause) -> Result:
    """Call, and call again where that may help: four times at most, within the time there is.

    :raises ProviderError: what the last call raised; and what ``stop`` raises.
    """
    for attempt in range(1, ATTEMPTS + 1):
        stop.check()
        try:
            return call()
        except ProviderError as error:
            # Half of the pause is chance, so that many runs don't come back at once.
            seconds = FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311
            if not error.retryable or attempt == ATTEMPTS or seconds > stop.remaining():
                raise
        pause(seconds)
    raise AssertionError("unreachable")


def exchange(
    guard: EgressGuard,
    stop: Stop,
    method: str,
    target: Target,
    headers: Sequence[tuple[str, bytes]],
    content: bytes | None = None,
    *,
    name: str,
    tls: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    """Send one request to a manager; returns the status and the whole body.

    :param name: what messages call the manager.
    :raises ProviderUnreachable: the connection failed in a way that may pass.
    :raises ProviderError: it is refused, or the answer is longer than 4 MiB.
    """
    body = bytearray()
    try:
        with send(guard, stop, method, target, headers, content, tls=tls) as answer:
            for chunk in answer.chunks:
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise ProviderError(f"{name} answered with more than 4 MiB.")
            return answer.status, bytes(body)
    except EgressError as error:
        if error.retryable:
            raise ProviderUnreachable(error.message) from None
        raise ProviderError(error.message, code=error.code) from None
