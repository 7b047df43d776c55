"""The problems of a run as panels: what failed, why, and the next steps as buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for


@dataclass(frozen=True, slots=True)
class Act:
    """A button: where it leads and its words."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One problem as it is shown."""

    title: str
    message: str
    title_masks: Sequence[Mapping[str, Any]]
    message_masks: Sequence[Mapping[str, Any]]
    code: str
    node: str | None
    node_label: str
    secret: bool
    acts: tuple[Act, ...]


def panels(
    problems: Sequence[Any], *, flow_id: str | None, labels: Mapping[str, str], can_create: bool
) -> list[Panel]:
    """Turn problems into panels.

    :param flow_id: the flow that the buttons open; None where it was deleted.
    :param labels: the authors' names of the nodes, by id.
    :param can_create: whether the reader may save secrets.
    """
    return [_panel(as_mapping(problem), flow_id, labels, can_create) for problem in problems]


def as_mapping(problem: Any) -> Mapping[str, Any]:
    """Return a problem as the API writes it, whichever form a view carries it in."""
    return problem if isinstance(problem, Mapping) else problem.to_json()


def _panel(
    problem: Mapping[str, Any], flow_id: str | None, labels: Mapping[str, str], can_create: bool
) -> Panel:
    title, message = split_sentence(str(problem.get("message", "")))
    node = problem.get("node")
    remedy = problem.get("remedy") or {}
    about_secret = str(problem.get("code", "")).startswith("secret")
    acts: list[Act] = []
    if flow_id:
        where = {"node": node} if node else {}
        if problem.get("field") or remedy.get("field"):
            where["field"] = problem.get("field") or remedy.get("field")
        href = url_for("pages.flow", flow_id=flow_id, **where)
        acts.append(Act(remedy.get("label") or "Open the flow", href))
    name = remedy.get("secret") or remedy.get("name")
    if about_secret and can_create and name:
        acts.append(Act(f"Create {name}", url_for("pages.new_secret", name=name)))
    masks = masks_of(problem)
    begins = len(title) + 2
    return Panel(
        title, message, masks,
        [{**mask, "offset": mask["offset"] - begins} for mask in masks if mask["offset"] >= begins],
        str(problem.get("code", "")), node,
        labels.get(str(node), str(node or "")), about_secret, tuple(acts),
    )


def masks_of(problem: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return which secrets stood in a problem's message; those beyond a part of it don't show."""
    found = problem.get("masks")
    return [one for one in found if "secret" in one] if isinstance(found, list) else []


def split_sentence(text: str) -> tuple[str, str]:
    """Take the first sentence as a title, without its full stop; the rest is the explanation."""
    head, stop, rest = text.partition(". ")
    return (head, rest) if stop else (text.removesuffix("."), "")
