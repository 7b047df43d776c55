"""The worker's own machine as a secret manager: variables and mounted files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable

from app.providers.managers.base import Description, Fetched

_VARIABLE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*\*?")


class Machine:
    """What the worker hands over by reference.

    :param ask: returns the value of a reference, or raises what the node fails with.
    """

    def __init__(self, ask: Callable[[str], str]) -> None:
        self._ask = ask

    def describe(self, reference: str, version: str = "") -> Description:
        """Look whether it is there: a variable and a file have no description but themselves."""
        self._ask(reference)
        return Description()

    def fetch(self, reference: str, version: str = "") -> Fetched:
        """Return the value."""
        return Fetched(self._ask(reference))

    def health(self) -> None:
        """Do nothing: the machine is the one that runs this."""


def is_granted(patterns: Iterable[str], reference: str) -> bool:
    """Say whether a reference is among the granted ones.

    :param patterns: references; one may end with ``*``, which stands for the rest of a variable's
        or of a file's name, and never for another folder.
    """
    if reference.startswith("file:") and not _is_plain(reference.removeprefix("file:")):
        return False
    for pattern in patterns:
        head, star, _ = pattern.partition("*")
        rest = reference.removeprefix(head)
        if reference == pattern or (star and rest != reference and rest and "/" not in rest):
            return True
    return False


def is_pattern(text: str) -> bool:
    """Say whether a text can be granted."""
    if text == "role:aws":
        return True
    if text.startswith("file:"):
        path = text.removeprefix("file:")
        return _is_plain(path.removesuffix("*") + "x" * path.endswith("*")) and "*" not in path[:-1]
    return _VARIABLE.fullmatch(text) is not None


def _is_plain(path: str) -> bool:
    return path.startswith("/") and "\0" not in path and posixpath.normpath(path) == path
