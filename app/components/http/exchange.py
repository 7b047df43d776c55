"""The exchanges of a node: a request with its redirects, tries and pages, and what comes back."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode

from app.components.context import Context
from app.components.deadline import Deadline
from app.components.errors import NodeError
from app.components.http import pages
from app.components.http.credentials import FRAMING, TOKEN, Credentials, Headers
from app.components.http.reading import as_json, as_text, read_body
from app.components.http.retrying import Failure, again_after_status, tried
from app.components.http.settings import HttpRequestConfig, read_statuses
from app.components.http.writing import write_body
from app.providers.calls import send
from app.providers.destinations import Target, follow, read_url
from app.providers.errors import EgressError

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
#: What a user's header may be to go along to another scheme, host or port.
_HARMLESS: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "cache-control", "content-language",
     "content-type", "user-agent"}
)  # fmt: skip
#: What an answer's headers may not be to be handed on: a session is a credential too.
_WITHHELD: Final = frozenset({"set-cookie", "set-cookie2"})


@dataclass(frozen=True, slots=True)
class _Call:
    """One hop: where it goes and what it carries.

    :param trusted: whether it may carry what was meant for the URL of the node.
    :param secret_body: whether its body is the secret one.
    """

    method: str
    target: Target
    headers: Headers = field(repr=False)
    content: bytes | None = field(repr=False)
    trusted: bool = True
    secret_body: bool = False


@dataclass(frozen=True, slots=True)
class _Reply:
    """What came back, and from which hop."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes = field(repr=False)
    call: _Call

    @property
    def ok(self) -> bool:
        return 200 <= self.status <= 299

    def text(self) -> str:
        return as_text(self.body, self.headers.get("content-type", ""))


def perform(context: Context) -> dict[str, Any]:
    """Send the node's request and return its outputs.

    :raises NodeError: the request couldn't be sent, or its answer not be read.
    """
    try:
        return _Exchange(context).run()
    except EgressError as error:
        raise NodeError(error.code, error.message, retryable=error.retryable) from error


class _Exchange:
    """All that one attempt of a node sends."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._config: HttpRequestConfig = context.config
        config = self._config
        headers = _user_headers(config.headers)
        self._credentials = Credentials(context, (name for name, _ in headers))
        content, kind = write_body(config.body, config.body_format)
        if self._credentials.has_body:
            content, kind = None, "text/plain; charset=utf-8"
        if kind is not None and not _has(headers, "content-type"):
            headers.append(("Content-Type", kind.encode()))
        self._first = _Call(
            config.method, _with_query(read_url(config.url), config.query), headers, content,
            secret_body=self._credentials.has_body,
        )

    def run(self) -> dict[str, Any]:
        """Return the node's outputs."""
        config = self._config
        if config.paginate == "none":
            reply = self._answered(self._first, config.max_response_kib * 1024)
            outputs = self._outputs(reply)
            listed = pages.look_up(outputs["json"], config.page_items) if config.page_items \
                else outputs["json"]
            return {**outputs, "items": listed if isinstance(listed, list) else []}
        return self._all_pages()

    def _all_pages(self) -> dict[str, Any]:
        config = self._config
        left, number = config.max_total_kib * 1024, config.page_first
        items: list[Any] = []
        call = self._numbered(number) if config.paginate == "page" else self._first
        seen: set[str] = set()
        outputs: dict[str, Any] = {}
        for page in range(1, config.max_pages + 1):
            if call.target.url in seen:
                raise NodeError(
                    "pages_repeat",
                    f"{call.target.authority} names a page as the next one that was read before. "
                    "Look at Next at, or at the service behind it.",
                )
            seen.add(call.target.url)
            reply = self._answered(call, min(left, config.max_response_kib * 1024), left)
            left -= len(reply.body)
            outputs = self._outputs(reply)
            if not reply.ok:
                break
            found = pages.items_of(outputs["json"], config.page_items, page)
            items += found
            number += 1
            following = self._next(reply, outputs["json"], found, number)
            if following is None:
                break
            call = following
        else:
            self._context.log.warning(
                f"Read {config.max_pages} pages, the page limit of the node; there are more."
            )
        return {**outputs, "items": items}

    def _numbered(self, number: int) -> _Call:
        target = pages.with_parameter(
            self._first.target, self._config.page_parameter, str(number)
        )
        return replace(self._first, target=target)

    def _next(
        self, reply: _Reply, page: Any, found: list[Any], number: int
    ) -> _Call | None:
        """Return the call for the next page; None where this was the last one."""
        config = self._config
        if config.paginate == "page":
            return self._numbered(number) if found else None
        if config.paginate == "cursor":
            cursor = pages.read_cursor(page, config.page_next)
            if not cursor:
                return None
            target = pages.with_parameter(self._first.target, config.page_parameter, cursor)
            return replace(self._first, target=target)
        if config.paginate == "link":
            url = pages.next_link(reply.headers.get_all("link") or ())
        else:
            url = pages.read_cursor(page, config.page_next)
        if not url:
            return None
        # As the first one was asked for, whatever a redirect made of it.
        last = replace(reply.call, method=self._first.method)
        if last.trusted:
            last = replace(self._first, target=last.target)
        return self._moved(last, follow(last.target, url), "names a next page at")

    # --- tries ----------------------------------------------------------------------------------

    def _answered(self, call: _Call, limit: int, left: int | None = None) -> _Reply:
        """Return the answer, after as many tries as the node's settings allow.

        :param limit: most bytes of the answer; ``left``: what all pages have left, for the words.
        """
        def once() -> _Reply:
            try:
                return self._exchanged(call, limit)
            except NodeError as error:
                if left is not None and limit == left and error.code == "answer_too_large":
                    raise NodeError(
                        "pages_too_large",
                        f"The pages together are longer than {self._config.max_total_kib} KiB. "
                        "Ask for less, or raise the limit of all pages.",
                    ) from None
                raise

        def later(reply: _Reply) -> str | None:
            again = again_after_status(call.method, reply.status)
            return str(reply.headers.get("retry-after", "")) if again else None

        def told(outcome: _Reply | Failure) -> str:
            why = (
                f"was answered with {outcome.status}" if isinstance(outcome, _Reply)
                else f"failed ({outcome.code})"
            )
            return f"{call.method} {call.target.authority} {why}"

        reply = tried(
            self._context, call.method, self._config.retry_count, once, later=later, told=told
        )
        self._check_status(reply)
        return reply

    def _check_status(self, reply: _Reply) -> None:
        """Fail on an answer that the node's settings call a failure.

        :raises NodeError: ``http_status``, retryable where the server is busy or broken.
        """
        status, config = reply.status, self._config
        passing = status == 429 or status >= 500
        good = {
            "none": True, "busy": not passing, "error": status < 400,
            "listed": any(low <= status <= high
                          for low, high in read_statuses(config.good_statuses) or ()),
        }
        if not good[config.fail_on]:
            raise NodeError(
                "http_status",
                f"{reply.call.target.authority} answered {status}. Look at the request, or at "
                "the service behind it.",
                retryable=passing,
            )

    # --- hops -----------------------------------------------------------------------------------

    def _exchanged(self, call: _Call, limit: int) -> _Reply:
        config = self._config
        deadline = Deadline(self._context.cancelled, config.timeout)
        for left in range(config.max_redirects, -1, -1):
            deadline.place = call.target.authority
            target, headers, content = self._ready(call)
            # A connection for each hop: every one of them passes the guard. The query is left
            # out of the span: it is where credentials hide.
            with self._context.span(
                f"{call.method} {call.target.authority}", method=call.method,
                server=call.target.authority,
            ) as span, send(
                self._context.egress, deadline, call.method, target, headers, content,
                tls=self._credentials.tls(target, trusted=call.trusted),
                proxy=self._credentials.proxy,
            ) as answer:
                span["status"] = answer.status
                location = answer.header("location")
                if answer.status not in _REDIRECTS or not location or not config.max_redirects:
                    body = read_body(answer.chunks, answer.header("content-encoding"), limit)
                    self._credentials.look_through(body, answer.headers)
                    return _Reply(answer.status, answer.headers, body, call)
            if left:
                call = self._redirected(call, answer.status, location)
        raise NodeError(
            "too_many_redirects",
            f"{call.target.authority} redirected more than {config.max_redirects} times. Check "
            "the URL, or allow more redirects.",
        )

    def _ready(self, call: _Call) -> tuple[Target, Headers, bytes | None]:
        """Return a hop as it is sent; opens the secrets where the hop may carry them."""
        headers, target, content = list(call.headers), call.target, call.content
        for name, value in (
            ("Accept", b"*/*"), ("Accept-Encoding", b"gzip, deflate"), ("User-Agent", b"Tacit"),
        ):
            if not _has(headers, name.lower()):
                headers.append((name, value))
        if not call.trusted:
            return target, headers, content
        credentials = self._credentials
        if call.secret_body:
            content = credentials.body(target.origin)
        headers += credentials.headers(target.origin)
        target, headers = credentials.sign(call.method, target, headers, content)
        return credentials.addressed(target), headers, content

    def _redirected(self, call: _Call, status: int, location: str) -> _Call:
        target = follow(call.target, location)
        if (status == 303 and call.method != "HEAD") or (
            status in (301, 302) and call.method == "POST"
        ):
            headers = [one for one in call.headers if not one[0].lower().startswith("content-")]
            call = replace(call, method="GET", content=None, headers=headers, secret_body=False)
        return self._moved(call, target, "redirects to")

    def _moved(self, call: _Call, target: Target, words: str) -> _Call:
        """Return the call at another place. To another scheme, host or port nothing goes that
        was meant for this one.

        :raises NodeError: ``redirect_carries_secret``.
        """
        if target.origin == call.target.origin:
            return replace(call, target=target)
        if call.secret_body or self._credentials.inside(target.url):
            what = "the secret body" if call.secret_body else "a secret in the URL"
            raise NodeError(
                "redirect_carries_secret",
                f"{call.target.authority} {words} {target.authority} with {what}. That request "
                "wasn't sent.",
            )
        if call.trusted:
            self._context.log.info(
                f"{call.target.authority} {words} {target.origin}: credentials were left behind."
            )
        kept = [pair for pair in call.headers if pair[0].lower() in _HARMLESS]
        return replace(call, target=target, headers=kept, trusted=False)

    # --- what comes back ------------------------------------------------------------------------

    def _outputs(self, reply: _Reply) -> dict[str, Any]:
        config = self._config
        binary = config.answer_as == "base64"
        text = base64.b64encode(reply.body).decode() if binary else reply.text()
        outputs = {
            "status": reply.status, "body": text,
            "json": as_json(text) if text and not binary else None,
            "ok": reply.ok, "headers": _shown(reply.headers),
        }
        demanded = config.answer_as == "json" and reply.ok and reply.status != 204
        if demanded and reply.call.method != "HEAD" and outputs["json"] is None and (
            text.strip() != "null"
        ):
            raise NodeError(
                "answer_not_json",
                f"{reply.call.target.authority} answered {reply.status} with something that "
                "isn't JSON.",
            )
        return outputs


def _shown(headers: http.client.HTTPMessage) -> dict[str, str]:
    shown: dict[str, str] = {}
    for name, value in headers.items():
        name = name.lower()
        if name not in _WITHHELD:
            shown[name] = f"{shown[name]}, {value}" if name in shown else str(value)
    return shown


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
