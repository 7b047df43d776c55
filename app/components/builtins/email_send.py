"""``email.send``: a letter by SMTP, over TLS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import JsonValue

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field, time_limit_field
from app.components.ports import Port, PortType

_COPIES: Final = "Copies and answers"
_SERVER: Final = "Authority and time"
_NOTE: Final = "is part of a letter that leaves here in plain text, so it takes no secrets"


class EmailSendConfig(ComponentConfig):
    """The server, and the letter."""

    host: str = field(
        label="Server",
        kind="text",
        help="Host of the mail server.",
        placeholder="smtp.example.com",
        min_length=1,
        max_length=253,
        wirable=False,
    )
    port: int = field(
        587, label="Port", kind="number", help="587 for STARTTLS and 465 for TLS, as a rule.",
        ge=1, le=65_535, wirable=False,
    )
    security: Literal["starttls", "tls", "none"] = field(
        "starttls",
        label="Security",
        kind="select",
        choices=(
            ("starttls", "STARTTLS, or not at all"),
            ("tls", "TLS from the start"),
            ("none", "None: no password then"),
        ),
        help="Without TLS everybody on the way reads the letter.",
        wirable=False,
    )
    username: str = field(
        "",
        label="User name",
        kind="text",
        help="Goes with the secret wired into Password.",
        max_length=255,
        visible_with="password",
    )
    sender: str = field(
        label="From",
        kind="text",
        help="Address that the letter comes from.",
        placeholder="Shop <orders@example.com>",
        alias="from",
        min_length=3,
        max_length=500,
        note=_NOTE,
    )
    to: str | list[JsonValue] = field(
        label="To",
        kind="text",
        port_type=PortType.JSON,
        help="Addresses by commas, or a list of them. 100 at most, copies included.",
        placeholder="ann@example.com",
        max_length=10_000,
        note=_NOTE,
    )
    cc: str | list[JsonValue] = field(
        "", label="Cc", kind="text", port_type=PortType.JSON, help="Copies, likewise.",
        max_length=10_000, group=_COPIES, note=_NOTE,
    )
    bcc: str | list[JsonValue] = field(
        "", label="Bcc", kind="text", port_type=PortType.JSON,
        help="Copies that the others don't see.", max_length=10_000, group=_COPIES, note=_NOTE,
    )
    reply_to: str | list[JsonValue] = field(
        "", label="Reply to", kind="text", port_type=PortType.JSON, help="Where answers go.",
        max_length=10_000, group=_COPIES, note=_NOTE,
    )
    subject: str = field(
        "", label="Subject", kind="text", max_length=900, help="One line.", note=_NOTE,
    )
    text: str = field(
        "",
        label="Text",
        kind="multiline",
        help="The letter as plain text.",
        max_length=2_000_000,
        note=_NOTE,
    )
    html: str = field(
        "",
        label="HTML",
        kind="multiline",
        help="The same as HTML, for programs that show it.",
        max_length=2_000_000,
        note=_NOTE,
    )
    attachments: list[JsonValue] = field(
        [],
        label="Attachments",
        kind="json",
        port_type=PortType.LIST,
        help="Files: objects with filename, content_type, and text or base64. 20 MiB together.",
        max_length=50,
        note=_NOTE,
    )
    ca: str = field(
        "",
        label="Authority (PEM)",
        kind="multiline",
        help="Certificates of authorities to trust besides the worker's.",
        max_length=65_536,
        group=_SERVER,
        visible_when=("security", ("starttls", "tls")),
        wirable=False,
    )
    timeout: float = time_limit_field(
        30.0, most=600, help="Seconds for handing it over.", wirable=True, group=_SERVER
    )


class EmailSend(Component):
    """Sends a letter."""

    name = "email.send"
    title = "Send Email"
    help = (
        "Hands a letter to a mail server, over TLS. That it was taken doesn't mean that it "
        "arrived: bounces come to the address in From."
    )
    category = "connect"
    icon = "mail"
    summary = "{subject}"
    opens_secrets = True
    retries = True
    uses = ("network",)
    Config = EmailSendConfig
    inputs = (
        Port(
            "password", PortType.SECRET, "Password",
            help="Of the user name, for the mail server. Goes over TLS only.",
        ),
    )
    outputs = (
        Port("message_id", PortType.TEXT, "Message id", help="Its Message-ID header."),
        Port("accepted", PortType.NUMBER, "Accepted", help="How many recipients it was taken for."),
        Port("refused", PortType.LIST, "Refused", help="Recipients that the server refused."),
    )
    examples = (
        Example(
            "Send a report",
            config={
                "host": "smtp.example.com", "username": "reports",
                "from": "Reports <reports@example.com>", "to": "ann@example.com",
                "subject": "The nightly report", "text": "It is attached.",
                "attachments": [{"filename": "report.csv", "content_type": "text/csv",
                                 "text": "day,orders\n2026-11-25,17\n"}],
            },
            secrets={"password": "smtp/reports"},
        ),
    )
    failures = (
        Failure("mail_address_not_valid", "From, To, Cc, Bcc or Reply to has no valid address."),
        Failure("mail_header_not_valid", "Subject has a line break or control character in it."),
        Failure("mail_too_large", "The attachments, or the letter for that server, are too large."),
        Failure("file_not_valid", "An attachment isn't a file: see its help."),
        Failure("body_not_base64", "An attachment's base64 isn't any."),
        Failure("login_needs_tls", "A password is wired, and Security is None."),
        Failure("smtp_no_starttls", "The server doesn't offer STARTTLS; nothing was sent."),
        Failure("smtp_denied", "The server doesn't take the user name and password."),
        Failure("smtp_sender_refused", "The server doesn't send letters from the address in From."),
        Failure("smtp_recipient_refused", "The server takes the letter for nobody it is for."),
        Failure("smtp_refused", "The server refused the letter, or to talk at all."),
        Failure("smtp_busy", "The server refused for now; later is better."),
        Failure("smtp_unsure", "The connection broke when the letter may have been taken."),
        Failure("smtp_broken", "What answered doesn't speak SMTP."),
        Failure("smtp_timeout", "The server didn't answer in time."),
        Failure("tls_not_trusted", "The server's certificate isn't trusted."),
        Failure("secret_not_usable", "The password is empty or has line breaks in it."),
        Failure("secret_host_denied", "The password may not go to the mail server's host."),
        Failure("egress_refused", "Runs may not connect to the mail server's host."),
        Failure("connection_failed", "The mail server can't be reached."),
    )

    @classmethod
    def prepare(cls) -> None:
        """Load what sends."""
        from app.components.mail import smtp  # noqa: F401

    def run(self, context: Context) -> Mapping[str, Any]:
        """Send the letter.

        :raises NodeError: one of :attr:`failures`.
        """
        from app.components.http.addresses import open_line
        from app.components.mail.letters import write_letter
        from app.components.mail.smtp import deliver, read_place
        from app.providers.destinations import place_of
        from app.providers.errors import EgressError

        config = context.config
        letter = write_letter(config)
        host = read_place(config.host)
        logs_in = context.has_secret("password")
        if logs_in and config.security == "none":
            raise NodeError(
                "login_needs_tls",
                "A password goes over TLS only. Choose STARTTLS or TLS, or remove the wire into "
                "password.",
            )
        place = place_of(host, config.port)
        with context.span(f"SMTP {place}", server=place) as span:
            try:
                refused = deliver(
                    context, letter, host=host, port=config.port, security=config.security,
                    ca=config.ca, seconds=config.timeout,
                    login=(lambda where: (config.username,
                                          open_line(context, "password", where)))
                    if logs_in else None,
                )
            except EgressError as error:
                raise NodeError(error.code, error.message, retryable=error.retryable) from None
            span["recipients"] = len(letter.recipients)
        if refused:
            context.log.warning(
                f"{place} refused {len(refused)} of {len(letter.recipients)} recipients."
            )
        return {
            "message_id": letter.id,
            "accepted": len(letter.recipients) - len(refused),
            "refused": list(refused),
        }
