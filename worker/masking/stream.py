"""Masking text as it comes: any division into chunks gives the same result as the whole.

Only the longest end of the text that a registered form could continue is held back. What is found
is the union of all matches, so a value that overlaps another leaves no tail; spans that touch
become one ``***``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class MaskedText:
    """Text that may leave, and what was taken out of it."""

    text: str
    masks: tuple[Mask, ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    raw: int
    """Where the piece starts in the pending text, in characters."""
    seen: int
    """Where it starts in the text as a reader sees it, in bytes."""
    kept: int
    """Where it starts in the text that has lost only single control characters, in bytes."""
    data: bytes
    visible: bool


class MaskStream:
    """One stream of text on its way out.

    Two views of the text are searched: without control sequences, as a reader sees it, and without
    single control characters only, because a value may look like the rest of such a sequence.

    :param matcher: gives the present matcher; values registered later count from then on.
    """

    def __init__(self, matcher: Callable[[], Matcher]) -> None:
        self._matcher = matcher
        self._pending = ""
        self._before_seen = ""
        self._before_kept = ""
        # Bytes at the head of the pending text that a mask already sent covers; 0 when such a
        # mask ends exactly there, so that what touches it becomes one with it; -1 for none.
        self._covered = -1

    def feed(self, chunk: str) -> MaskedText:
        """Take more text and return what may leave now."""
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
        self._pending = self._before_seen = self._before_kept = ""
        self._covered = -1

    def _advance(self, chunk: str, final: bool) -> MaskedText:
        text = self._pending + chunk
        if not text:
            return MaskedText("")
        matcher = self._matcher()
        data = text.encode("utf-8", "surrogatepass")
        plain = controls.is_plain(data)
        if plain or not controls.has_controls(text):
            cut = self._cut_plain(data, final, matcher)
        else:
            cut = self._cut_controls(text, final, matcher)
        return self._emit(cut, plain)

    def _cut_plain(self, data: bytes, final: bool, matcher: Matcher) -> _Cut:
        matches = matcher.find(data, self._before_seen)
        if self._before_kept != self._before_seen:
            matches += matcher.find(data, self._before_kept)
        end = len(data) if final else _before_return(data, matcher.hold(data))
        cut = _Cut(data, end, [match for match in matches if match.start < end])
        self._pending = _decode(data[end:])
        if end:
            self._before_seen = self._before_kept = _last(data[:end])
        return cut

    def _cut_controls(self, text: str, final: bool, matcher: Matcher) -> _Cut:
        parts, decided = _pieces(text, final)
        seen = b"".join(part.data for part in parts if part.visible)
        kept = b"".join(part.data for part in parts)
        to_seen = _Positions([part.kept for part in parts], parts)
        matches = matcher.find(seen, self._before_seen)
        for match in matcher.find(kept, self._before_kept):
            start, end = to_seen(match.start), to_seen(match.end)
            if start < end:
                matches.append(Match(start, end, match.owner))
        if final:
            end, raw = len(seen), len(text)
        else:
            hold_kept = matcher.hold(kept)
            end = _before_return(seen, min(matcher.hold(seen), to_seen(hold_kept)))
            raw = decided
            for part in parts:
                if part.visible and end < part.seen + len(part.data):
                    raw = part.raw + len(_decode(part.data[: end - part.seen]))
                    break
                # A match may begin in a removed piece before what is held; keep that piece too.
                if not part.visible and (
                    hold_kept < part.kept + len(part.data) or part.seen == end < len(seen)
                ):
                    raw = part.raw
                    break
        cut = _Cut(seen, end, [match for match in matches if match.start < end])
        if end:
            self._before_seen = _last(seen[:end])
        kept_before = b"".join(part.data for part in _until(parts, raw))
        if kept_before:
            self._before_kept = _last(kept_before)
        self._pending = text[raw:]
        return cut

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


class _Positions:
    """From a place in the kept text to the place in the seen text."""

    def __init__(self, starts: list[int], parts: Sequence[_Piece]) -> None:
        self._starts = starts
        self._parts = parts

    def __call__(self, place: int) -> int:
        index = bisect_right(self._starts, place) - 1
        if index < 0:
            return 0
        part = self._parts[index]
        return part.seen + (min(place - part.kept, len(part.data)) if part.visible else 0)


def _pieces(text: str, final: bool) -> tuple[list[_Piece], int]:
    """Cut the text into pieces; also where, in characters, the last decided one ends."""
    parts: list[_Piece] = []
    seen = kept = decided = 0
    for raw, piece, visible in controls.pieces(text, final):
        data = (piece if visible else controls.strip_characters(piece)).encode(
            "utf-8", "surrogatepass"
        )
        parts.append(_Piece(raw, seen, kept, data, visible))
        kept += len(data)
        seen += len(data) if visible else 0
        decided = raw + len(piece)
    return parts, decided


def _until(parts: Sequence[_Piece], raw: int) -> list[_Piece]:
    """The pieces before a place in the raw text, the last one shortened to it."""
    before: list[_Piece] = []
    for part in parts:
        if part.raw >= raw:
            break
        data = part.data
        if part.visible:
            data = _decode(data)[: raw - part.raw].encode("utf-8", "surrogatepass")
        before.append(_Piece(part.raw, part.seen, part.kept, data, part.visible))
    return before


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


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _escape(data: bytes) -> str:
    return controls.escape(_decode(data))


def _last(data: bytes) -> str:
    return data[-4:].decode("utf-8", "replace")[-1:]
