"""Name servers that say what a test wants."""

from __future__ import annotations

from collections.abc import Callable


def answering(asked: list[str], *answers: str) -> Callable[[str, int], list[str]]:
    """A name server with another answer each time."""
    left = list(answers)

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return [left.pop(0) if len(left) > 1 else left[0]]

    return resolve
