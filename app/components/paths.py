"""Dotted paths into data: names of objects, and places of lists from 0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def walk(data: Any, steps: Iterable[str], *, digits: int = 9) -> Any:
    """Return what stands at the end of a path.

    :param digits: most digits of a place in a list.
    :raises KeyError: with the step at which nothing stands.
    """
    for step in steps:
        if isinstance(data, dict) and step in data:
            data = data[step]
        elif (
            isinstance(data, list) and step.isdecimal() and len(step) <= digits
            and int(step) < len(data)
        ):
            data = data[int(step)]
        else:
            raise KeyError(step)
    return data
