"""Masking text as it comes: any division into chunks gives the same result as the whole.

Only the longest end of the text that a registered form could continue is held back. What is found
is the union of all matches, so a value that overlaps another leaves no tail; spans that touch
become one ``***``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from worker.masking import controls
from worker.masking.matcher import Match, Matcher, Owner

MASK = "***"
WITHHELD = "<withheld: masking failed>"


@dataclass(frozen=True, slots=True)
class Mask:
    """Which secret stood where: ``offset`` is the index of its ``***`` in the masked text."""

    offset: int
    secret: str
    version: int | None

    def to_json(self) -> dict[str, object]:
        """The mask as an event carries it."""
        return {"offset": self.offset, "secret": self.secret, "version": self.version}


def exact(text: str) -> str:
    """Return the characters that a text holds, whatever a subclass of ``str`` says of them."""
    return text if type(text) is str else str.__str__(text)


class MaskedText(NamedTuple):
    """Text that may leave, and what was taken out of it. A tuple: a log makes one a line."""

    text: str
    masks: tuple[Mask, ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    raw: int
    """Where the piece starts in the pending text, in characters."""
    seen: int
    """Where it starts in the text as a reader sees it, in bytes."""
    text: str
    data: bytes
    """What a reader sees of it; nothing of a control sequence."""
    visible: bool


# What may be left of a control sequence, besides nothing. A value may look like the rest of one,
# or stand behind the beginning of one that has no end.
_REMAINS: tuple[Callable[[str], str], ...] = (
    lambda _sequence: "",
    controls.strip_characters,
    controls.strip_introducers,
    controls.strip_colours,
)


class MaskStream:
    """One stream of text on its way out.

    Several views of a text with control characters are searched: as a reader sees it, without
    control sequences; and with what :data:`_REMAINS` leaves of the sequences. A text with
    backslashes is searched without them too.

    :param matcher: gives the present matcher; values registered later count from then on.
    """

    def __init__(self, matcher: Callable[[], Matcher]) -> None:
        self._matcher = matcher
        self._reset()

    def feed(self, chunk: str) -> MaskedText:
        """Take more text and return what may leave now."""
        try:
            chunk = exact(chunk)
            # Most text holds nothing; it needn't be taken apart to see that.
            if chunk and not self._pending and self._matcher().passes(
                chunk.encode("utf-8", "surrogatepass")
            ):
                self._before = [chunk[-1]] * len(_REMAINS)
                self._covered = -1
                return MaskedText(chunk)
        except Exception:  # the text must not leave, whatever went wrong
            self._reset()
            return MaskedText(WITHHELD)
        return self._guarded(chunk, final=False)

    def close(self) -> MaskedText:
        """Return the rest. The stream can be used again, as a new one."""
        result = self._guarded("", final=True)
        self._reset()
        return result

    def whole(self, text: str) -> MaskedText:
        """Mask a text that is all there is, on a stream that was not used yet."""
        return self._guarded(text, final=True)

    def _guarded(self, chunk: str, *, final: bool) -> MaskedText:
        try:
            return self._advance(chunk, final)
        except Exception:  # the text must not leave, whatever went wrong
            self._reset()
            return MaskedText(WITHHELD)

    def _reset(self) -> None:
        self._pending = ""
        # The character that stood before the pending text, in each view.
        self._before = [""] * len(_REMAINS)
        # Bytes at the head of the pending text that a mask already sent covers; 0 when such a
        # mask ends exactly there, so that what touches it becomes one with it; -1 for none.
        self._covered = -1

    def _advance(self, chunk: str, final: bool) -> MaskedText:
        text = self._pending + exact(chunk)
        if not text:
            return MaskedText("")
        matcher = self._matcher()
        data = text.encode("utf-8", "surrogatepass")
        plain = matcher.is_plain(data)
        if plain or not controls.has_controls(text):
            cut = self._cut_plain(data, final, matcher)
        else:
            cut = self._cut_controls(text, final, matcher)
        return self._emit(cut, plain)

    def _cut_plain(self, data: bytes, final: bool, matcher: Matcher) -> _Cut:
        matches = [found for before in set(self._before) for found in matcher.find(data, before)]
        hold = matcher.hold(data)
        if b"\\" in data:
            escaped, hold_escaped = matcher.find_escaped(data)
            matches, hold = matches + escaped, min(hold, hold_escaped)
        end = len(data) if final else _before_return(data, hold)
        cut = _Cut(data, end, [match for match in matches if match.start < end])
        self._pending = _decode(data[end:])
        if end:
            self._before = [_last(data[:end])] * len(_REMAINS)
        return cut

    def _cut_controls(self, text: str, final: bool, matcher: Matcher) -> _Cut:
        parts, decided = _pieces(text, final)
        views = [_View(parts, remains) for remains in _REMAINS]
        seen = views[0].data
        matches: list[Match] = []
        searched: set[tuple[bytes, str]] = set()
        for view, before in zip(views, self._before, strict=True):
            if (view.data, before) in searched:
                continue
            searched.add((view.data, before))
            for match in matcher.find(view.data, before):
                start, end = view.to_seen(match.start), view.to_seen(match.end)
                if start < end:
                    matches.append(Match(start, end, match.owner))
        hold_escaped = len(seen)
        if b"\\" in seen:
            escaped, hold_escaped = matcher.find_escaped(seen)
            matches += escaped
        if final:
            end, raw = len(seen), len(text)
        else:
            holds = [matcher.hold(view.data) for view in views]
            end = _before_return(seen, min(
                hold_escaped,
                *(view.to_seen(hold) for view, hold in zip(views, holds, strict=True)),
            ))
            raw = _first_held(views, holds, end, decided)
        for number, view in enumerate(views):
            self._before[number] = view.last_before(raw) or self._before[number]
        self._pending = text[raw:]
        return _Cut(seen, end, [match for match in matches if match.start < end])

    def _emit(self, cut: _Cut, plain: bool) -> MaskedText:
        written = _decode if plain else _escape
        spans = _union(cut.matches, self._covered)
        out: list[str] = []
        masks: list[Mask] = []
        length = position = 0
        for start, stop, owner in spans:
            if owner is not None:
                gap = written(cut.data[position:start])
                out += (gap, MASK)
                masks.append(Mask(length + len(gap), owner.name, owner.version))
                length += len(gap) + len(MASK)
            position = stop
        if position < cut.end:
            out.append(written(cut.data[position : cut.end]))
        self._covered = max(position - cut.end, -1) if spans else -1
        return MaskedText("".join(out), tuple(masks))


@dataclass(frozen=True, slots=True)
class _Cut:
    data: bytes
    end: int
    matches: list[Match]


class _View:
    """The text with what one way of reading leaves of its control sequences.

    :param remains: what is left of a sequence.
    """

    def __init__(self, parts: Sequence[_Piece], remains: Callable[[str], str]) -> None:
        self.parts = parts
        self.pieces = [
            part.data if part.visible else _encode(remains(part.text)) for part in parts
        ]
        self.starts = [0, *accumulate(map(len, self.pieces))]
        self.data = b"".join(self.pieces)

    def to_seen(self, place: int) -> int:
        """Return where a place of this view lies in the text as a reader sees it."""
        index = min(bisect_right(self.starts, place), len(self.parts)) - 1
        if index < 0:
            return 0
        part = self.parts[index]
        return part.seen + min(place - self.starts[index], len(part.data))

    def last_before(self, raw: int) -> str:
        """Return the last character that this view shows before a place in the raw text."""
        for part, data in zip(reversed(self.parts), reversed(self.pieces), strict=True):
            if part.raw < raw and data:
                shown = _decode(data)
                return shown[: raw - part.raw][-1:] if part.visible else shown[-1:]
        return ""


def _pieces(text: str, final: bool) -> tuple[list[_Piece], int]:
    """Cut the text into pieces; also where, in characters, the last decided one ends."""
    parts: list[_Piece] = []
    seen = decided = 0
    for raw, piece, visible in controls.pieces(text, final):
        data = _encode(piece) if visible else b""
        parts.append(_Piece(raw, seen, piece, data, visible))
        seen += len(data)
        decided = raw + len(piece)
    return parts, decided


def _first_held(views: Sequence[_View], holds: Sequence[int], end: int, decided: int) -> int:
    """Return where in the raw text what has to wait begins; ``end`` is where it is seen to."""
    seen = len(views[0].data)
    for index, part in enumerate(views[0].parts):
        if part.visible:
            if end < part.seen + len(part.data):
                return part.raw + len(_decode(part.data[: end - part.seen]))
        # A match may begin in a removed piece before what is held; keep that piece too.
        elif part.seen == end < seen or any(
            hold < view.starts[index + 1] for view, hold in zip(views, holds, strict=True)
        ):
            return part.raw
    return decided


def _union(matches: list[Match], covered: int) -> list[tuple[int, int, Owner | None]]:
    """Merge overlapping and touching matches; each span belongs to its longest match.

    A span without an owner is one whose mask was sent before.
    """
    spans: list[tuple[int, int, Owner | None]] = []
    best = 0
    if covered >= 0:
        spans.append((0, covered, None))
    for match in sorted(matches, key=lambda match: (match.start, -match.end)):
        size = match.end - match.start
        if spans and match.start <= spans[-1][1]:
            start, stop, owner = spans[-1]
            if owner is not None and size > best:
                owner, best = match.owner, size
            spans[-1] = (start, max(stop, match.end), owner)
        else:
            spans.append((match.start, match.end, match.owner))
            best = size
    return spans


def _before_return(data: bytes, end: int) -> int:
    """A carriage return at the end waits: with a line feed after it, it is a line break."""
    return end - 1 if end and data[end - 1] == 13 else end


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _escape(data: bytes) -> str:
    return controls.escape(_decode(data))


def _last(data: bytes) -> str:
    return data[-4:].decode("utf-8", "replace")[-1:]
