"""What may leave the worker: every registered value, in every derived form, becomes ``***``.

The forms and the reasons are in MASKING.md and ``docs/masking.md``. Entry points::

    masker = Masker()
    masker.register("s3cr3t-value", "echo_token", 1)
    masker.mask_text("Authorization: Bearer s3cr3t-value")   # MaskedText("… Bearer ***", masks)

:func:`mask_stream` and :func:`mask_object` do the same for values given at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from worker.masking.forms import is_maskable, is_weak
from worker.masking.masker import FORM_LIMIT, Masker, MaskerFull
from worker.masking.stream import MASK, WITHHELD, Mask, MaskedText, MaskStream
from worker.masking.structures import MaskedObject, PathMask

__all__ = [
    "FORM_LIMIT", "MASK", "WITHHELD", "Mask", "MaskStream", "MaskedObject", "MaskedText",
    "Masker", "MaskerFull", "PathMask", "is_maskable", "is_weak", "mask_object", "mask_stream",
]

_BLOCK = 65_536


def mask_stream(secrets: Sequence[str], chunks: Iterable[str]) -> Iterator[str]:
    """Yield the masked text of ``chunks``; joined, it is the same for any division into chunks.

    :param secrets: values to mask in every form; those of 1 to 3 characters are passed over.
    """
    stream = _masker(secrets).stream()
    for chunk in _blocks(chunks) if isinstance(chunks, list | tuple) else chunks:
        if text := stream.feed(chunk).text:
            yield text
    if text := stream.close().text:
        yield text


def mask_object(secrets: Sequence[str], obj: Any) -> Any:
    """Return a JSON-shaped copy of ``obj`` with ``secrets`` masked at any depth, keys included."""
    return _masker(secrets).mask_object(obj).value


def _blocks(chunks: Sequence[str]) -> Iterator[str]:
    """Join what is there already: one search of a block costs little more than that of a line."""
    start = size = 0
    for end, chunk in enumerate(chunks, start=1):
        size += len(chunk)
        if size >= _BLOCK:
            yield "".join(chunks[start:end])
            start, size = end, 0
    yield "".join(chunks[start:])


def _masker(secrets: Sequence[str]) -> Masker:
    masker = Masker()
    for secret in secrets:
        masker.register(secret)
    return masker
