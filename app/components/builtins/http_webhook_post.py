"""``http.webhook_post``: JSON to a webhook, signed where the receiver checks signatures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import JsonValue

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field, time_limit_field
from app.components.ports import Port, PortType

if TYPE_CHECKING:
    from app.components.http.credentials import Headers
    from app.providers.destinations import Target


class WebhookPostConfig(ComponentConfig):
    """Where to, and what."""

    url: str = field(
        "",
        label="URL",
        kind="text",
        help="Address of the webhook. One with a token in it is a secret: wire it into "
        "Webhook URL instead.",
        placeholder="https://hooks.example.com/orders",
        max_length=8_192,
        note="is part of logs and error messages, so it takes no secrets; wire webhook_url "
        "instead",
    )
    payload: JsonValue = field(
        {},
        label="Payload",
        kind="json",
        help="What is sent, as JSON.",
        note="is sent as plain text, so it takes no secrets",
    )
    signed_part: Literal["tacit", "body"] = field(
        "tacit",
        label="Signature",
        kind="select",
        choices=(
            ("tacit", "Time and body (X-Tacit-Signature)"),
            ("body", "Body alone (X-Hub-Signature-256)"),
        ),
        help="What the signing secret signs, and in which header: the first is what Tacit's own "
        "Webhook node checks.",
        visible_with="signing_secret",
        rare=True,
    )
    timeout: float = time_limit_field(15.0, most=120, help="Seconds for one try.", wirable=True)
    retry_count: int = field(
        2,
        label="Try again",
        kind="number",
        help="How often to send again what was refused with 429 or 503, or never arrived.",
        ge=0,
        le=10,
    )


class WebhookPost(Component):
    """Posts JSON to a webhook."""

    name = "http.webhook_post"
    title = "Webhook Post"
    help = (
        "Posts JSON to another system's webhook and fails unless that answers 2xx. With a signing "
        "secret the receiver can check who sent it. Redirects aren't followed."
    )
    category = "connect"
    icon = "send"
    summary = "{url}"
    opens_secrets = True
    retries = True
    uses = ("network",)
    Config = WebhookPostConfig
    inputs = (
        Port(
            "webhook_url", PortType.SECRET, "Webhook URL",
            help="In place of URL, where the address itself opens the door.",
        ),
        Port(
            "signing_secret", PortType.SECRET, "Signing secret",
            help="Signs what is sent (HMAC-SHA256); the receiver knows it too. It isn't sent.",
        ),
        Port(
            "bearer_token", PortType.SECRET, "Bearer token", help="Sent as Authorization: Bearer …"
        ),
    )
    outputs = (
        Port("status", PortType.NUMBER, "Status", help="The status code, such as 202."),
        Port("body", PortType.TEXT, "Body", help="The answer, up to 64 KiB."),
    )
    examples = (
        Example(
            "Tell another system of an order",
            config={"url": "https://hooks.example.com/orders", "payload": {"order": 17}},
            secrets={"signing_secret": "orders/webhook"},
        ),
    )
    failures = (
        Failure("http_status", "The receiver answered something other than 2xx."),
        Failure("http_timeout", "The receiver didn't answer in time."),
        Failure("url_not_wired", "There is neither a URL nor a secret in Webhook URL."),
        Failure("secret_not_usable", "A wired secret is no address, or has line breaks in it."),
        Failure("secret_host_denied", "A wired secret may not go to the receiver's host."),
        Failure("egress_refused", "Runs may not connect to the receiver's host."),
        Failure("connection_failed", "The receiver can't be reached."),
    )

    @classmethod
    def prepare(cls) -> None:
        """Load what sends."""
        from app.components.http import posting  # noqa: F401

    def run(self, context: Context) -> Mapping[str, Any]:
        """Post.

        :raises NodeError: one of :attr:`failures`.
        """
        import json

        from app.components.http.posting import post, status_error

        config = context.config
        target = _target(context)
        content = json.dumps(config.payload, ensure_ascii=False, separators=(",", ":")).encode()
        posted = post(
            context, target, content, lambda: _headers(context, target, content),
            seconds=config.timeout, retry_count=config.retry_count,
        )
        if not 200 <= posted.status <= 299:
            raise status_error(target, posted.status)
        return {"status": posted.status, "body": posted.text}


def _target(context: Context) -> Target:
    from app.components.http.addresses import read_target

    return read_target(context, "webhook_url", context.config.url)


def _headers(context: Context, target: Target, content: bytes) -> Headers:
    import base64
    import hmac
    import time

    from app.components.http.addresses import open_line

    headers: Headers = [("Content-Type", b"application/json")]
    if context.has_secret("bearer_token"):
        token = open_line(context, "bearer_token", target.origin)
        headers.append(("Authorization", b"Bearer " + token.encode()))
    if context.has_secret("signing_secret"):
        key = context.reveal("signing_secret", target.origin).encode()
        if not key:
            raise NodeError("secret_not_usable", "The signing secret is empty.")
        if context.config.signed_part == "tacit":
            now = str(int(time.time())).encode()
            headers.append(("X-Tacit-Timestamp", now))
            name, message = "X-Tacit-Signature", now + b"." + content
        else:
            name, message = "X-Hub-Signature-256", content
        digest = hmac.digest(key, message, "sha256")
        # A receiver may tell it back; one of the body alone holds for as long as the secret.
        context.derive(digest.hex(), "signing_secret")
        context.derive(base64.b64encode(digest).decode(), "signing_secret")
        headers.append((name, f"sha256={digest.hex()}".encode()))
    return headers
