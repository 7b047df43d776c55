"""Long texts that are shown by their beginning."""

from __future__ import annotations

from typing import Final

from app.components.context import Context

LEFT_OUT: Final = "(left out: a secret's value stands in it)"


def beginning(context: Context, text: str, most: int) -> str:
    """Return a text, or its first ``most`` characters where it is longer.

    The masker sees what is left only: a value through which the cut goes would not be found, and
    its first part be shown. So nothing is kept of a long text that holds one.
    """
    if len(text) <= most:
        return text
    return LEFT_OUT if context.holds_secret(text) else f"{text[:most]}…"
