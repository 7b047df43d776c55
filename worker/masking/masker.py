"""The masker of a run: registers values, and masks what is on its way out.

Only copies that leave are masked; what passes between nodes stays exact.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from worker.masking import forms
from worker.masking.controls import strip_characters
from worker.masking.matcher import GrowingLiterals, Literals, Matcher, Owner
from worker.masking.stream import WITHHELD, MaskedText, MaskStream, exact
from worker.masking.structures import MaskedObject, copy_plain, mask_structure

# Strict: whatever JSON doesn't have is for the walk. Made once, as json.dumps makes one a call.
write_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode

FORM_LIMIT = 200_000
"""Forms that one run may register; the automaton of as many builds in some seconds."""


class MaskerFull(Exception):
    """The run registered more forms than :data:`FORM_LIMIT`."""


class Masker:
    """Values registered by one run, and everything that masks them. Safe to use from threads."""

    def __init__(self, build: Callable[[Sequence[bytes]], Literals] = GrowingLiterals) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._anywhere: dict[bytes, Owner] = {}
        self._words: dict[bytes, Owner] = {}
        self._values: set[str] = set()
        self._matcher: Matcher | None = None
        self.searched = 0
        """Bytes of text that were masked so far, about."""

    def register(self, value: str, name: str = "secret", version: int | None = None) -> bool:
        """Mask ``value`` in all its forms from now on.

        :param name: and ``version``: what the page shows where the value stood.
        :returns: False for a value too short to be masked (blank, or 1 to 3 characters); such a
            value must not be used.
        :raises MaskerFull: too many forms; the value isn't registered and must not be used.
        """
        value = exact(value)
        if not forms.is_maskable(value):
            return False
        with self._lock:
            if value in self._values:
                return True
        anywhere, words = forms.forms_of(value)
        owner = Owner(name, version)
        with self._lock:
            if len(self._anywhere) + len(self._words) + len(anywhere) + len(words) > FORM_LIMIT:
                raise MaskerFull(
                    f"The run registered more than {FORM_LIMIT} forms of secrets to mask."
                )
            for spelled, target in ((anywhere, self._anywhere), (words, self._words)):
                for form in spelled:
                    for data in _searched(form) if spelled is anywhere else _word(form):
                        target.setdefault(data, owner)
            self._values.add(value)
            self._matcher = None
        return True

    def find_clear(self, text: str, value: Any) -> tuple[str, int] | None:
        """Return the JSON of ``value``, and the bytes of both, if neither it nor ``text`` holds
        anything to mask.

        One look at both, for what leaves in great numbers. None where masking has to decide:
        anything might be there, or ``value`` is no plain JSON.
        """
        try:
            written = write_json(value)
            if "\\" in written:  # texts don't stand in it as they are
                return None
            data = f"{exact(text)}\n{written}".encode()
            if not self._current().holds_nothing(data):
                return None
        except (TypeError, ValueError, RecursionError):
            return None
        self.searched += len(data)
        return written, len(data)

    def mask_text(self, text: str) -> MaskedText:
        """Return the text as it may leave; ``<withheld: masking failed>`` if masking fails."""
        try:
            text = exact(text)
            # Most texts hold nothing; they needn't be taken apart to see that.
            data = text.encode("utf-8", "surrogatepass")
            self.searched += len(data)
            if self._current().holds_nothing(data):
                return MaskedText(text)
        except Exception:  # the text must not leave, whatever went wrong
            return MaskedText(WITHHELD)
        return MaskStream(self._current).whole(text)

    def mask_object(self, value: Any) -> MaskedObject:
        """Return a JSON-shaped copy as it may leave, keys included, at any depth."""
        try:
            plain = copy_plain(value)
            if plain is not None:
                # No form has a line break beside it that would change what is found: a break
                # between two texts only ends words, as the end of a text does.
                data = "\n".join(plain[1]).encode("utf-8", "surrogatepass")
                self.searched += len(data)
                if self._current().holds_nothing(data):
                    return MaskedObject(plain[0])
        except Exception:  # the walk withholds what it can't mask
            return mask_structure(self.mask_text, value)
        return mask_structure(self.mask_text, value)

    def stream(self) -> MaskStream:
        """Return a stream of text to be masked as it comes."""
        return MaskStream(self._current)

    def _current(self) -> Matcher:
        if (matcher := self._matcher) is not None:
            return matcher
        with self._lock:
            if self._matcher is None:
                self._matcher = Matcher(self._anywhere, self._words, self._build)
            return self._matcher


def _searched(form: str) -> Iterator[bytes]:
    """What is searched for a form that is masked anywhere.

    The text is searched without control characters, so the forms have none; and where it has
    backslashes also without them, since every further quoting adds some.
    """
    shown = form if form.isascii() and form.isprintable() else strip_characters(form)
    if "\\" in shown:
        bare = shown.replace("\\", "")
        if not forms.is_weak(bare):
            yield bare.encode("utf-8", "surrogatepass")
            # Found so, a mask would leave the backslashes at its edges.
            if shown == form and "\\" not in (form[0], form[-1]):
                return
    if len(shown) >= forms.MIN_LENGTH:
        yield shown.encode("utf-8", "surrogatepass")


def _word(form: str) -> Iterator[bytes]:
    shown = strip_characters(form)
    if len(shown) >= forms.MIN_LENGTH:
        yield shown.encode("utf-8", "surrogatepass")
