"""The forms in which a value can stand somewhere, and taking off what lies around them."""

from __future__ import annotations

import base64
import binascii
import gzip
import html
import json
import re
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

MAX_DEPTH = 4
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_GZIP = b"\x1f\x8b\x08"
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_ESCAPE = re.compile(rb'\\["\\/bfnrtu]')


def forms_of(value: str) -> dict[str, bytes]:
    """Return the forms in which a value could stand somewhere, by name.

    Base64 is trimmed to the characters that don't depend on what stands before and after.
    """
    raw = value.encode()
    escaped = "".join(f"\\u{unit:04x}" for unit in _utf16(value))
    texts = {
        "literal": value,
        "json": json.dumps(value)[1:-1],
        "json twice": json.dumps(json.dumps(value)[1:-1])[1:-1],
        "unicode-escaped": escaped,
        "UNICODE-ESCAPED": "\\u".join(part.upper() for part in escaped.split("\\u")),
        "repr": repr(value)[1:-1],
        "url": quote(value, safe=""),
        "url, / kept": quote(value),
        "url, lower": re.sub("%..", lambda found: found[0].lower(), quote(value, safe="")),
        "url, plus": quote_plus(value),
        "url, all": "".join(f"%{byte:02X}" for byte in raw),
        "url, all, lower": "".join(f"%{byte:02x}" for byte in raw),
        "html": html.escape(value),
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
    }
    found = {name: text.encode() for name, text in texts.items()}
    found["utf-16"] = value.encode("utf-16-le")
    for shift in range(3):
        coded = _aligned(raw, shift)
        found[f"base64+{shift}"] = coded
        found[f"base64url+{shift}"] = coded.translate(bytes.maketrans(b"+/", b"-_"))
    unique: dict[bytes, str] = {}
    for name, form in found.items():
        unique.setdefault(form, name)
    return {name: form for form, name in unique.items()}


def _utf16(value: str) -> list[int]:
    units = value.encode("utf-16-be")
    return [int.from_bytes(units[at:at + 2], "big") for at in range(0, len(units), 2)]


def _aligned(raw: bytes, shift: int) -> bytes:
    """Encode ``raw`` as it looks after ``shift`` other bytes, without what neighbours change."""
    coded = base64.b64encode(b"\0" * shift + raw)
    first = -(-shift * 8 // 6)
    return coded[first : (shift + len(raw)) * 8 // 6]


def layers(data: bytes, depth: int = 0, path: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield bytes and everything that lies decodable in them, with how it was reached."""
    yield path, data
    if depth == MAX_DEPTH:
        return
    for kind, inner in _opened(data):
        yield from layers(inner, depth + 1, f"{path} {kind}".strip())


def _opened(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data.startswith(_GZIP):
        yield from _try("gzip", gzip.decompress, data)
    for found in _ZLIB.finditer(data):
        yield from _try("zlib", _inflate, data[found.start():])
    if _ESCAPE.search(data):
        unescaped = _unescape(data)
        if unescaped != data:
            yield "json", unescaped
    for found in _BASE64.finditer(data):
        # Plain text in base64 is a form of its own; here only what is packed once more.
        for _, inner in _try("", _unbase64, found[0]):
            if inner.startswith(_GZIP) or _ZLIB.match(inner):
                yield "base64", inner


def _inflate(data: bytes) -> bytes:
    """Decompress what begins here, whatever comes after it."""
    return zlib.decompressobj().decompress(data)


def _unbase64(text: bytes) -> bytes:
    plain = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    return base64.b64decode(plain + b"=" * (-len(plain) % 4))


def _try(
    kind: str, decode: Callable[[bytes], bytes], data: bytes
) -> Iterator[tuple[str, bytes]]:
    try:
        inner = decode(data)
    except (ValueError, EOFError, OSError, zlib.error, binascii.Error):
        return
    if inner:
        yield kind, inner


_SHORT = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n",
          b"r": b"\r", b"t": b"\t"}
_ESCAPED = re.compile(rb'(?:\\u[0-9a-fA-F]{4})+|\\(["\\/bfnrt])')


def _unescape(data: bytes) -> bytes:
    """Undo JSON's escapes wherever they stand, valid document or not."""

    def plain(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return _SHORT[found[1]]
        units = bytes.fromhex(found[0].replace(b"\\u", b"").decode())
        return units.decode("utf-16-be", "replace").encode("utf-8", "replace")

    return _ESCAPED.sub(plain, data)
