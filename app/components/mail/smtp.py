"""Handing a letter over by SMTP, over a connection that the egress guard made."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar, cast

from app.components.context import Context
from app.components.deadline import Deadline
from app.components.errors import NodeError
from app.components.mail.letters import Letter
from app.providers.client_certificates import own_context
from app.providers.destinations import read_host
from app.providers.errors import EgressRefused
from app.providers.streams import Stream, connect

Security = Literal["starttls", "tls", "none"]
Result = TypeVar("Result")
#: How it greets: a name of its own would tell of the machine.
_GREETING: Final = "[127.0.0.1]"


class _Secure:
    """What smtplib takes for TLS settings: it makes our stream a secure one."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._context, self._host = context, host

    def wrap_socket(self, sock: Any, **_: Any) -> Any:
        return cast(Stream, sock).secure(self._context, self._host)


class _Client(smtplib.SMTP):
    """smtplib's client, over one connection that is there already."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        super().__init__(local_hostname=_GREETING)

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        return self._stream


def deliver(
    context: Context,
    letter: Letter,
    *,
    host: str,
    port: int,
    security: Security,
    ca: str,
    login: Callable[[str], tuple[str, str]] | None,
    seconds: float,
) -> dict[str, str]:
    """Hand a letter over; returns the recipients that were refused while others weren't.

    :param login: returns user and password, opened for ``smtp://host:port``; not called before
        the connection is secure.
    :raises NodeError: ``smtp_…``; ``smtp_unsure`` where the letter may have been taken.
    :raises EgressError: the connection couldn't be made, or broke before the letter was sent.
    """
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    stop = Deadline(context.cancelled, seconds, code="smtp_timeout", place=place)
    stream = connect(context.egress, host, port, stop)
    client: _Client | None = None
    try:
        tls = own_context(context.egress.trust, ca) if ca.strip() else context.egress.tls
        if security == "tls":
            stream = stream.secure(tls, host)
        client = talker = _Client(stream)
        _talk(lambda: _greet(talker, host, port, security, _Secure(tls, host), place), place)
        if login is not None:
            user, password = login(f"smtp://{place}")
            _talk(lambda: _log_in(talker, user, password, place), place)
        refused = _hand_over(client, letter, place)
        # It is taken; nobody waits for the goodbye.
        with contextlib.suppress(Exception):
            client.putcmd("quit")
        return refused
    finally:
        stream.close()
        if client is not None and client.sock is not None:
            client.sock.close()


def read_place(host: str) -> str:
    """Return the host of a mail server as it is connected to.

    :raises NodeError: ``url_not_valid``, ``host_ambiguous``.
    """
    try:
        return read_host(host.strip())
    except EgressRefused as error:
        raise NodeError(
            error.code, error.message.replace("The URL has no host", "The mail server has no host")
        ) from None


def _greet(
    client: _Client, host: str, port: int, security: Security, secure: _Secure, place: str
) -> None:
    code, _ = client.connect(host, port)
    if code != 220:
        raise _refusal(code, place, "smtp_refused", "doesn't take letters from here")
    client.ehlo_or_helo_if_needed()
    if security == "starttls":
        if not client.has_extn("starttls"):
            raise NodeError(
                "smtp_no_starttls",
                f"{place} doesn't offer STARTTLS, and nothing is sent in the clear. Choose TLS "
                "from the start where it offers that (port 465 as a rule).",
            )
        client.starttls(context=cast(ssl.SSLContext, secure))
        client.ehlo_or_helo_if_needed()


def _log_in(client: _Client, user: str, password: str, place: str) -> None:
    try:
        client.login(user, password)
    except smtplib.SMTPAuthenticationError as error:
        if 400 <= error.smtp_code < 500:
            raise _refusal(
                error.smtp_code, place, "smtp_refused", "can't log in anybody"
            ) from None
        raise NodeError(
            "smtp_denied",
            f"{place} doesn't take the user name and password. Correct User name, or store the "
            "right password.",
        ) from None
    except smtplib.SMTPNotSupportedError:
        raise NodeError(
            "smtp_denied",
            f"{place} offers no login. Remove the wire into password, or choose another server.",
        ) from None
    except (UnicodeError, ValueError):
        raise NodeError(
            "secret_not_usable", "The password can't be sent: store it as one line of ASCII."
        ) from None


def _hand_over(client: _Client, letter: Letter, place: str) -> dict[str, str]:
    content = letter.message.as_bytes()
    sent = False

    def send() -> dict[str, str]:
        nonlocal sent
        code, _ = client.mail(letter.sender, [f"size={len(content)}"]
                              if client.has_extn("size") else [])
        if code != 250:
            raise _refusal(code, place, "smtp_sender_refused",
                           "doesn't send letters from the address in From")
        refused = {}
        for recipient in letter.recipients:
            code, _ = client.rcpt(recipient)
            if code not in (250, 251):
                refused[recipient] = str(code)
        if len(refused) == len(letter.recipients):
            worst = max(int(one) for one in refused.values())
            raise _refusal(worst, place, "smtp_recipient_refused",
                           "takes the letter for none of its recipients")
        client.putcmd("data")
        code, _ = client.getreply()
        if code != 354:
            raise _refusal(code, place, "smtp_refused", "doesn't take the letter")
        client.send(_dotted(content))
        sent = True
        code, _ = client.getreply()
        if code != 250:
            raise _refusal(code, place, "smtp_refused", "doesn't take the letter")
        return refused

    from app.providers.errors import EgressError

    try:
        return _talk(send, place)
    except (EgressError, NodeError) as error:
        if sent and error.code in ("connection_lost", "smtp_timeout", "smtp_broken"):
            raise NodeError(
                "smtp_unsure",
                f"The connection to {place} ended before it said whether it took the letter. It "
                "may have been sent: look there before you send it again.",
            ) from None
        raise


def _dotted(content: bytes) -> bytes:
    """Write a letter as DATA takes it: lines end with CRLF, a dot at a line's start is doubled."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n").split(b"\n")
    return b"\r\n".join(b"." + one if one.startswith(b".") else one for one in lines) + b"\r\n.\r\n"


def _talk(call: Callable[[], Result], place: str) -> Result:
    """Call smtplib, whose errors quote what the server said; ours don't."""
    try:
        return call()
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code, place, "smtp_refused", "doesn't go on") from None
    except (smtplib.SMTPException, UnicodeError, ValueError):
        raise _broken(place) from None


def _broken(place: str) -> NodeError:
    return NodeError(
        "smtp_broken",
        f"{place} closed the connection, or answered something that isn't SMTP. Look at host, "
        "port and security.", retryable=True,
    )


def _refusal(code: int, place: str, never: str, words: str) -> NodeError:
    if code < 200:  # smtplib's word for an answer without a number
        return _broken(place)
    if 400 <= code < 500:
        return NodeError(
            "smtp_busy", f"{place} {words} for now ({code}). Try again later.", retryable=True
        )
    if code == 552:
        return NodeError("mail_too_large", f"The letter is too large for {place}.")
    return NodeError(never, f"{place} {words} ({code}).")
