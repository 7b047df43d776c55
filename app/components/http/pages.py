"""Pages of a list: where the next one is, and what each of them holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote, unquote_plus

from app.components.errors import NodeError
from app.components.paths import walk
from app.providers.destinations import Target

_LINK: Final = re.compile(r"<([^<>]*)>((?:\s*;\s*[^\s=;,]+\s*(?:=\s*(?:\"[^\"]*\"|[^\s;,\"]+))?)*)")
_REL: Final = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.I)


def look_up(data: Any, path: str) -> Any:
    """Return what stands at a dotted path (list places are numbers); None where nothing does."""
    if isinstance(data, dict) and path in data:
        return data[path]
    try:
        return walk(data, path.removeprefix("$.").split("."))
    except KeyError:
        return None


def items_of(page: Any, path: str, number: int) -> list[Any]:
    """Return the items of one page.

    :param path: where the list stands; empty for the page itself.
    :param number: of the page, for the message.
    :raises NodeError: ``page_items_missing``.
    """
    found = look_up(page, path) if path else page
    if not isinstance(found, list):
        where = f"at {path}" if path else "as the whole answer"
        raise NodeError(
            "page_items_missing",
            f"Answer {number} has no list {where}. Correct Items at in the node.",
        )
    return found


def next_link(headers: Iterable[str]) -> str:
    """Return the URL with ``rel=next`` of ``Link`` headers (RFC 8288); empty for none."""
    for url, relations in _links(headers):
        if "next" in relations:
            return url
    return ""


def _links(headers: Iterable[str]) -> Iterator[tuple[str, set[str]]]:
    for header in headers:
        for link in _LINK.finditer(header[:16_384]):
            rel = _REL.search(link[2])
            if rel:
                yield link[1].strip(), set((rel[1] or rel[2] or "").lower().split())


def with_parameter(target: Target, name: str, value: str) -> Target:
    """Return the URL with one query parameter set, in place of what it had.

    A space is written as %20: whoever decodes it has the value whole, as the masker knows it.
    """
    kept = [part for part in target.query.split("&")
            if part and unquote_plus(part.partition("=")[0]) != name]
    kept.append(f"{quote(name, safe='')}={quote(value, safe='')}")
    return replace(target, query="&".join(kept))


def read_cursor(page: Any, path: str) -> str:
    """Return the cursor of the next page; empty where there is none.

    :raises NodeError: ``page_next_not_valid``.
    """
    found = look_up(page, path)
    if found is None or found == "" or found is False:
        return ""
    if isinstance(found, bool | dict | list) or len(str(found)) > 8_192:
        raise NodeError(
            "page_next_not_valid",
            f"What stands at {path} is no URL or cursor. Correct Next at in the node.",
        )
    return str(found)
