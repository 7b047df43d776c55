"""How a request arrives: over TLS, through known proxies, with a strict JSON body."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flask import Flask, Request, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.errors import ConfigError, Denied, Invalid, Malformed, TooLarge, UnsupportedMedia

BODY_LIMIT = 2_621_440
"""Most bytes of a request's body: 2.5 MiB, room for a graph of 2 MiB."""

LARGER = {"api.import_flows": 8_912_896, "pages.plan_import": 8_912_896,
          "pages.apply_import": 8_912_896}
"""Endpoints that take more: 8.5 MiB, room for a bundle of 8 MiB."""

_MOST_MEMORY = 128 * 1024 * 1024

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Any], Iterable[bytes]]


class TrustedProxies:
    """WSGI middleware that believes forwarding headers of listed proxies, and of no one else.

    :param addresses: addresses or networks of proxies that end TLS.
    :raises ConfigError: ``setting_invalid`` for something that isn't an address.
    """

    def __init__(self, app: WsgiApp, addresses: Sequence[str]) -> None:
        self._app = app
        try:
            self._networks = [ipaddress.ip_network(text, strict=False) for text in addresses]
        except ValueError as error:
            raise ConfigError(
                "setting_invalid",
                "TACIT_TRUSTED_PROXIES must list addresses or networks, by commas.",
            ) from error

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if self._trusts(environ.get("REMOTE_ADDR", "")):
            if environ.get("HTTP_X_FORWARDED_PROTO", "").strip().lower() == "https":
                environ["wsgi.url_scheme"] = "https"
            # From the right: each hop was written by the one after it, which we know.
            hops = [hop.strip() for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",")]
            for hop in reversed(hops):
                if not _is_address(hop):
                    break
                environ["REMOTE_ADDR"] = hop
                if not self._trusts(hop):
                    break
        return self._app(environ, start_response)

    def _trusts(self, address: str) -> bool:
        if not self._networks or not _is_address(address):
            return False
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self._networks)


class TacitRequest(Request):
    """Flask's request with a JSON reader that refuses what two readers could read differently."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Return the body, a JSON object; an empty body is an empty object.

        :raises UnsupportedMedia: ``content_type_unsupported``: not ``application/json``.
        :raises Malformed: ``malformed_json``: no JSON, a duplicate key, NaN, a lone surrogate.
        :raises Invalid: ``body_not_object``.
        """
        if self.mimetype and self.mimetype != "application/json":
            raise _unsupported()
        raw = self.get_data(cache=cache)
        if self.content_length is None and len(raw) >= body_limit():
            # A chunked body has no stated length, and Werkzeug just stops reading at the limit.
            raise RequestEntityTooLarge
        if raw and not self.mimetype:
            raise _unsupported()
        return read_json_object(raw)


def read_json_object(raw: bytes, what: str = "The body") -> dict[str, Any]:
    """Read a JSON object strictly (RFC 8259, with I-JSON's unique keys, RFC 7493).

    :param what: what refusals call it.
    :raises TooLarge: ``too_many_values``: small on the wire, and huge once it is read.
    :raises Malformed: ``malformed_json``; says where, never quotes.
    :raises Invalid: ``body_not_object``.
    """
    if not raw.strip():
        return {}
    _refuse_crowd(raw, what)
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
        if _SURROGATE.search(raw):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise _malformed(
            f"{what} is not JSON: line {error.lineno}, column {error.colno}."
        ) from None
    except _DuplicateKey:
        raise _malformed(f"An object of {what.lower()} has the same key twice.") from None
    except UnicodeEncodeError:
        raise _malformed(f"{what} holds half of a surrogate pair (\\ud800–\\udfff).") from None
    except UnicodeDecodeError:
        raise _malformed(f"{what} is not UTF-8.") from None
    except RecursionError:
        raise _malformed(f"{what} is nested too deeply.") from None
    except ValueError:
        raise _malformed(
            f"{what} holds a number that JSON doesn't have or that is too long."
        ) from None
    if not isinstance(value, dict):
        raise Invalid("body_not_object", f"{what} must be a JSON object: {{…}}.")
    return value


def register(app: Flask, *, trusted_proxies: Sequence[str]) -> None:
    """Set limits and the strict reader, trust the listed proxies and refuse plain requests."""
    app.request_class = TacitRequest
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    # Cross-origin preflights must find nothing that answers them.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.wsgi_app = TrustedProxies(app.wsgi_app, trusted_proxies)  # type: ignore[method-assign]
    app.before_request(_refuse_plain)
    app.before_request(_set_limit)


def body_limit() -> int:
    """Return the most bytes that the request's body may have."""
    return LARGER.get(request.endpoint or "", BODY_LIMIT)


def refuse_large() -> None:
    """Refuse a body whose stated length is over the limit, before anything reads it."""
    length = request.content_length
    if length is not None and length > body_limit():
        raise RequestEntityTooLarge


def address() -> str:
    """Return the address of the client, as the socket or a trusted proxy states it."""
    return request.remote_addr or "unknown"


def _set_limit() -> None:
    if request.endpoint in LARGER:
        request.max_content_length = LARGER[request.endpoint]


def _refuse_plain() -> None:
    if not request.is_secure:
        raise Denied(
            "tls_required",
            "This request came without TLS, so whatever it held must be taken as seen. Use "
            "https://, or list the proxy that ends TLS in TACIT_TRUSTED_PROXIES.",
        )


def _refuse_crowd(raw: bytes, what: str) -> None:
    """Refuse a text of which a hundred bytes become kilobytes: ``[{},{},{},…``.

    Reckoned from the punctuation, with what CPython needs for an object, a list and a value;
    punctuation inside texts counts too, which is why the bound is far from what flows need.
    """
    memory = 240 * raw.count(b"{") + 90 * raw.count(b"[") + 60 * raw.count(b",")
    if memory > _MOST_MEMORY:
        raise TooLarge("too_many_values", f"{what} holds too many values. Split it.")


class _DuplicateKey(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _DuplicateKey
    return result


def _no_constant(_name: str) -> Any:
    raise ValueError


def _malformed(detail: str) -> Malformed:
    return Malformed("malformed_json", detail)


def _unsupported() -> UnsupportedMedia:
    return UnsupportedMedia(
        "content_type_unsupported", "Send the body with Content-Type: application/json."
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
