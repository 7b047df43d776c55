"""One POST to an address that somebody chose: no redirect, tries that do nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from app.components.context import Context
from app.components.deadline import Deadline
from app.components.errors import NodeError
from app.components.http.credentials import Headers
from app.components.http.reading import as_text, read_body
from app.components.http.retrying import again_after_status, tried
from app.providers.calls import send
from app.providers.destinations import Target
from app.providers.errors import EgressError

_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Posted:
    """What was answered.

    :param text: at most 64 KiB.
    """

    status: int
    text: str = field(repr=False)
    retry_after: str = ""


def post(
    context: Context,
    target: Target,
    content: bytes,
    headers: Callable[[], Headers],
    *,
    seconds: float,
    retry_count: int,
    busy: Callable[[Posted], bool] = lambda _: False,
) -> Posted:
    """Post, and post again where it surely wasn't done.

    :param headers: opens the credentials; asked for each try.
    :param busy: says of an answer that it means "later", whatever its status.
    :raises NodeError: ``http_timeout``, ``answer_too_large``; what the guard refuses.
    """
    def later(posted: Posted) -> str | None:
        again = again_after_status("POST", posted.status) or busy(posted)
        return posted.retry_after if again else None

    try:
        return tried(
            context, "POST", retry_count,
            lambda: _post(context, target, content, headers(), seconds),
            later=later, told=lambda _: f"{target.authority} didn't take it",
        )
    except EgressError as error:
        raise NodeError(error.code, error.message, retryable=error.retryable) from None


def _post(
    context: Context, target: Target, content: bytes, headers: Headers, seconds: float
) -> Posted:
    deadline = Deadline(context.cancelled, seconds, place=target.authority)
    headers = [*headers, ("User-Agent", b"Tacit"), ("Accept-Encoding", b"identity")]
    with context.span(
        f"POST {target.authority}", method="POST", server=target.authority
    ) as span, send(context.egress, deadline, "POST", target, headers, content) as answer:
        span["status"] = answer.status
        body = read_body(answer.chunks, answer.header("content-encoding"), _LIMIT)
        text = as_text(body, answer.header("content-type"))
        return Posted(answer.status, text, answer.header("retry-after"))


def status_error(target: Target, status: int) -> NodeError:
    """Return the failure for an answer that isn't 2xx."""
    what = "Look at the address, and at the service behind it."
    if 300 <= status <= 399:
        what = "Redirects aren't followed here: use the address that it leads to."
    return NodeError(
        "http_status", f"{target.authority} answered {status}. {what}",
        retryable=status == 429 or status >= 500,
    )
