"""AWS Signature Version 4, by botocore's own signer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from app.components.errors import NodeError
from app.providers.destinations import Target

_SAFE: Final = "-_.~"
_NAME: Final = re.compile(r"[a-z0-9-]{1,60}")
#: What may change on the way, or is only written when the request is sent.
_UNSIGNED: Final = frozenset({"user-agent", "accept-encoding", "connection"})


def as_signed(target: Target) -> Target:
    """Return the URL written as AWS reads it when it checks a signature: everything but letters,
    digits and ``-_.~`` percent-encoded, a space as ``%20``."""
    path = "/".join(quote(unquote(step), safe=_SAFE) for step in target.path.split("/"))
    pairs = parse_qsl(target.query, keep_blank_values=True)
    query = "&".join(f"{quote(name, safe=_SAFE)}={quote(value, safe=_SAFE)}"
                     for name, value in pairs)
    return replace(target, path=path, query=query)


def signature(
    method: str,
    target: Target,
    headers: list[tuple[str, bytes]],
    content: bytes | None,
    key: Mapping[str, str],
    region: str,
    service: str,
) -> list[tuple[str, bytes]]:
    """Return the headers that sign a request; they hold for some minutes.

    :param target: from :func:`as_signed`.
    :param key: ``access_key_id``, ``secret_access_key``, and ``session_token`` where there is one.
    :raises NodeError: ``aws_scope_not_valid``.
    """
    # botocore costs a tenth of a second: only requests that are signed pay.
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    if not _NAME.fullmatch(region) or not _NAME.fullmatch(service):
        raise NodeError(
            "aws_scope_not_valid",
            "To sign, AWS region and AWS service are needed, such as eu-west-1 and execute-api.",
        )
    signed: dict[str, Any] = {
        name: value.decode("latin-1") for name, value in headers if name.lower() not in _UNSIGNED
    }
    signed["Host"] = target.host_header
    request = AWSRequest(
        method=method, url=f"{target.scheme}://{target.host_header}{target.path_and_query}",
        headers=signed, data=content or b"",
    )
    if service == "s3":
        # S3 wants to be told the hash; in the clear it isn't told of itself.
        request.context["payload_signing_enabled"] = True
    held = Credentials(
        key["access_key_id"], key["secret_access_key"], key.get("session_token") or None
    )
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(held, service, region)
    signer.add_auth(request)
    before = {name.lower() for name in signed}
    return [
        (name, str(value).encode("latin-1"))
        for name, value in request.headers.items()
        if name.lower() not in before
    ]
