"""Carrying notices out: over the egress guard to webhooks, over SMTP to people.

Done by the scheduler, which holds no master key and no secret; a worker would be a worse place,
because a run that failed with its worker has to be told of too.
"""

from __future__ import annotations

import json
import smtplib
import ssl
import time
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from app.config import Config
from app.providers.calls import send as send_request
from app.providers.destinations import read_url
from app.providers.egress import EgressGuard, EgressPolicy
from app.providers.errors import EgressError
from app.runs.notices import NotSent

LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
SECONDS: Final = 10.0
"""How long sending one notice may take."""


class _Deadline:
    """Stops waiting when the time is over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def check(self) -> None:
        if not self.remaining():
            raise NotSent("timeout")


class Post:
    """Sends notices as the installation's settings say.

    :param guard: the way out for webhooks; by default one that keeps them off the installation's
        own listeners, database and queue, as it does runs.
    """

    def __init__(self, config: Config, guard: EgressGuard | None = None) -> None:
        own = (config.public_url, config.runtime_url, config.live_url, config.database_url,
               config.redis_url)
        self._guard = guard or EgressGuard(EgressPolicy.of(own))
        self._smtp = config.smtp.lines()
        self._host = config.host

    def send(self, kind: str, target: str, body: dict[str, Any]) -> None:
        """Send one notice.

        :raises NotSent: see :class:`app.runs.notices.NotSent`.
        """
        if kind == "webhook":
            self._post(target, body)
        else:
            self._mail(target, body)

    def _post(self, url: str, body: dict[str, Any]) -> None:
        stop = _Deadline(SECONDS)
        content = json.dumps({"event": "run.failed", **body}).encode()
        headers = [("Content-Type", b"application/json"), ("User-Agent", b"tacit")]
        try:
            with send_request(
                self._guard, stop, "POST", read_url(url), headers, content
            ) as answer:
                status = answer.status
        except EgressError as error:
            raise NotSent(error.code, final=error.code == "egress_refused") from None
        except OSError:
            raise NotSent("connection_failed") from None
        if not 200 <= status < 300:
            # A redirect is not followed: the address is the one that somebody chose.
            raise NotSent(f"status_{status}", final=400 <= status < 500 and status != 429)

    def _mail(self, address: str, body: dict[str, Any]) -> None:
        if not self._smtp:
            raise NotSent("smtp_not_set", final=True)
        url = urlsplit(self._smtp[0].decode())
        if url.scheme not in ("smtp", "smtps") or not url.hostname:
            raise NotSent("smtp_url_invalid", final=True)
        sender = parse_qs(url.query).get("from", [f"tacit@{self._host}"])[0]
        try:
            self._hand_over(url, _letter(sender, address, body))
        except smtplib.SMTPRecipientsRefused:
            raise NotSent("recipient_refused", final=True) from None
        except (smtplib.SMTPException, OSError):
            # Their messages may quote what the server said, credentials among it.
            raise NotSent("smtp_failed") from None

    def _hand_over(self, url: Any, letter: EmailMessage) -> None:
        context = ssl.create_default_context()
        server: smtplib.SMTP
        if url.scheme == "smtps":
            server = smtplib.SMTP_SSL(
                url.hostname, url.port or 465, timeout=SECONDS, context=context
            )
        else:
            server = smtplib.SMTP(url.hostname, url.port or 587, timeout=SECONDS)
        with server:
            if url.scheme == "smtp" and url.hostname not in LOCAL_HOSTS:
                # Off this machine nothing goes in plain.
                server.starttls(context=context)
            if url.username:
                server.login(unquote(url.username), unquote(url.password or ""))
            server.send_message(letter)


def _letter(sender: str, address: str, body: dict[str, Any]) -> EmailMessage:
    letter = EmailMessage()
    name = " ".join(str(body["flow"]).split())
    letter["From"], letter["To"] = sender, address
    letter["Subject"] = f"{name}: run {body['state']} in {body['environment']}"
    letter["Date"], letter["Message-ID"] = formatdate(), make_msgid(domain="tacit.invalid")
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(
        f"Flow {name} in {body['environment']}: run {body['run_id']} {body['state']}"
        f"{' with ' + str(body['code']) if body['code'] else ''}.\n\n{body['link']}\n"
    )
    return letter
