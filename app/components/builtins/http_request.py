"""``http.request``: one HTTP call, credentials by secret wires only."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import JsonValue

from app.components.context import Context
from app.components.declaration import Component, ComponentConfig, field
from app.components.ports import Port, PortType

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_METHODS: tuple[Method, ...] = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


class HttpRequestConfig(ComponentConfig):
    """The call, its credentials' names, and its limits."""

    method: Method = field(
        "GET",
        label="Method",
        kind="select",
        choices=tuple((method, method) for method in _METHODS),
    )
    url: str = field(
        label="URL",
        kind="text",
        help="Where to send the request. Credentials don't belong here: wire them as secrets.",
        placeholder="https://api.example.com/v1/things",
        min_length=1,
        max_length=8_192,
        note="is part of logs and error messages, so it takes no secrets",
    )
    headers: dict[str, str | int | float | bool] = field(
        {},
        label="Headers",
        kind="key_value",
        help="Extra headers. Credentials don't belong here: wire them as secrets.",
        note="is sent as plain text, so it takes no secrets; wire api_key instead",
    )
    query: dict[str, JsonValue] = field(
        {},
        label="Query",
        kind="key_value",
        help="Added to the URL after the question mark. A list repeats its name.",
        note="is part of the URL, so it takes no secrets; wire api_key instead",
    )
    body: JsonValue = field(
        None,
        label="Body",
        kind="multiline",
        port_type=PortType.JSON,
        help="Text is sent as it is; a wired object, list or number is sent as JSON.",
    )
    body_format: Literal["auto", "json", "text"] = field(
        "auto",
        label="Body format",
        kind="select",
        choices=(
            ("auto", "As it comes"),
            ("json", "JSON"),
            ("text", "Text"),
        ),
        help="JSON checks that a typed text is JSON, and sends it as application/json.",
    )
    basic_username: str = field(
        "",
        label="Basic user name",
        kind="text",
        help="Goes with the secret wired into Basic password.",
        max_length=255,
    )
    api_key_header: str = field(
        "X-API-Key",
        label="API key header",
        kind="text",
        help="Name of the header that carries the secret wired into API key.",
        min_length=1,
        max_length=100,
    )
    timeout: float = field(
        30.0,
        label="Time limit (s)",
        kind="number",
        help="Seconds for the whole request, redirects and answer included.",
        gt=0,
        le=600,
    )
    max_redirects: int = field(
        5,
        label="Redirects",
        kind="number",
        help="How many redirects to follow; 0 returns the redirect itself. Credentials stay with "
        "the first scheme, host and port.",
        ge=0,
        le=20,
    )
    max_response_kib: int = field(
        512,
        label="Answer limit (KiB)",
        kind="number",
        help="A longer answer fails the node. Counted after decompression.",
        ge=1,
        le=16_384,
    )
    fail_on: Literal["none", "busy", "error"] = field(
        "none",
        label="Fail on",
        kind="select",
        choices=(
            ("none", "No answer: see OK"),
            ("busy", "429 and 5xx"),
            ("error", "Every 4xx and 5xx"),
        ),
        help="Which answers fail the node. 429 and 5xx are then tried again where the node has "
        "retries; a call that isn't GET, HEAD, PUT, DELETE or OPTIONS may then be done twice.",
        wirable=False,
    )


class HttpRequest(Component):
    """Sends one HTTP request and returns the answer."""

    name = "http.request"
    title = "HTTP Request"
    help = (
        "Sends a request and returns its answer. Credentials come by secret wires and go to the "
        "URL's own scheme, host and port only. An answer such as 404 is a failure only where Fail "
        "on says so: see ok."
    )
    category = "connect"
    icon = "globe"
    summary = "{method} {url}"
    opens_secrets = True
    retries = True
    Config = HttpRequestConfig
    inputs = (
        Port(
            "bearer_token",
            PortType.SECRET,
            "Bearer token",
            help="Sent as Authorization: Bearer …",
        ),
        Port(
            "basic_password",
            PortType.SECRET,
            "Basic password",
            help="Sent as Authorization: Basic …, with the basic user name.",
        ),
        Port("api_key", PortType.SECRET, "API key", help="Sent in the API key header."),
    )
    outputs = (
        Port("status", PortType.NUMBER, "Status", help="The status code, such as 200."),
        Port("body", PortType.TEXT, "Body", help="The answer as text, secrets masked in logs."),
        Port("json", PortType.JSON, "JSON", help="The answer read as JSON; null if it isn't."),
        Port("ok", PortType.BOOLEAN, "OK", help="True for a status from 200 to 299."),
    )

    @classmethod
    def prepare(cls) -> None:
        """Load the exchange, and the authorities that TLS trusts."""
        from app.components.http import exchange  # noqa: F401
        from app.providers.egress import tls_context

        tls_context()
        # Loaded by its first use otherwise: it reads bodies.
        codecs.lookup("utf-8-sig")

    def run(self, context: Context) -> Mapping[str, Any]:
        """Send the request; see :mod:`app.components.http.exchange`."""
        # Imported here: the server reads declarations and never sends anything.
        from app.components.http.exchange import perform

        return perform(context)
