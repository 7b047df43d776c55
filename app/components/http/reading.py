"""Answers' bodies, read with a limit that counts after decompression."""

from __future__ import annotations

import codecs
import json
import zlib
from collections.abc import Iterable, Iterator
from email.message import Message
from typing import Any, Final

from app.components.errors import NodeError

_NOT_TEXT: Final = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf-7"})
_STEP: Final = 64 * 1024


def read_body(chunks: Iterable[bytes], encoding: str, limit: int) -> bytes:
    """Read and decompress a body.

    :param encoding: the ``Content-Encoding`` header.
    :param limit: most bytes, after decompression.
    :raises NodeError: ``answer_too_large``, ``answer_not_readable``.
    """
    names = [part.strip().lower() for part in encoding.split(",") if part.strip()]
    names = [name for name in names if name != "identity"]
    if len(names) > 1 or not set(names) <= {"gzip", "x-gzip", "deflate"}:
        raise NodeError(
            "answer_not_readable",
            "The answer is compressed in a way that wasn't asked for and can't be read.",
        )
    pieces = _inflate(chunks) if names else iter(chunks)
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > limit:
            raise NodeError(
                "answer_too_large",
                f"The answer is longer than {limit // 1024} KiB. Ask for less, or raise the "
                "answer limit.",
            )
    return bytes(body)


def _inflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress gzip or zlib in steps of 64 KiB, so that a small bomb stays small."""
    inflater = zlib.decompressobj(wbits=47)
    first = True
    try:
        for chunk in chunks:
            data = chunk
            while data:
                try:
                    piece = inflater.decompress(data, _STEP)
                except zlib.error:
                    if not first:
                        raise
                    # "deflate" is sent without its zlib frame by some servers.
                    inflater = zlib.decompressobj(wbits=-15)
                    piece = inflater.decompress(data, _STEP)
                first = False
                yield piece
                data = inflater.unconsumed_tail
                if inflater.eof:
                    data = inflater.unused_data
                    inflater = zlib.decompressobj(wbits=47)
    except zlib.error:
        raise NodeError(
            "answer_not_readable", "The answer's compression is broken. Try again.", retryable=True
        ) from None


def as_text(body: bytes, content_type: str) -> str:
    """Decode a body by its charset, UTF-8 by default; what doesn't fit becomes U+FFFD."""
    message = Message()
    message["Content-Type"] = content_type
    name = message.get_content_charset("utf-8") or "utf-8"
    try:
        found = codecs.lookup(name).name
        if found in _NOT_TEXT:
            found = "utf-8"
        return body.decode("utf-8-sig" if found == "utf-8" else found, errors="replace")
    except (LookupError, UnicodeError):
        return body.decode("utf-8", errors="replace")


def as_json(text: str) -> Any:
    """Read a text as JSON; None where it isn't, or where it can't be stored as such."""
    try:
        value = json.loads(text, parse_constant=_refuse)
        if "\\ud" in text or "\\uD" in text:
            # Half a surrogate pair is JSON, and no text.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value


def _refuse(constant: str) -> Any:
    raise ValueError("not JSON")
