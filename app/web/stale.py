"""A form that was filled in on an older state: what changed, by whom, and both choices."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request

from app.errors import Stale

_KEPT_BACK = frozenset({"csrf_token", "revision", "value", "password"})
"""Fields that a page never sends back: the token is the page's own, the others are secret."""


@dataclass(frozen=True, slots=True)
class StaleForm:
    """What a page shows of a form that came too late.

    :ivar message: who changed what meanwhile.
    :ivar fields: what was sent, to be sent again with the present revision.
    :ivar again: what the button that sends it again says; None where it can't be sent again
        as it is, because it held a value.
    """

    message: str
    action: str
    fields: tuple[tuple[str, str], ...]
    again: str | None


def stale_form(error: Stale, again: str | None) -> StaleForm:
    """Describe the request at hand, which was refused as stale."""
    fields = tuple(
        (name, text)
        for name, text in request.form.items(multi=True)
        if name not in _KEPT_BACK
    )
    return StaleForm(error.detail.removesuffix(" Read it again, then decide."), request.path,
                     fields, again)


def revision_of(text: str | None) -> int | None:
    """Read the revision that a form carries; None where it carries none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
