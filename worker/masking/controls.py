"""Terminal and bidirectional control characters: taken out, and the rest escaped.

A colour code or an invisible mark inside a value hides it from a search of the raw text, so the
masker searches the text as a reader sees it. Line breaks and tabs are text and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Control characters (C0 but tab and line breaks, DEL, C1), bidirectional and zero-width marks.
_SINGLE = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    "\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
)
# Sequences of ECMA-48. Lengths are bounded, so that a stream never waits without end.
_SEQUENCE = (
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,256}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]{1,4}[0-~]"
    r"|\x1b[0-OQ-WYZ\\`-~]"
)
# What begins a sequence that never comes to its end: a terminal would wait for it, so it goes too.
_INTRODUCER = r"\x1b[\[\]PX^_ -/]"
_UNDECIDED = (
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}\Z"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,256}\x1b?\Z"
    r"|\x1b[ -/]{0,4}\Z"
)

_single = re.compile(f"[{_SINGLE}]")
# One single character at a time: a run of them may end in the escape that begins a sequence, and
# both expressions have to cut the same text the same way.
_whole = re.compile(f"{_SEQUENCE}|{_INTRODUCER}|[{_SINGLE}]")
_growing = re.compile(f"(?P<undecided>{_UNDECIDED})|{_SEQUENCE}|{_INTRODUCER}|[{_SINGLE}]")
_begun = re.compile(f"{_INTRODUCER}|[{_SINGLE}]")
_parameters = re.compile(
    rf"(?:\x1b\[|\x9b)[0-?]{{0,64}}[ -/]{{0,8}}|{_INTRODUCER}|[{_SINGLE}]"
)
_colour = re.compile(r"(?:\x1b\[|\x9b)[0-9:;]{0,64}m")
# What is left and can still mislead a reader: a lone carriage return overwrites its line, lone
# surrogates can't be encoded, tag characters and line separators don't show.
_misleading = re.compile("\r(?!\n)|[\ud800-\udfff\u2028\u2029\ufff9-\ufffb\U000e0000-\U000e007f]")


# Bytes that every such character has in UTF-8: itself where it is ASCII, else its first byte.
# Some ordinary characters share a first byte; they only cost the closer look.
SUSPECT = bytes([*range(9), 11, 12, *range(13, 32), 127]) + b"\xc2\xd8\xe2\xed\xef\xf3"


def is_plain(data: bytes) -> bool:
    """Say whether UTF-8 text surely has nothing to take out or to escape; one fast look."""
    return len(data.translate(None, SUSPECT)) == len(data)


def has_controls(text: str) -> bool:
    """Say whether :func:`pieces` would take anything out of ``text``."""
    return _single.search(text) is not None


def strip_controls(text: str) -> str:
    """Take control sequences and characters out of ``text``."""
    return _whole.sub("", text)


def strip_characters(text: str) -> str:
    """Take only the single characters out; what a sequence carried besides them stays."""
    return _single.sub("", text)


def strip_introducers(text: str) -> str:
    """Take only what begins a sequence out: an unfinished one swallows what comes after it."""
    return _begun.sub("", text)


def strip_colours(text: str) -> str:
    """Take colour codes out whole, and of any other sequence all but the character it ends in."""
    return _parameters.sub("", _colour.sub("", text))


def pieces(text: str, final: bool) -> Iterator[tuple[int, str, bool]]:
    """Cut ``text`` into ``(start, piece, visible)``.

    Unless ``final``, a tail that may be the beginning of a longer sequence is left out: it is
    decided once more text has come. The cut is the same wherever the text was divided.
    """
    position = 0
    for match in (_whole if final else _growing).finditer(text):
        if match.start() > position:
            yield position, text[position : match.start()], True
        position = match.end()
        if not final and match.group("undecided"):
            return
        yield match.start(), match.group(), False
    if position < len(text):
        yield position, text[position:], True


def escape(text: str) -> str:
    """Write what could still mislead a reader as a backslash escape."""
    return _misleading.sub(_escape_one, text)


def _escape_one(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character == "\r":
        return "\\r"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
