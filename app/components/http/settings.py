"""What is set in an ``http.request`` node."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import JsonValue, field_validator

from app.components.fields import ComponentConfig, config_words, field, time_limit_field
from app.components.ports import PortType

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_METHODS: Final[tuple[Method, ...]] = (
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS",
)  # fmt: skip
BodyFormat = Literal["auto", "json", "text", "form", "multipart", "binary"]
_PAGED: Final = ("link", "next_url", "page", "cursor")
_TRIES: Final = "Time, tries and redirects"
_ANSWER: Final = "What counts as an answer"
_PAGES: Final = "Pages of a list"
_WAY: Final = "Proxy and authority"
_STATUSES: Final = re.compile(r"\s*([1-5]\d\d)\s*(?:-\s*([1-5]\d\d)\s*)?")


def read_statuses(text: str) -> list[tuple[int, int]] | None:
    """Return the ranges of ``200-299, 304``; None where the text is something else."""
    found = [_STATUSES.fullmatch(part) for part in text.split(",")]
    return [(int(one[1]), int(one[2] or one[1])) for one in found if one] if all(found) else None


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
        note="is sent as plain text, so it takes no secrets; wire secret_body instead",
    )
    body_format: BodyFormat = field(
        "auto",
        label="Body format",
        kind="select",
        choices=(
            ("auto", "As it comes"),
            ("json", "JSON"),
            ("text", "Text"),
            ("form", "Form"),
            ("multipart", "Multipart, with files"),
            ("binary", "File or bytes (base64)"),
        ),
        help="Form and multipart take an object of names and values. A file is an object with "
        "filename, content_type, and text or base64.",
    )
    basic_username: str = field(
        "",
        label="Basic user name",
        kind="text",
        help="Goes with the secret wired into Basic password.",
        max_length=255,
        visible_with="basic_password",
    )
    api_key_in: Literal["header", "query"] = field(
        "header",
        label="API key in",
        kind="select",
        choices=(("header", "Header"), ("query", "Query")),
        help="Where the service looks for the secret wired into API key. Servers write queries "
        "into their logs: take the header where there is a choice.",
        visible_with="api_key",
        rare=True,
    )
    api_key_header: str = field(
        "X-API-Key",
        label="API key name",
        kind="text",
        help="Name of the header or query parameter that carries the secret wired into API key.",
        min_length=1,
        max_length=100,
        visible_with="api_key",
    )
    aws_region: str = field(
        "",
        label="AWS region",
        kind="text",
        help="Region that the request is signed for.",
        placeholder="eu-west-1",
        max_length=40,
        visible_with="aws_credentials",
    )
    aws_service: str = field(
        "execute-api",
        label="AWS service",
        kind="text",
        help="Name that the service signs under: execute-api, s3, lambda, es…",
        max_length=60,
        visible_with="aws_credentials",
    )
    timeout: float = time_limit_field(
        30.0,
        most=600,
        help="Seconds for one request, redirects and answer included; each page and each try has "
        "as long.",
        wirable=True,
        group=_TRIES,
    )
    retry_count: int = field(
        0,
        label="Try again",
        kind="number",
        help="How often to send a request again that was refused with 429 or 503, or that went "
        "wrong in a way that passes. POST and PATCH only where it can't be done twice.",
        ge=0,
        le=10,
        group=_TRIES,
    )
    max_redirects: int = field(
        5,
        label="Redirects",
        kind="number",
        help="How many redirects to follow; 0 returns the redirect itself. Credentials stay with "
        "the first scheme, host and port.",
        ge=0,
        le=20,
        group=_TRIES,
    )
    answer_as: Literal["auto", "json", "base64"] = field(
        "auto",
        label="Read the answer as",
        kind="select",
        choices=(
            ("auto", "Text, and JSON where it is"),
            ("json", "JSON, or fail"),
            ("base64", "Bytes, in base64"),
        ),
        rare=True,
        group=_ANSWER,
    )
    max_response_kib: int = field(
        512,
        label="Answer limit (KiB)",
        kind="number",
        help="A longer answer fails the node. Counted after decompression.",
        ge=1,
        le=16_384,
        group=_ANSWER,
    )
    fail_on: Literal["none", "busy", "error", "listed"] = field(
        "none",
        label="Fail on",
        kind="select",
        choices=(
            ("none", "No answer: see OK"),
            ("busy", "429 and 5xx"),
            ("error", "Every 4xx and 5xx"),
            ("listed", "All but a list"),
        ),
        help="Which answers fail the node. 429 and 5xx are then tried again where the node has "
        "retries; a call that isn't GET, HEAD, PUT, DELETE or OPTIONS may then be done twice.",
        rare=True,
        group=_ANSWER,
    )
    good_statuses: str = field(
        "200-299",
        label="Good answers",
        kind="text",
        help="Statuses and ranges by commas, such as 200-299, 304. All others fail the node.",
        max_length=200,
        visible_when=("fail_on", ("listed",)),
        rare=True,
        group=_ANSWER,
    )
    paginate: Literal["none", "link", "next_url", "page", "cursor"] = field(
        "none",
        label="Pages",
        kind="select",
        choices=(
            ("none", "One answer"),
            ("link", "Link header"),
            ("next_url", "Next URL in the answer"),
            ("page", "Page number"),
            ("cursor", "Cursor"),
        ),
        help="How the next page is asked for. All pages' items come together in items.",
        rare=True,
        group=_PAGES,
    )
    page_items: str = field(
        "",
        label="Items at",
        kind="text",
        help="Where the list stands in an answer, such as data.items. Empty: the answer is the "
        "list.",
        max_length=200,
        visible_when=("paginate", _PAGED),
        rare=True,
        group=_PAGES,
    )
    page_next: str = field(
        "next",
        label="Next at",
        kind="text",
        help="Where the next page's URL or cursor stands in an answer, such as links.next. "
        "Empty or null there ends the list.",
        min_length=1,
        max_length=200,
        visible_when=("paginate", ("next_url", "cursor")),
        rare=True,
        group=_PAGES,
    )
    page_parameter: str = field(
        "page",
        label="Query parameter",
        kind="text",
        help="Name that carries the page's number or the cursor.",
        min_length=1,
        max_length=100,
        visible_when=("paginate", ("page", "cursor")),
        rare=True,
        group=_PAGES,
    )
    page_first: int = field(
        1,
        label="First page",
        kind="number",
        help="Number of the first page. A page without items ends the list.",
        ge=0,
        le=1_000_000,
        visible_when=("paginate", ("page",)),
        rare=True,
        group=_PAGES,
    )
    max_pages: int = field(
        20,
        label="Page limit",
        kind="number",
        help="How many pages to read at most; the run log says where there were more.",
        ge=1,
        le=1_000,
        visible_when=("paginate", _PAGED),
        group=_PAGES,
    )
    max_total_kib: int = field(
        4_096,
        label="Limit of all pages (KiB)",
        kind="number",
        help="All answers together; more fails the node.",
        ge=1,
        le=65_536,
        visible_when=("paginate", _PAGED),
        group=_PAGES,
    )
    proxy: str = field(
        "",
        label="Proxy",
        kind="text",
        help="A proxy to go through. The egress guard looks at both, the proxy and the URL; "
        "credentials go over plain http only to a proxy that their allowed hosts name.",
        placeholder="http://proxy.example.com:3128",
        max_length=300,
        wirable=False,
        group=_WAY,
    )
    ca: str = field(
        "",
        label="Authority (PEM)",
        kind="multiline",
        help="Certificates of authorities to trust besides the worker's, for servers with "
        "certificates of their own making.",
        max_length=65_536,
        wirable=False,
        group=_WAY,
    )

    @field_validator("good_statuses")
    @classmethod
    def _readable(cls, text: str) -> str:
        if read_statuses(text) is None:
            raise config_words("has to be statuses and ranges by commas, such as 200-299, 304")
        return text
