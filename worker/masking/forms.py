"""Every spelling of a secret value that must not leave: the forms of MASKING.md.

A form is plain text. Base64 is registered in three alignments, trimmed to the characters that do
not depend on what stands beside the value, because the encoding of ``user:value`` shares only
those with the encoding of the value alone.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import urllib.parse
from collections.abc import Iterator
from typing import Any

from worker.masking.controls import strip_controls

MIN_LENGTH = 4
"""Shorter values can't be masked: they would turn logs into stars."""
STRONG_LENGTH = 8
STRONG_DISTINCT = 5
LINE_LENGTH = 12
PEM_LINE_LENGTH = 8
LEAF_LIMIT = 2_000
"""Leaves of one structured value that are registered; the vault takes at most 200."""

# Characters that no notation but hex and base64 writes another way.
_UNCHANGED = re.compile(r"[A-Za-z0-9_.\-]*")
# What XML and HTML write as numbers: other than ASCII, and white space within attributes.
_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")
_WRAPS = (64, 76)  # PEM and MIME (RFC 7468, RFC 2045) break base64 at these widths


def is_maskable(value: str) -> bool:
    """Say whether ``value`` is long enough to be masked at all."""
    return len(value.strip()) >= MIN_LENGTH


def is_weak(value: str) -> bool:
    """Say whether ``value`` is masked only where it stands as a whole word.

    True for fewer than 8 characters or fewer than 5 distinct ones: masked anywhere, such values
    would hide ordinary text.
    """
    return len(value) < STRONG_LENGTH or len(set(value)) < STRONG_DISTINCT


def forms_of(value: str) -> tuple[set[str], set[str]]:
    """Return ``(anywhere, words)``: the forms of ``value`` masked anywhere, or as words only.

    Both are empty for a value that :func:`is_maskable` refuses.
    """
    anywhere: set[str] = set()
    words: set[str] = set()
    if not is_maskable(value):
        return anywhere, words
    if is_weak(value):
        words.update(part for part in (value, value.strip()) if is_maskable(part))
        return anywhere, words
    encoded: set[str] = set()
    for part, with_encodings in _parts(value):
        if not is_maskable(part):
            continue
        if is_weak(part):
            words.add(part)
            continue
        anywhere.add(part)
        if with_encodings and part not in encoded:
            encoded.add(part)
            anywhere.update(form for form in _encodings(part) if len(form) >= STRONG_LENGTH)
    return anywhere, words - anywhere


def _parts(value: str) -> Iterator[tuple[str, bool]]:
    """The value and the pieces of it that are secrets in their own right.

    The second item says whether the encoded forms count too.
    """
    yield value, True
    trimmed = value.strip()
    yield trimmed, True
    # A strong value can trim to a weak one (spaces around a PIN); the word rule then applies.
    if len(trimmed) >= 2 and trimmed[0] == trimmed[-1] and trimmed[0] in "\"'":
        yield trimmed[1:-1], True
    yield strip_controls(value), True
    yield from _lines(value)
    yield from _leaves(value)
    yield from _password(value)


def _lines(value: str) -> Iterator[tuple[str, bool]]:
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) < 2:
        return
    filled = [line for line in lines if line]
    for separator in ("\n", "\r\n", "\r", " ", ""):
        # Each long line has its encoded forms already; the whole needs them as files have it.
        with_encodings = separator in ("\n", "\r\n")
        yield separator.join(lines).strip(), with_encodings
        yield separator.join(filled), with_encodings
    in_pem = False
    body: list[str] = []
    for line in filled:
        if line.startswith("-----BEGIN "):
            in_pem, body = True, []
        elif line.startswith("-----END "):
            in_pem = False
            yield "".join(body), True  # the body on one line, as environment files carry it
        elif len(line) >= (PEM_LINE_LENGTH if in_pem else LINE_LENGTH):
            body.append(line)
            yield line, True
        else:
            body.append(line)


def _leaves(value: str) -> Iterator[tuple[str, bool]]:
    """Text and numbers inside a JSON object or list, and the document written anew."""
    if value.lstrip()[:1] not in ("{", "["):
        return
    # The parser keeps neither how a number was written nor the first of two equal keys.
    lost: list[Any] = []

    def number(text: str) -> float:
        lost.append(text)
        return float(text)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        kept = dict(items)
        if len(kept) < len(items):
            lost.extend(item for _, item in items)
        return kept

    try:
        document = json.loads(value, parse_float=number, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return
    for separators in ((",", ":"), (", ", ": ")):
        for in_ascii, sort in ((True, False), (False, False), (True, True)):
            yield json.dumps(
                document, separators=separators, ensure_ascii=in_ascii, sort_keys=sort
            ), True
    yield json.dumps(document, indent=2, ensure_ascii=False), False
    yield repr(document), False
    pending, count = [document, *lost], 0
    while pending and count < LEAF_LIMIT:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, str):
            count += 1
            yield item, True
            yield item.strip(), True
            yield from _lines(item)
            if item != value:
                yield from _leaves(item)
                yield from _password(item)
        elif isinstance(item, (int, float)) and not isinstance(item, bool):
            count += 1
            yield repr(item), True


def _password(value: str) -> Iterator[tuple[str, bool]]:
    """The password of a connection address, as it is written and as it is sent."""
    _, found, rest = value.partition("://")
    authority, at, _ = re.split(r"[/?#\s]", rest, maxsplit=1)[0].rpartition("@")
    if found and at:
        password = authority.partition(":")[2]
        yield password, True
        yield urllib.parse.unquote(password), True


def _encodings(text: str) -> Iterator[str]:
    data = text.encode("utf-8", "surrogatepass")
    if _UNCHANGED.fullmatch(text) is None:
        yield from _json(text)
        yield from _python(text, data)
        yield from _url(text)
        yield from _markup(text)
        yield from _quoted(text)
    yield from _escaped_whole(text, data)
    yield data.hex()
    yield data.hex().upper()
    yield from _base64(data)


def _json(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
        yield once.replace("/", "\\/")
        for characters in ("<>&", "<>&'"):
            safe = once
            for character in characters:
                safe = safe.replace(character, f"\\u{ord(character):04x}")
            yield safe
            yield safe.replace("\\u003c", "\\u003C").replace("\\u003e", "\\u003E")
            yield json.dumps(safe, ensure_ascii=ascii_only)[1:-1]
    if not text.isascii():
        yield _UNICODE_ESCAPE.sub(lambda found: "\\u" + found[1].upper(), json.dumps(text)[1:-1])


def _python(text: str, data: bytes) -> Iterator[str]:
    for shown in (repr(text), ascii(text)):
        yield shown[1:-1]
        yield repr(shown)[1:-1]
        # repr chooses its quotes by the whole string that holds the value, not by the value.
        yield shown[1:-1].replace("\\'", "'").replace("'", "\\'")
        yield shown[1:-1].replace("\\'", "'")
    yield repr(data)[2:-1]


def _escaped_whole(text: str, data: bytes) -> Iterator[str]:
    """Every character escaped, as cautious encoders do it."""
    units = text.encode("utf-16-be", "surrogatepass").hex("|", -2)
    octets = data.hex("|")
    for digits, signs in ((units, ("\\u",)), (octets, ("%", "\\x"))):
        for cased in (digits, digits.upper()):
            yield from (sign + cased.replace("|", sign) for sign in signs)
    yield "\\u0000".join(text)  # UTF-16 taken for text, and that for JSON
    yield "\\x00".join(text)


def _url(text: str) -> Iterator[str]:
    quote = urllib.parse.quote
    for safe in ("", "/", "!'()*~", ";,/?:@&=+$#!~*'()", "/:?#[]@!$&'()*+,;=%"):
        once = quote(text, safe=safe, errors="surrogatepass")
        for form in (once, once.replace("%20", "+")):
            yield form
            yield _lower_escapes(form)
            twice = quote(form, safe=safe.replace("%", ""))
            yield twice
            yield _lower_escapes(twice)
            yield quote(_lower_escapes(form), safe=safe.replace("%", ""))


def _lower_escapes(quoted: str) -> str:
    head, *rest = quoted.split("%")
    return head + "".join(f"%{part[:2].lower()}{part[2:]}" for part in rest)


def _markup(text: str) -> Iterator[str]:
    plain = html.escape(text, quote=False)
    for quotation, apostrophe in (
        ("&quot;", "&#x27;"), ("&quot;", "&#39;"), ("&#34;", "&#39;"), ("&quot;", "&apos;"),
        ("&quot;", "'"), ('"', "'"),
    ):
        form = plain.replace('"', quotation).replace("'", apostrophe)
        yield form
        yield form.encode("ascii", "xmlcharrefreplace").decode("ascii")
        for mark in ("d", "x", "X"):
            yield _numeric(form, mark)


def _numeric(text: str, base: str) -> str:
    sign = "&#" if base == "d" else "&#x"
    return _NOT_PLAIN.sub(lambda found: f"{sign}{ord(found[0]):{base}};", text)


def _quoted(text: str) -> Iterator[str]:
    """Shell, SQL and CSV quoting, without the quotes around the whole."""
    yield shlex.quote(text)[1:-1] if shlex.quote(text) != text else text
    yield text.replace("'", "'\\''")
    for characters in ('"\\$`', "'\\", '"\\'):
        yield "".join(f"\\{c}" if c in characters else c for c in text)
    yield "".join(c if c.isalnum() or c in "_-./:=@%+," else f"\\{c}" for c in text)
    yield text.replace("'", "''")
    yield text.replace('"', '""')


def _base64(data: bytes) -> Iterator[str]:
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + data).decode("ascii")
        # With one neighbour before it two characters depend on that, with two, three.
        first = (0, 2, 3)[offset]
        last = (offset + len(data)) * 8 // 6
        for form in (whole[first:last], whole[first:].rstrip("="), whole[first:]):
            yield form
            yield form.translate(_URL_SAFE)
            for plus, slash, equals in (("%2B", "%2F", "%3D"), ("%2b", "%2f", "%3d")):
                yield form.replace("+", plus).replace("/", slash).replace("=", equals)
    whole = base64.b64encode(data).decode("ascii")
    for width in _WRAPS:
        if len(whole) > width:
            for start in range(0, len(whole), width):
                yield whole[start : start + width]


_URL_SAFE = str.maketrans("+/", "-_")
