"""One HTTP exchange of a node: the request, its redirects, the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from app.components.context import Context
from app.components.deadline import Deadline
from app.components.errors import NodeError
from app.components.http.bodies import as_json, as_text, read_body, write_body
from app.components.http.credentials import FRAMING, TOKEN, Credentials, Headers
from app.providers.calls import Answer, send
from app.providers.destinations import Target, follow, read_url
from app.providers.errors import EgressError

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
#: What a user's header may be to go along to another scheme, host or port.
_HARMLESS: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "cache-control", "content-language",
     "content-type", "user-agent"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Call:
    """One hop: where it goes and what it carries."""

    method: str
    target: Target
    headers: Headers
    content: bytes | None
    trusted: bool


def perform(context: Context) -> dict[str, Any]:
    """Send the node's request and return its outputs.

    :raises NodeError: the request couldn't be sent, or its answer not be read.
    """
    deadline = Deadline(context.cancelled, context.config.timeout)
    try:
        return _perform(context, deadline)
    except EgressError as error:
        raise NodeError(error.code, error.message, retryable=error.retryable) from error


def _perform(context: Context, deadline: Deadline) -> dict[str, Any]:
    config = context.config
    content, kind = write_body(config.body, config.body_format)
    headers = _user_headers(config.headers)
    if kind is not None and not _has(headers, "content-type"):
        headers.append(("Content-Type", kind.encode()))
    credentials = Credentials(context, (name for name, _ in headers))
    call = _Call(
        config.method,
        _with_query(read_url(config.url), config.query),
        headers,
        content,
        trusted=True,
    )
    for left in range(config.max_redirects, -1, -1):
        deadline.place = call.target.authority
        headers = _all_headers(call, credentials)
        # A connection for each hop: every one of them passes the guard. The query is left out of
        # the span: it is where credentials hide.
        with context.span(
            f"{call.method} {call.target.authority}", method=call.method,
            server=call.target.authority,
        ) as span, send(
            context.egress, deadline, call.method, call.target, headers, call.content
        ) as answer:
            span["status"] = answer.status
            location = answer.header("location")
            redirects = answer.status in _REDIRECTS and bool(location and config.max_redirects)
            if not redirects:
                _check_status(answer.status, call.target.authority, config.fail_on)
                return _outputs(answer, config.max_response_kib * 1024)
        if left:
            call = _redirected(context, call, answer.status, location, credentials)
    raise NodeError(
        "too_many_redirects",
        f"{call.target.authority} redirected more than {config.max_redirects} times. Check the "
        "URL, or allow more redirects.",
    )


def _all_headers(call: _Call, credentials: Credentials) -> Headers:
    """Return the hop's headers; opens the secrets where the hop may carry them."""
    headers = list(call.headers)
    for name, value in (
        ("Accept", b"*/*"), ("Accept-Encoding", b"gzip, deflate"), ("User-Agent", b"Tacit"),
    ):  # fmt: skip
        if not _has(headers, name.lower()):
            headers.append((name, value))
    if call.trusted:
        headers += credentials.headers(call.target.origin)
    return headers


def _redirected(
    context: Context, call: _Call, status: int, location: str, credentials: Credentials
) -> _Call:
    """Return the next hop. To another scheme, host or port nothing goes that was meant for this."""
    target = follow(call.target, location)
    method, content, headers = call.method, call.content, call.headers
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, content = "GET", None
        headers = [pair for pair in headers if not pair[0].lower().startswith("content-")]
    if target.origin == call.target.origin:
        return replace(call, method=method, target=target, content=content, headers=headers)
    if credentials.inside(target.url):
        raise NodeError(
            "redirect_carries_secret",
            f"{call.target.authority} redirects to {target.authority} with a secret in the URL. "
            "That request wasn't sent.",
        )
    if call.trusted:
        context.log.info(f"Redirected to {target.origin}: credentials were left behind.")
    kept = [pair for pair in headers if pair[0].lower() in _HARMLESS]
    return _Call(method, target, kept, content, trusted=False)


def _check_status(status: int, place: str, fail_on: str) -> None:
    """Fail on an answer that the node's settings call a failure.

    :raises NodeError: ``http_status``, retryable where the server is busy or broken.
    """
    passing = status == 429 or status >= 500
    if (fail_on == "busy" and passing) or (fail_on == "error" and status >= 400):
        raise NodeError(
            "http_status",
            f"{place} answered {status}. Look at the request, or at the service behind it.",
            retryable=passing,
        )


def _outputs(answer: Answer, limit: int) -> dict[str, Any]:
    body = read_body(answer.chunks, answer.header("content-encoding"), limit)
    text = as_text(body, answer.header("content-type"))
    return {
        "status": answer.status,
        "body": text,
        "json": as_json(text) if text else None,
        "ok": 200 <= answer.status <= 299,
    }


def _user_headers(found: Mapping[str, Any]) -> Headers:
    headers: Headers = []
    for name, value in found.items():
        if not TOKEN.fullmatch(name):
            raise NodeError("header_not_valid", "Headers has a name that no header can have.")
        if name.lower() in FRAMING:
            raise NodeError(
                "header_not_valid", f"Header {name} is set by Tacit itself. Take it out of Headers."
            )
        text = value if isinstance(value, str) else str(value).lower()
        if any((ord(char) < 0x20 and char != "\t") or ord(char) == 0x7F for char in text):
            raise NodeError(
                "header_not_valid", f"Header {name} has a line break or control character in it."
            )
        headers.append((name, text.strip().encode()))
    return headers


def _has(headers: Headers, name: str) -> bool:
    return any(found.lower() == name for found, _ in headers)


def _with_query(target: Target, query: Mapping[str, Any]) -> Target:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict | list):
                raise NodeError(
                    "config_invalid", "Query takes texts, numbers and lists of them, not objects."
                )
            if one is not None:
                pairs.append((name, one if isinstance(one, str) else str(one).lower()))
    more = urlencode(pairs)
    return replace(target, query="&".join(part for part in (target.query, more) if part))
