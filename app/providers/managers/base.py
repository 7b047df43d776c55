"""The contract of an external secret manager, and what all of them share.

A manager is made for one node: its address and credentials are settled, and every connection of
its goes through the egress guard. A new one is one module here and one component; nothing else
knows which managers there are.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from app.providers.egress import Stop
from app.providers.errors import ProviderError

ATTEMPTS: Final = 4
FIRST_PAUSE: Final = 0.2
MAX_VALUE: Final = 64 * 1024

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
