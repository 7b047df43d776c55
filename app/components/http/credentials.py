"""Credentials of a request: opened for one origin at a time, and left behind by redirects."""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Iterable
from http.client import HTTPMessage
from typing import Final
from urllib.parse import unquote, unquote_plus

from app.components.context import Context
from app.components.errors import NodeError
from app.components.external import read_credentials
from app.components.http.addresses import as_line
from app.components.http.pages import with_parameter
from app.components.http.signatures import Signatures
from app.providers.destinations import Target
from app.providers.proxies import Proxy, read_proxy

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
_BODY: Final = "secret_body"
_CERTIFICATE: Final = "client_certificate"
_AWS: Final = "aws_credentials"


class Credentials:
    """The secrets wired into an HTTP node.

    :raises NodeError: ``credentials_conflict``, ``header_not_valid``: two credentials would
        share a header.
    """

    def __init__(self, context: Context, user_headers: Iterable[str]) -> None:
        self._context = context
        self._opened: dict[str, None] = {}
        self._ports = tuple(port for port in _PORTS if context.has_secret(port))
        self._key_name: str = context.config.api_key_header
        self._key_in_query = context.config.api_key_in == "query"
        self._signs = context.has_secret(_AWS)
        self._signatures = Signatures(context, _AWS)
        self._tls: dict[str, ssl.SSLContext] = {}
        self.has_body = context.has_secret(_BODY)
        self.proxy = self._read_proxy()
        self._check({name.lower() for name in user_headers})

    def _check(self, user_headers: set[str]) -> None:
        used: set[str] = set()
        if "api_key" in self._ports and not self._key_in_query:
            name = self._key_name.lower()
            if not TOKEN.fullmatch(name) or name in FRAMING:
                raise NodeError(
                    "header_not_valid",
                    "The API key header's name can't be used. Write one such as X-API-Key.",
                )
            used.add(name)
        authorizing = [port for port in self._ports if port != "api_key"]
        authorizing += [_AWS] if self._signs else []
        if len(authorizing) > 1 or (authorizing and "authorization" in used):
            raise NodeError(
                "credentials_conflict",
                "Two secrets want the Authorization header. Remove one of the wires into "
                "bearer_token, basic_password, aws_credentials or api_key.",
            )
        if authorizing:
            used.add("authorization")
        if self._signs:
            used |= {"x-amz-date", "x-amz-security-token"}
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
            if port == "api_key" and self._key_in_query:
                continue
            value = self._line(port, origin)
            if port == "api_key":
                found.append((self._key_name, value.encode()))
            elif port == "bearer_token":
                found.append(("Authorization", b"Bearer " + value.encode()))
            else:
                user = self._context.config.basic_username
                found.append(("Authorization", self._basic(user, value, port).encode()))
        return found

    def addressed(self, target: Target) -> Target:
        """Return the URL as it is sent: with the API key, where the query carries it."""
        if not self._key_in_query or "api_key" not in self._ports:
            return target
        # In place of what the next page's URL may have brought back.
        return with_parameter(target, self._key_name, self._line("api_key", target.origin))

    def body(self, origin: str) -> bytes:
        """Open the secret body for one origin."""
        value = self._reveal(_BODY, origin)
        self._opened[value] = None
        return value.encode()

    def sign(
        self, method: str, target: Target, headers: Headers, content: bytes | None
    ) -> tuple[Target, Headers]:
        """Return the URL and the headers of a request signed for AWS, where it is to be.

        :raises NodeError: ``credentials_not_valid``, ``aws_scope_not_valid``.
        """
        if not self._signs:
            return target, headers
        from app.components.http.signing import as_signed, signature

        text = self._reveal(_AWS, target.origin)
        key = read_credentials(text, _AWS, "access_key_id", "secret_access_key")
        if any(not value.isascii() or not value.isprintable() for value in key.values()):
            raise NodeError(
                "credentials_not_valid", "An AWS key has characters that no key has."
            )
        self._opened.update(dict.fromkeys(key.values()))
        target = as_signed(target)
        config = self._context.config
        more = signature(
            method, target, headers, content, key, config.aws_region, config.aws_service
        )
        for name, value in more:
            if name == "Authorization":
                self._signatures.made(value.decode("latin-1").rpartition("=")[2])
        return target, [*headers, *more]

    def look_through(self, body: bytes, headers: HTTPMessage) -> None:
        """Have masked what an answer tells back of what was signed."""
        self._signatures.look_through(body, headers)

    def tls(self, target: Target, *, trusted: bool) -> ssl.SSLContext | None:
        """Return the TLS settings for a hop; None for the guard's own.

        :raises NodeError: ``client_certificate_needs_https``, ``secret_host_denied``.
        """
        from app.providers.client_certificates import own_context

        ca, value = self._context.config.ca.strip(), ""
        if trusted and self._context.has_secret(_CERTIFICATE):
            if target.scheme != "https":
                raise NodeError(
                    "client_certificate_needs_https",
                    "A client certificate goes with https only. Correct the URL, or remove the "
                    "wire into client_certificate.",
                )
            value = self._context.reveal(_CERTIFICATE, target.origin)
        if not ca and not value:
            return None
        if value not in self._tls:
            self._tls[value] = own_context(self._context.egress.trust, ca, value)
        return self._tls[value]

    def _read_proxy(self) -> Proxy | None:
        config = self._context.config
        if not config.proxy.strip():
            return None
        target, tls = read_proxy(config.proxy), None
        if target.scheme == "https" and config.ca.strip():
            from app.providers.client_certificates import own_context

            tls = own_context(self._context.egress.trust, config.ca)
        if not self._context.has_secret("proxy_credentials"):
            return Proxy(target, tls=tls)
        value = self._clean(self._context.reveal("proxy_credentials", target.origin),
                            "proxy_credentials")
        user, colon, password = value.partition(":")
        if not colon:
            raise NodeError(
                "secret_not_usable",
                "The secret wired into proxy_credentials has to be user:password.",
            )
        if len(password.strip()) >= 4:
            # What the masker knows is the pair; a proxy may tell the password back alone.
            self._context.derive(password, "proxy_credentials")
        return Proxy(target, self._basic(user, password, "proxy_credentials"), tls)

    def _line(self, port: str, origin: str) -> str:
        return self._clean(self._reveal(port, origin), port)

    def _reveal(self, port: str, origin: str) -> str:
        if self.proxy is not None and origin.startswith("http://"):
            # It reads what goes through it in the clear.
            self._context.reveal(port, self.proxy.target.origin)
        return self._context.reveal(port, origin)

    def _clean(self, text: str, port: str) -> str:
        value = as_line(text, port)
        self._opened[value] = None
        return value

    def _basic(self, user: str, password: str, port: str) -> str:
        if ":" in user or any(ord(char) < 0x20 for char in user):
            raise NodeError("config_invalid", "The basic user name can't have a colon in it.")
        pair = f"{user}:{password}"
        encoded = base64.b64encode(pair.encode()).decode()
        if encoded not in self._opened:
            # Known to the masker before the request can bring it back in an answer.
            self._context.derive(pair, port)
            self._context.derive(encoded, port)
            self._opened[encoded] = None
        return f"Basic {encoded}"

    def inside(self, text: str) -> bool:
        """Say whether a text, such as a redirect's URL, holds one of the opened values.

        However it is percent-encoded: servers write %2f as well as %2F, and more than they must.
        """
        read = (text, unquote(text), unquote_plus(text))
        return any(value in one for value in self._opened for one in read)
