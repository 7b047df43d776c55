"""The type of a secret value in memory, with a masked face and one door that opens it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import parse_qsl

from app.components.errors import NodeError
from app.providers.destinations import permits, read_url
from app.providers.errors import EgressRefused

MASK: Final = "***"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Which secret a value came from: safe to log and to show.

    :param version: of a stored secret; None for an external one.
    :param secret_id: of a stored secret; empty for an external one.
    :param external: the version of an external one, in its manager's words.
    """

    name: str
    version: int | None
    secret_id: str
    external: str = ""


class Secret:
    """A secret value. Prints as ``***``, compares by identity, can't be pickled or serialised.

    :param value: the plaintext. Only :func:`expose` gives it back.
    :param refs: the stored secrets that it was made from.
    :param allowed_hosts: where it may be sent, ``host[:port]``, ``*.domain[:port]`` or
        ``local``; None means anywhere.
    :param structured: its text is JSON, meant for inputs that take structured secrets.
    """

    __slots__ = ("__value", "refs", "rules", "structured")

    def __init__(
        self,
        value: str,
        refs: Iterable[SecretRef] = (),
        allowed_hosts: Iterable[str] | None = None,
        *,
        structured: bool = False,
    ) -> None:
        self.__value = value
        self.refs: tuple[SecretRef, ...] = tuple(refs)
        self.rules: tuple[frozenset[str], ...] = (
            () if allowed_hosts is None else (frozenset(allowed_hosts),)
        )
        self.structured = structured

    @classmethod
    def derived(cls, value: str, parents: Iterable[Secret]) -> Secret:
        """Return a secret made from others: all their refs, and only where all of them may go."""
        made = cls(value)
        refs: dict[SecretRef, None] = {}
        rules: dict[frozenset[str], None] = {}
        for parent in parents:
            refs.update(dict.fromkeys(parent.refs))
            rules.update(dict.fromkeys(parent.rules))
        made.refs, made.rules = tuple(refs), tuple(rules)
        return made

    @property
    def allowed_hosts(self) -> tuple[frozenset[str], ...]:
        """The lists of hosts that bind this value; a destination has to be in every one."""
        return self.rules

    def may_go_to(self, destination: str) -> bool:
        """Say whether it may be sent to ``https://host:port`` (or used here, ``local``)."""
        return all(permits(rule, destination) for rule in self.rules)

    def as_structured(self) -> Secret:
        """Return the same value, marked as JSON.

        :raises NodeError: ``secret_not_json``; never quotes the value or the parser.
        """
        try:
            json.loads(self.__value)
        except (ValueError, RecursionError):
            raise NodeError(
                "secret_not_json",
                f"Secret {self.names} isn't JSON. Set the output format to raw, or store JSON.",
            ) from None
        made = Secret.derived(self.__value, (self,))
        made.structured = True
        return made

    @property
    def names(self) -> str:
        """The names of the stored secrets it was made from, for messages."""
        return ", ".join(dict.fromkeys(ref.name for ref in self.refs)) or "(no name)"

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret can't be pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret can't be pickled")


def expose(secret: Secret) -> str:
    """Return the plaintext. Only the worker and ``Context.reveal`` call this."""
    value: str = object.__getattribute__(secret, "_Secret__value")
    return value


def open_for(secret: Secret, port: str, destination: str | Callable[[str], str]) -> str:
    """Return the plaintext for one destination: what every ``Context.reveal`` does last.

    :param port: the input that it came in by, for the message.
    :param destination: ``https://host:port``, or ``local``; or what reads it out of the plaintext.
    :raises NodeError: ``secret_host_denied``, when its ``allowed_hosts`` don't name it.
    """
    if callable(destination):
        destination = destination(expose(secret))
    if not secret.may_go_to(destination):
        where = "inside a node" if destination == "local" else f"to {destination}"
        raise NodeError(
            "secret_host_denied",
            f"Secret {secret.names} may not go {where} (input {port}). "
            "Its allowed hosts don't name that place: change them on the secret's page, "
            "or send the request elsewhere.",
        )
    return expose(secret)


_TELLING: Final = 8
"""Characters from which a part of a secret address counts as a secret of its own."""


def open_address(secret: Secret, port: str) -> tuple[str, list[str]]:
    """Return the plaintext of a secret that is an address, and its parts that are secrets too.

    Services hand out such addresses (``https://hooks.example/T0/B0/token``): the place is known
    only once it was read.

    :raises NodeError: ``secret_not_usable``; ``secret_host_denied``.
    """
    try:
        target = read_url(expose(secret))
    except EgressRefused:
        raise NodeError(
            "secret_not_usable",
            f"The secret wired into {port} isn't an address that begins with https:// or "
            "http://. Store the whole address as the service shows it.",
        ) from None
    parts = [target.path_and_query, *target.path.split("/")]
    parts += [value for _, value in parse_qsl(target.query)]
    # Words such as “services” are in every such address, and in other texts too.
    telling = dict.fromkeys(
        part for part in parts
        if len(part) >= _TELLING and not (len(part) < 2 * _TELLING and part.isalpha()
                                          and part.islower())
    )
    return open_for(secret, port, target.origin).strip(" \t\r\n"), list(telling)
