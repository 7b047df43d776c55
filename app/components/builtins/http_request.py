"""``http.request``: an HTTP call and its pages, credentials by secret wires only."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Any

from app.components.context import Context
from app.components.declaration import Component
from app.components.examples import Example, Failure
from app.components.http.settings import HttpRequestConfig
from app.components.ports import Port, PortType


class HttpRequest(Component):
    """Sends an HTTP request and returns the answer, or all pages of it."""

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
    uses = ("network",)
    examples = (
        Example("Read something public", {"url": "https://api.example.com/v1/status"}),
        Example(
            "Send JSON with a token",
            {"method": "POST", "url": "https://api.example.com/v1/orders", "body_format": "json",
             "body": "{\"item\": 7}"},
            secrets={"bearer_token": "api/token"},
        ),
        Example(
            "Read all pages of a list",
            config={"url": "https://api.example.com/v1/orders", "paginate": "link",
                    "page_items": "data"},
            secrets={"api_key": "shop/key"},
            help="Follows Link: rel=next; all orders come together in items.",
        ),
    )
    failures = (
        Failure("http_timeout", "No whole answer within the time limit. Raise it, or try again."),
        Failure("http_status", "The answer's status is one that Fail on names."),
        Failure("connection_failed", "Nothing answers there. See that the address is right."),
        Failure("connection_lost", "The answer broke off, or wasn't HTTP."),
        Failure("too_many_redirects", "More redirects than Redirects allows."),
        Failure("answer_too_large", "The answer is longer than its limit."),
        Failure("answer_not_readable", "The answer's compression is broken or unknown."),
        Failure("host_not_found", "There is no such host. See that the address is right."),
        Failure("tls_not_trusted", "The server's certificate isn't trusted: see Authority."),
        Failure("tls_failed", "The server and Tacit couldn't agree on TLS."),
        Failure("ca_not_valid", "Authority isn't a certificate in PEM."),
        Failure("egress_refused", "Runs may not connect there."),
        Failure("url_not_valid", "The URL can't be read; url_scheme, url_userinfo and "
                "host_ambiguous say what exactly is wrong with it."),
        Failure("redirect_carries_secret", "A redirect or next page would take a secret away."),
        Failure("answer_not_json", "JSON was demanded, and the answer is something else."),
        Failure("body_not_json", "The body isn't JSON, as Body format says."),
        Failure("body_not_form", "The body isn't an object, as forms need it."),
        Failure("body_not_base64", "Bytes aren't written in base64."),
        Failure("file_not_valid", "A file has neither text nor base64, or a wrong content_type."),
        Failure("body_too_large", "The body is longer than 32 MiB."),
        Failure("header_not_valid", "A header's name or value can't be sent."),
        Failure("credentials_conflict", "Two credentials want the same header."),
        Failure("credentials_not_valid", "The secret in AWS credentials is no access key."),
        Failure("aws_scope_not_valid", "AWS region or AWS service is missing."),
        Failure("client_certificate_not_valid", "Its PEM is unreadable, or its key encrypted."),
        Failure("client_certificate_needs_https", "The URL is a plain one."),
        Failure("secret_not_usable", "A secret is empty or has line breaks in it."),
        Failure("secret_host_denied", "A secret may not go to the URL's host, or to the proxy."),
        Failure("page_items_missing", "An answer has no list where Items at says."),
        Failure("page_next_not_valid", "What stands at Next at is no URL or cursor."),
        Failure("pages_repeat", "The service names a page that was read before."),
        Failure("pages_too_large", "All pages together are longer than their limit."),
        Failure("proxy_not_valid", "The proxy's address can't be used."),
        Failure("proxy_denied", "The proxy wants other credentials."),
        Failure("proxy_refused", "The proxy doesn't let it through."),
    )
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
        Port("api_key", PortType.SECRET, "API key", help="Sent in a header, or in the query."),
        Port(
            "aws_credentials",
            PortType.SECRET,
            "AWS credentials",
            help="Signs the request (Signature Version 4). JSON with access_key_id, "
            "secret_access_key and, for temporary ones, session_token.",
            structured=True,
            rare=True,
        ),
        Port(
            "client_certificate",
            PortType.SECRET,
            "Client certificate",
            help="For servers that ask for one: certificate, chain and private key as PEM in one "
            "text. It stays in memory.",
            rare=True,
        ),
        Port(
            "secret_body",
            PortType.SECRET,
            "Secret body",
            help="Sent in place of Body, a login form say. Set Content-Type in Headers.",
            rare=True,
        ),
        Port(
            "proxy_credentials",
            PortType.SECRET,
            "Proxy credentials",
            help="user:password for the proxy.",
            rare=True,
        ),
    )
    outputs = (
        Port("status", PortType.NUMBER, "Status", help="The status code, such as 200."),
        Port("body", PortType.TEXT, "Body", help="The answer as text, secrets masked in logs."),
        Port("json", PortType.JSON, "JSON", help="The answer read as JSON; null if it isn't."),
        Port("ok", PortType.BOOLEAN, "OK", help="True for a status from 200 to 299."),
        Port("headers", PortType.JSON, "Headers", help="The answer's headers, names in small "
             "letters; without Set-Cookie."),
        Port("items", PortType.LIST, "Items", help="The items of all pages."),
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
