"""``crypto.hmac``: signs a text with a secret key (RFC 2104)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType

Encoding = Literal["hex", "base64", "base64url"]
ENCODINGS: Final = (("hex", "Hex"), ("base64", "Base64"), ("base64url", "Base64 for URLs"))
_READ: Final[Mapping[str, Callable[[str], bytes]]] = {
    "text": lambda text: text.encode("utf-8", "surrogatepass"),
    "hex": lambda text: bytes.fromhex(text.strip()),
    "base64": lambda text: base64.b64decode(
        text.strip().translate(str.maketrans("-_", "+/")), validate=True
    ),
}


class HmacConfig(ComponentConfig):
    """What is signed, and how."""

    message: str = field(
        label="Message",
        kind="multiline",
        help="The text that is signed, byte for byte as UTF-8.",
        placeholder="What the other side checks",
        max_length=1_048_576,
        note="is signed as plain text, so it takes no secrets; wire the key instead",
    )
    algorithm: Literal["sha256", "sha384", "sha512", "sha1"] = field(
        "sha256",
        label="Algorithm",
        kind="select",
        choices=(
            ("sha256", "HMAC-SHA-256"), ("sha384", "HMAC-SHA-384"), ("sha512", "HMAC-SHA-512"),
            ("sha1", "HMAC-SHA-1, for old services"),
        ),
        help="What the service that checks the signature asks for.",
        rare=True,
    )
    key_format: Literal["text", "hex", "base64"] = field(
        "text",
        label="Key is written as",
        kind="select",
        choices=(("text", "Text"), ("hex", "Hex"), ("base64", "Base64")),
        help="How the key's bytes stand in the secret.",
        rare=True,
    )
    encoding: Encoding = field(
        "hex",
        label="Signature as",
        kind="select",
        choices=ENCODINGS,
        help="How the signature is written.",
        rare=True,
    )


class Hmac(Component):
    """Signs a text with a secret key."""

    name = "crypto.hmac"
    title = "HMAC Sign"
    help = (
        "Signs a text with a secret key. The signature is plain text; a key that can be guessed "
        "can be found from it by trying. Example: the header X-Signature of a request, over its "
        "body. A key with allowed hosts needs the entry local."
    )
    category = "logic"
    icon = "signature"
    summary = "{algorithm}"
    opens_secrets = True
    examples = (
        Example("Sign a webhook's body", wires={"message": "{\"event\": \"paid\"}"},
                secrets={"key": "webhooks/signing"}),
    )
    failures = (
        Failure("key_not_readable", "The key isn't written as the node says. Choose another form."),
        Failure("secret_host_denied", "The key's allowed hosts don't have the entry local."),
    )
    Config = HmacConfig
    inputs = (Port("key", PortType.SECRET, "Key", required=True, help="The key that signs."),)
    outputs = (
        Port("signature", PortType.TEXT, "Signature", help="Plain text: send it with the message."),
    )

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the signature.

        :raises NodeError: ``key_not_readable``; ``secret_host_denied``.
        """
        config = context.config
        key = _read_key(context.reveal("key", "local"), config.key_format)
        digest = hmac.new(key, _READ["text"](config.message), getattr(hashlib, config.algorithm))
        return {"signature": encoded(digest.digest(), config.encoding)}


def _read_key(text: str, form: str) -> bytes:
    try:
        key = _READ[form](text)
    except (ValueError, binascii.Error):
        key = b""
    if not key:
        raise NodeError(
            "key_not_readable",
            f"The secret wired into key isn't a key written as {form}. Choose how it is written, "
            "or wire another one.",
        )
    return key


def encoded(data: bytes, encoding: Encoding) -> str:
    """Return bytes as text."""
    if encoding == "hex":
        return data.hex()
    if encoding == "base64":
        return base64.b64encode(data).decode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
