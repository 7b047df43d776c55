"""A botocore client that opens no connection of its own.

botocore lets a ``before-send`` handler answer a request. Ours sends it through the egress guard,
so that its connections, proxies, DNS and TLS settings never come into play, and compares where
it goes with the place that the credentials were opened for.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from app.providers.calls import send
from app.providers.destinations import Target, read_url
from app.providers.errors import EgressRefused

if TYPE_CHECKING:
    from app.providers.egress import EgressGuard, Stop
    from app.providers.managers.aws import AwsCredentials

_OURS = frozenset({"host", "content-length", "connection", "expect", "transfer-encoding"})
_LIMIT = 4 * 1024 * 1024


def make_client(
    service: str,
    guard: EgressGuard,
    stop: Stop,
    endpoint: Target,
    region: str,
    credentials: AwsCredentials,
) -> Any:
    """Return a client whose requests all go to ``endpoint``, through the guard.

    It doesn't retry: :func:`app.providers.managers.base.with_retries` does, and can be stopped.
    """
    from botocore.config import Config
    from botocore.session import Session

    # At DEBUG it logs every answer whole: the value, before the masker can know it.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    session = Session()
    # No profile, no file: what the machine's user has set up is none of a flow's business.
    for name in ("config_file", "credentials_file"):
        session.set_config_variable(name, "/dev/null")
    client = session.create_client(
        service,
        region_name=region,
        endpoint_url=endpoint.url.rstrip("/"),
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}, proxies={}),
    )
    client.meta.events.register_first("before-send.*", _Sender(guard, stop, endpoint))
    return client


class _Sender:
    """Answers botocore's requests."""

    def __init__(self, guard: EgressGuard, stop: Stop, endpoint: Target) -> None:
        self._guard, self._stop, self._origin = guard, stop, endpoint.origin

    def __call__(self, request: Any, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse

        target = read_url(request.url)
        if target.origin != self._origin:
            raise EgressRefused(
                "egress_refused",
                f"The request would go to {target.origin}, and the credentials were opened for "
                f"{self._origin}.",
            )
        headers = [
            (name, value if isinstance(value, bytes) else str(value).encode())
            for name, value in request.headers.items()
            if name.lower() not in _OURS
        ]
        body = request.body or None
        if isinstance(body, str):
            body = body.encode()
        with send(self._guard, self._stop, request.method, target, headers, body) as answer:
            content = b"".join(_limited(answer.chunks))
            found = dict(answer.headers.items())
        return AWSResponse(request.url, answer.status, found, _Raw(content))


class _Raw(io.BytesIO):
    """The body as botocore reads it."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.getvalue()


def _limited(chunks: Iterator[bytes]) -> Iterator[bytes]:
    left = _LIMIT
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise EgressRefused("answer_too_large", "The answer is larger than 4 MiB.")
        yield chunk
