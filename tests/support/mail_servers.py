"""Real mail servers (aiosmtpd) with real TLS, and one that answers line by line as it is told."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

GREETING = "GREETING"


@dataclass
class Mailbox:
    """What a server took.

    :ivar refuses: recipient (or ``MAIL``, ``DATA``) to the answer it gets.
    """

    port: int = 0
    taken: list[Envelope] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    secure: list[bool] = field(default_factory=list)

    @property
    def letters(self) -> list[EmailMessage]:
        """The letters, read."""
        parser = BytesParser(policy=default)
        return [cast(EmailMessage, parser.parsebytes(cast(bytes, one.content)))
                for one in self.taken]

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "MAIL" in self.refuses:
            return self.refuses["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if "DATA" in self.refuses:
            return self.refuses["DATA"]
        self.taken.append(envelope)
        self.secure.append(session.ssl is not None)
        return "250 taken"


@contextmanager
def mail_server(
    context: ssl.SSLContext | None, password: str = "", *, implicit: bool = False
) -> Iterator[Mailbox]:
    """Serve on a free port of localhost.

    :param context: for STARTTLS, or for TLS from the start where ``implicit``; None for neither.
    :param password: of the user ``flow``; empty for no login.
    """
    box = Mailbox()

    def authenticate(_: Any, __: Any, ___: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        box.logins.append((data.login.decode(), data.password.decode()))
        good = data == LoginPassword(b"flow", password.encode())
        return AuthResult(success=good, handled=False)

    more: dict[str, Any] = {}
    if password:
        more = {"authenticator": authenticate, "auth_required": True,
                "auth_require_tls": not implicit}
    if context is not None:
        more |= {"ssl_context": context} if implicit else {
            "tls_context": context, "require_starttls": True}
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        box.port = int(found.getsockname()[1])
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **more)
    controller.start()
    try:
        yield box
    finally:
        controller.stop(no_assert=True)


@contextmanager
def talking(answer: Callable[[str], str | None]) -> Iterator[tuple[int, list[str]]]:
    """Serve SMTP by hand: each line that comes (first: :data:`GREETING`) is answered with what
    ``answer`` returns; None hangs up, an empty text says nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    said: list[str] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=talk, args=(near,), daemon=True).start()

    def talk(near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            lines = near.makefile("rb")
            line = GREETING
            while True:
                reply = answer(line)
                if reply is None:
                    near.shutdown(socket.SHUT_RDWR)
                    return
                near.sendall(reply.encode())
                got = lines.readline()
                if not got:
                    return
                line = got.decode("latin-1").strip()
                said.append(line)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], said
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
