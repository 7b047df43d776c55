"""Credentials of a request: opened for one origin at a time, and left behind by redirects."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

from app.components.context import Context
from app.components.errors import NodeError

Headers = list[tuple[str, bytes]]

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Headers that decide how a message is framed or which host answers: not for users.
FRAMING: Final = frozenset(
    {
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade",
        "te", "trailer", "expect", "proxy-authorization", "proxy-connection",
    }
)  # fmt: skip
_PORTS: Final = ("bearer_token", "basic_password", "api_key")


class Credentials:
    """The secrets wired into an HTTP node.

    :raises NodeError: ``credentials_conflict``, ``header_not_valid``: two credentials would
        share a header.
    """

    def __init__(self, context: Context, user_headers: Iterable[str]) -> None:
        self._context = context
        self._opened: dict[str, None] = {}
        self._ports = tuple(port for port in _PORTS if context.has_secret(port))
        self._key_header: str = context.config.api_key_header
        self._check({name.lower() for name in user_headers})

    def _check(self, user_headers: set[str]) -> None:
        used: set[str] = set()
        if "api_key" in self._ports:
            name = self._key_header.lower()
            if not TOKEN.fullmatch(name) or name in FRAMING:
                raise NodeError(
                    "header_not_valid",
                    "The API key header's name can't be used. Write one such as X-API-Key.",
                )
            used.add(name)
        authorizing = [port for port in self._ports if port != "api_key"]
        if len(authorizing) > 1 or (authorizing and "authorization" in used):
            raise NodeError(
                "credentials_conflict",
                "Two secrets want the Authorization header. Remove one of the wires into "
                "bearer_token, basic_password or api_key.",
            )
        if authorizing:
            used.add("authorization")
        taken = sorted(used & user_headers)
        if taken:
            raise NodeError(
                "credentials_conflict",
                f"Header {taken[0]} is typed in Headers and filled by a secret too. Remove it "
                "from Headers.",
            )

    def headers(self, origin: str) -> Headers:
        """Open the secrets for one origin and return their headers.

        :param origin: ``scheme://host:port`` that the request is about to go to.
        :raises NodeError: ``secret_host_denied``, ``secret_not_usable``.
        """
        found: Headers = []
        for port in self._ports:
            value = self._read(port, origin)
            if port == "api_key":
                found.append((self._key_header, value.encode()))
            elif port == "bearer_token":
                found.append(("Authorization", b"Bearer " + value.encode()))
            else:
                found.append(("Authorization", b"Basic " + self._basic(value).encode()))
        return found

    def _read(self, port: str, origin: str) -> str:
        # A pasted token often ends with a line break; what is inside is another matter.
        value = self._context.reveal(port, origin).strip("\r\n\t ")
        if not value or any(ord(char) < 0x20 or ord(char) == 0x7F for char in value):
            raise NodeError(
                "secret_not_usable",
                f"The secret wired into {port} is empty or has line breaks, so it can't be sent "
                "in a header. Store it as one line.",
            )
        self._opened[value] = None
        return value

    def _basic(self, password: str) -> str:
        user = self._context.config.basic_username
        if ":" in user or any(ord(char) < 0x20 for char in user):
            raise NodeError("config_invalid", "The basic user name can't have a colon in it.")
        pair = f"{user}:{password}"
        encoded = base64.b64encode(pair.encode()).decode()
        if encoded not in self._opened:
            # Known to the masker before the request can bring it back in an answer.
            self._context.derive(pair, "basic_password")
            self._context.derive(encoded, "basic_password")
            self._opened[encoded] = None
        return encoded

    def inside(self, text: str) -> bool:
        """Say whether a text, such as a redirect's URL, holds one of the opened values."""
        return any(
            form in text
            for value in self._opened
            for form in (value, quote(value, safe=""), quote_plus(value), quote(value))
        )
