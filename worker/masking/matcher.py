"""Finding all occurrences of all forms in a block of UTF-8, and how much of its end to hold back.

ahocorasick_rs does the search, and Hyperscan where there is much of it and its wheel is installed,
with the same results: both report every overlapping match. The work is on bytes; UTF-8
synchronises itself, so a match always begins and ends at a character.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from worker.masking import controls

SEED = 32
"""Bytes of a form that the automaton looks for; the rest of a longer form is compared. Hyperscan
refuses patterns over 16,000 bytes; short patterns, which more forms share, keep the build fast."""
PAID = 5_000
"""Bytes for each pattern that are searched before the fastest automaton is built: what the other
one searches in the time that this takes."""
PAID_MOST = 1024 * 1024
_PREFIX = 4
_SHORT = 256
"""Bytes up to which a table is as fast as a scan's own beginning and end."""
_BACKSLASH = 0x5C
_AFTER_WORD = b"\xff"  # never in UTF-8: makes a whole-word form wait for the character after it


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose value a form spells: the secret's name and version, as the page shows them."""

    name: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Match:
    """A form found at ``start`` to ``end`` (bytes)."""

    start: int
    end: int
    owner: Owner


class Literals(Protocol):
    """An automaton over fixed byte strings."""

    def find(self, data: bytes) -> list[tuple[int, int]]:
        """Return ``(index of the pattern, end)`` of every match, overlapping ones too."""
        ...


class HyperscanLiterals:
    """Literals in a Hyperscan block database.

    :raises ImportError: the wheel isn't installed.
    """

    def __init__(self, patterns: Sequence[bytes]) -> None:
        import hyperscan

        self._database = hyperscan.Database()
        self._database.compile(
            expressions=list(patterns), ids=list(range(len(patterns))), elements=len(patterns),
            flags=[0] * len(patterns), literal=True,
        )
        self._scan = self._database.scan
        self._lock = threading.Lock()  # one scratch space, used by one scan at a time

    def find(self, data: bytes) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        add = found.append
        with self._lock:
            # By position: half of a short scan's time would go into named arguments.
            self._scan(data, lambda index, _start, end, _flags, _context: add((index, end)))
        return found


class HyperscanSuspects:
    """The look for bytes of control characters, eight times as fast as a table's.

    :raises ImportError: the wheel isn't installed.
    """

    def __init__(self) -> None:
        import hyperscan

        self._database = hyperscan.Database()
        escaped = b"".join(b"\\x%02x" % byte for byte in controls.SUSPECT)
        self._database.compile(
            expressions=[b"[" + escaped + b"]"], ids=[0], elements=1,
            flags=[hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL],
        )
        self._scan = self._database.scan
        self._lock = threading.Lock()

    def is_plain(self, data: bytes) -> bool:
        """Say whether there is none of them."""
        if len(data) < _SHORT:
            return controls.is_plain(data)
        found: list[int] = []
        with self._lock:
            self._scan(data, lambda *at: found.append(1))
        return not found


class AhoCorasickLiterals:
    """Literals in an ahocorasick_rs automaton."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        from ahocorasick_rs import BytesAhoCorasick, Implementation

        # The one whose building costs nearly nothing; the others search up to a third faster.
        self._automaton = BytesAhoCorasick(
            list(patterns), implementation=Implementation.ContiguousNFA
        )

    def find(self, data: bytes) -> list[tuple[int, int]]:
        return [
            (index, end)
            for index, _start, end in self._automaton.find_matches_as_indexes(
                data, overlapping=True
            )
        ]


class GrowingLiterals:
    """What is built at once, until so much was searched that building the fastest has paid.

    Most runs write some lines and register a secret or two in between: each time the fastest takes
    0.3 ms, or 20 of a hundred secrets, where the other one takes a sixth.
    """

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self._patterns = patterns
        self._engine: Literals = AhoCorasickLiterals(patterns)
        self._left = min(PAID * len(patterns), PAID_MOST)
        self._building = threading.Lock()  # taken once, by the one that builds

    def find(self, data: bytes) -> list[tuple[int, int]]:
        if self._left > 0:
            self._left -= len(data)
            if self._left <= 0 and self._building.acquire(blocking=False):
                self._engine = build_fastest(self._patterns) or self._engine
        return self._engine.find(data)


def build_fastest(patterns: Sequence[bytes]) -> Literals | None:
    """Build the automaton that searches fastest; None where this machine hasn't got it."""
    try:
        return HyperscanLiterals(patterns)
    except Exception:  # no wheel, or a processor that it doesn't run on
        return None


@cache
def plain_check() -> Callable[[bytes], bool]:
    """Return the fastest check on this machine that text has nothing to take out or escape."""
    try:
        return HyperscanSuspects().is_plain
    except Exception:
        return controls.is_plain


class Matcher:
    """All forms of all registered values, ready to search. Immutable.

    :param anywhere: forms masked wherever they stand, each with its owner.
    :param words: forms masked only as whole words.
    """

    def __init__(
        self,
        anywhere: Mapping[bytes, Owner],
        words: Mapping[bytes, Owner],
        build: Callable[[Sequence[bytes]], Literals] = GrowingLiterals,
    ) -> None:
        seeds: dict[bytes, list[tuple[bytes, Owner, bool]]] = {}
        for forms, whole in ((anywhere, False), (words, True)):
            for form, owner in forms.items():
                seeds.setdefault(form[:SEED], []).append((form, owner, whole))
        self._seeds = list(seeds.items())
        self._search = build([seed for seed, _ in self._seeds]) if seeds else None
        self._ordered = sorted({*anywhere, *(form + _AFTER_WORD for form in words)})
        self._longest = max(map(len, self._ordered), default=0)
        # Where the last byte of a text stands in no form but at its end, nothing is held back.
        self._inside = frozenset(b"".join(form[:-1] for form in self._ordered))
        self._build = build
        self._prefixes: Literals | None = None
        self.is_plain = plain_check()
        self._lock = threading.Lock()

    def passes(self, data: bytes) -> bool:
        """Say whether all of ``data``, which isn't empty, may leave as it is, whatever follows."""
        if data[-1] in self._inside or not self.holds_nothing(data):
            return False
        return data[-1] != _BACKSLASH or not self.find_escaped(data)[1] < len(data)

    def holds_nothing(self, data: bytes) -> bool:
        """Say whether all of ``data``, the whole text, may leave as it is."""
        if not self.is_plain(data):
            return False
        if self._search is None:
            return True
        if self._search.find(data):
            return False
        return b"\\" not in data or not self._search.find(data.replace(b"\\", b""))

    def find_escaped(self, data: bytes) -> tuple[list[Match], int]:
        """Search ``data`` without its backslashes: JSON in JSON, at any depth, has only more.

        Returns the matches and where what a form could continue begins, both in ``data`` itself.
        """
        bare = data.replace(b"\\", b"")
        found = [match for match in self.find(bare, words=False) if match.start < match.end]
        hold = self.hold(bare)
        if not found and hold == len(bare):
            return [], len(data)
        places = [place for place, byte in enumerate(data) if byte != _BACKSLASH]
        return [
            Match(places[match.start], places[match.end - 1] + 1, match.owner) for match in found
        ], places[hold] if hold < len(bare) else len(data)

    def find(self, data: bytes, before: str = "", *, words: bool = True) -> list[Match]:
        """Return every match in ``data``; ``before`` is the character that stood before it.

        A whole-word form at the very end counts as ending there.

        :param words: False for no whole-word forms.
        """
        if self._search is None:
            return []
        found: list[Match] = []
        for index, end in self._search.find(data):
            seed, forms = self._seeds[index]
            start = end - len(seed)
            for form, owner, whole in forms:
                if len(form) > SEED and not data.startswith(form, start):
                    continue
                stop = start + len(form)
                if not whole or (words and _is_word(data, start, stop, before)):
                    found.append(Match(start, stop, owner))
        return found

    def hold(self, data: bytes) -> int:
        """Return where the longest end of ``data`` that a form could continue begins.

        ``len(data)`` where there is none. A whole-word form counts as continued by the character
        after it, which decides whether it was one.
        """
        if not data or data[-1] not in self._inside:
            return len(data)
        window = max(0, len(data) - self._longest + 1)
        tail = data[window:]
        starts: Iterable[int] = sorted(
            {end - _PREFIX for _, end in self._prefix_search().find(tail)}
            | set(range(max(0, len(tail) - _PREFIX + 1), len(tail)))
        )
        for start in starts:
            suffix = tail[start:]
            place = bisect.bisect_right(self._ordered, suffix)
            if place < len(self._ordered) and self._ordered[place].startswith(suffix):
                return window + start
        return len(data)

    def _prefix_search(self) -> Literals:
        """The beginnings of all forms; only streams need them."""
        with self._lock:
            if self._prefixes is None:
                self._prefixes = self._build(sorted({form[:_PREFIX] for form in self._ordered}))
            return self._prefixes


def _is_word(data: bytes, start: int, stop: int, before: str) -> bool:
    """Whether ``data[start:stop]`` has no letter, digit or underscore joined to either edge."""
    form = data[start:stop].decode("utf-8", "surrogatepass")
    previous = before
    if start:
        head = start - 1
        while head and data[head] & 0xC0 == 0x80:
            head -= 1
        previous = data[head:start].decode("utf-8", "replace")
    following = data[stop : stop + 4].decode("utf-8", "replace")[:1]
    joined_before = _wordlike(form[0]) and _wordlike(previous)
    joined_after = _wordlike(form[-1]) and _wordlike(following)
    return not (joined_before or joined_after)


def _wordlike(character: str) -> bool:
    return character == "_" or character.isalnum()
