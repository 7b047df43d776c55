"""A letter out of settings: nothing in it can begin a header of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, getaddresses, make_msgid
from typing import Any, Final

from app.components.errors import NodeError
from app.components.http.writing import read_file

MAX_RECIPIENTS: Final = 100
MAX_ATTACHED: Final = 20 * 1024 * 1024
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Letter:
    """What is handed over.

    :param sender: the address of the envelope; ``recipients`` likewise, blind copies among them.
    """

    message: EmailMessage = field(repr=False)
    sender: str
    recipients: tuple[str, ...]

    @property
    def id(self) -> str:
        """Its Message-ID."""
        return str(self.message["Message-ID"])


def write_letter(config: Any) -> Letter:
    """Write the letter that a node's settings describe.

    :raises NodeError: ``mail_address_not_valid``, ``mail_header_not_valid``,
        ``mail_too_large``, ``file_not_valid``, ``body_not_base64``.
    """
    message = EmailMessage(policy=SMTP)
    [sender] = _addresses(config.sender, "From", least=1, most=1)
    message["From"] = sender
    found: list[Address] = []
    for label, header, texts in (
        ("To", "To", config.to), ("Cc", "Cc", config.cc), ("Bcc", "", config.bcc),
        ("Reply to", "Reply-To", config.reply_to),
    ):
        addresses = _addresses(texts, label)
        if addresses and header:
            message[header] = addresses
        if header != "Reply-To":
            found += addresses
    recipients = tuple(dict.fromkeys(one.addr_spec for one in found))
    if not recipients:
        raise NodeError("mail_address_not_valid", "The letter has nobody to go to. Fill in To.")
    if len(recipients) > MAX_RECIPIENTS:
        raise NodeError(
            "mail_address_not_valid",
            f"The letter would go to more than {MAX_RECIPIENTS} addresses. Send several.",
        )
    if _CONTROL.search(config.subject):
        raise NodeError(
            "mail_header_not_valid", "Subject has a line break or control character in it."
        )
    message["Subject"] = config.subject
    message["Date"] = formatdate()
    # Nothing of the machine's name goes out.
    message["Message-ID"] = make_msgid(domain=sender.domain)
    try:
        _fill(message, config)
    except (MessageError, UnicodeError, ValueError):
        raise NodeError(
            "mail_header_not_valid", "The letter can't be written: look at its texts and files."
        ) from None
    return Letter(message, sender.addr_spec, recipients)


def _fill(message: EmailMessage, config: Any) -> None:
    message.set_content(config.text)
    if config.html:
        message.add_alternative(config.html, subtype="html")
    total = 0
    for one in config.attachments:
        if not isinstance(one, dict):
            raise NodeError("file_not_valid", "Attachments is a list of files, each an object.")
        data, kind, name = read_file(one)
        total += len(data)
        if total > MAX_ATTACHED:
            raise NodeError(
                "mail_too_large",
                f"The attachments are longer than {MAX_ATTACHED // 1024**2} MiB together.",
            )
        media, *more = (part.strip() for part in kind.split(";"))
        main, _, sub = media.partition("/")
        # A name is a name: no folder, nothing that ends its line.
        name = _CONTROL.sub("", name).replace("\\", "/").rpartition("/")[2] or "file"
        message.add_attachment(
            data, maintype=main, subtype=sub, filename=name[:200],
            params=dict(pair for pair in (one.split("=", 1) for one in more) if len(pair) == 2),
        )


def _addresses(
    texts: str | Iterable[Any], label: str, *, least: int = 0, most: int = MAX_RECIPIENTS
) -> list[Address]:
    """Read addresses, ``Name <a@b>`` or ``a@b``, several by commas."""
    found: list[Address] = []
    for text in [texts] if isinstance(texts, str) else texts:
        if not isinstance(text, str) or _CONTROL.search(text):
            raise _not_valid(label)
        for name, address in getaddresses([text]):
            if not name and not address and not text.strip():
                continue
            if not _ADDRESS.fullmatch(address) or ".." in address:
                raise _not_valid(label)
            user, _, domain = address.rpartition("@")
            found.append(Address(name, user, domain))
    if not least <= len(found) <= most:
        raise _not_valid(label)
    return found


def _not_valid(label: str) -> NodeError:
    return NodeError(
        "mail_address_not_valid",
        f"{label} has something that is no address. Write ann@example.com, or "
        "Ann <ann@example.com>; other alphabets aren't sent yet.",
    )
