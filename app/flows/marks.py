"""What people write and frame on the canvas beside the nodes: notes and groups.

They mean nothing to a run; they stand in the document so that they travel with the flow. Left out
of it where there are none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

MAX_TEXT: Final = 10_000
MAX_LABEL: Final = 200
MAX_MARKS: Final = 500
MAX_PLACE: Final = 10_000_000
MAX_SIZE: Final = 4_000

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
#: A note has lines and tabs, and nothing else that can't be seen.
_NOTE_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

#: Called with code, message and field for each thing that can't be.
Complain = Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True)
class Note:
    """A comment on the canvas."""

    id: str
    text: str
    position: tuple[float, float]
    size: tuple[float, float]

    def to_document(self) -> dict[str, Any]:
        """Return the note as the graph document holds it."""
        return {
            "id": self.id,
            "text": self.text,
            "position": list(self.position),
            "size": list(self.size),
        }


@dataclass(frozen=True, slots=True)
class Group:
    """A frame with a label around some nodes; it has no place of its own."""

    id: str
    label: str
    nodes: tuple[str, ...]

    def to_document(self) -> dict[str, Any]:
        """Return the group as the graph document holds it."""
        return {"id": self.id, "label": self.label, "nodes": list(self.nodes)}


@dataclass(frozen=True, slots=True)
class Marks:
    """All notes and groups of a graph."""

    notes: tuple[Note, ...] = ()
    groups: tuple[Group, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """Return the keys that stand beside nodes and edges."""
        written: dict[str, Any] = {}
        if self.notes:
            written["notes"] = [note.to_document() for note in self.notes]
        if self.groups:
            written["groups"] = [group.to_document() for group in self.groups]
        return written


NO_MARKS: Final = Marks()
KEYS: Final = frozenset({"notes", "groups"})


def read_marks(document: Mapping[str, Any], nodes: Set[Any], complain: Complain) -> Marks:
    """Read the notes and groups of a graph document.

    :param nodes: the ids of the document's nodes, broken ones too.
    """
    if KEYS.isdisjoint(document):
        return NO_MARKS
    notes = [
        note
        for raw, key in _items(document, "notes", "note", complain)
        if (note := _read_note(raw, key, complain)) is not None
    ]
    taken: dict[str, str] = {}
    groups = [
        group
        for raw, key in _items(document, "groups", "group", complain)
        if (group := _read_group(raw, key, nodes, taken, complain)) is not None
    ]
    return Marks(tuple(notes), tuple(groups))


def _items(
    document: Mapping[str, Any], name: str, what: str, complain: Complain
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each object of a list with its id, once."""
    found = document.get(name, [])
    if not isinstance(found, list):
        complain("graph_malformed", f"The graph's {name} have to be a list.", name)
        return
    if len(found) > MAX_MARKS:
        complain("graph_too_large", f"A flow has at most {MAX_MARKS} {name}.", name)
        return
    seen: set[str] = set()
    for number, raw in enumerate(found, start=1):
        key = raw.get("id") if isinstance(raw, dict) else None
        if not isinstance(key, str) or not _ID.fullmatch(key):
            complain("id_not_valid", f"{what.title()} {number} needs an id, as nodes do.", name)
        elif key in seen:
            complain("duplicate_id", f"Two {name} have the id {key}.", name)
        else:
            seen.add(key)
            yield raw, key


def _read_note(raw: dict[str, Any], key: str, complain: Complain) -> Note | None:
    if not raw.keys() <= {"id", "text", "position", "size"}:
        complain("unknown_field", f"Note {key} has a text, a position and a size only.", "notes")
        return None
    text: Any = raw.get("text", "")
    position: Any = raw.get("position")
    size: Any = raw.get("size", (220, 120))
    if not isinstance(text, str) or len(text) > MAX_TEXT or _NOTE_CONTROL.search(text):
        complain(
            "note_not_valid", f"Note {key} has to be a text of at most {MAX_TEXT:,} characters.",
            "notes",
        )  # fmt: skip
        return None
    if not _is_pair(position, -MAX_PLACE, MAX_PLACE) or not _is_pair(size, 20, MAX_SIZE):
        complain("note_not_valid", f"Note {key} needs a position and a size, two numbers each.",
                 "notes")  # fmt: skip
        return None
    return Note(key, text, (position[0], position[1]), (size[0], size[1]))


def _read_group(
    raw: dict[str, Any], key: str, nodes: Set[Any], taken: dict[str, str], complain: Complain
) -> Group | None:
    if not raw.keys() <= {"id", "label", "nodes"}:
        complain("unknown_field", f"Group {key} has a label and nodes only.", "groups")
        return None
    label, members = raw.get("label", ""), raw.get("nodes")
    if not isinstance(label, str) or len(label) > MAX_LABEL or _CONTROL.search(label):
        complain(
            "label_not_valid",
            f"The label of group {key} has to be one line of at most {MAX_LABEL} characters.",
            "groups",
        )
        return None
    if not isinstance(members, list) or not members:
        complain("graph_malformed", f"Group {key} needs the ids of its nodes.", "groups")
        return None
    for member in members:
        if not isinstance(member, str) or member not in nodes:
            complain("node_missing", f"Group {key} has a node that isn't in the flow.", "groups")
            return None
        if taken.setdefault(member, key) != key or members.count(member) > 1:
            complain("group_overlap", f"Node {member} is in a group more than once.", "groups")
            return None
    return Group(key, label, tuple(members))


def _is_pair(value: Any, least: float, most: float) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(type(part) in (int, float) and least <= part <= most for part in value)
    )
