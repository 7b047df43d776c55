"""What went wrong with a form, at the field where it did, in the words of the refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.errors import TacitError


@dataclass(frozen=True, slots=True)
class FieldError:
    """An error to show at a field.

    :param suggestion: a value that would be taken, offered as a button. Never a secret value.
    """

    message: str
    code: str
    suggestion: str | None = None


Errors = Mapping[str, FieldError]
"""Errors by the name of the field; those of the form as a whole stand under ``""``."""


def errors_of(error: TacitError, *fields: str) -> dict[str, FieldError]:
    """Place a refusal at the fields of a form.

    :param fields: the names of the form's fields; what names another goes to the whole form.
    """
    found: dict[str, FieldError] = {}
    for problem in error.problems:
        name = str(problem.get("field") or "")
        place = name if name in fields else ""
        found.setdefault(place, FieldError(str(problem["message"]), str(problem["code"])))
    if not found:
        place = error.field if error.field in fields else ""
        found[place or ""] = FieldError(error.detail, error.code)
    return found


def suggest_name(name: str) -> str | None:
    """Return a secret name close to ``name`` that would be taken; None where there is none."""
    close = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9._/-]+", "-", name.strip()))
    close = re.sub(r"/{2,}", "/", close).strip("/-")[:128]
    return close if close and close != name else None


def split_tags(text: str) -> tuple[str, ...]:
    """Read tags as typed, by commas; empty ones and repeats are dropped."""
    return tuple(dict.fromkeys(tag for part in text.split(",") if (tag := part.strip())))
