"""Notes and groups in the graph document: read, refused, written back in one form."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import Invalid
from app.flows.graph import parse_graph


def _graph(**marks: Any) -> dict[str, Any]:
    nodes = [{"id": key, "component": "output.log", "position": [0, 0]} for key in ("a", "b")]
    return {"schema": 1, "nodes": nodes, "edges": [], **marks}


def test_notes_and_groups_are_kept() -> None:
    note = {"id": "n1", "text": "Ask <b>Ada</b>\n\tשלום 🙂", "position": [-20, 40.5],
            "size": [220, 120]}  # fmt: skip
    group = {"id": "g1", "label": "Answers", "nodes": ["b", "a"]}
    document = parse_graph(_graph(notes=[note], groups=[group])).to_document()
    assert document["notes"] == [note]
    assert document["groups"] == [group]
    assert parse_graph(document).to_document() == document


def test_none_of_them_leave_no_trace() -> None:
    assert parse_graph(_graph(notes=[], groups=[])).to_json() == parse_graph(_graph()).to_json()


@pytest.mark.parametrize(
    ("marks", "code"),
    [
        ({"notes": {}}, "graph_malformed"),
        ({"notes": [{"text": "x"}]}, "id_not_valid"),
        ({"notes": [{"id": "n", "text": "x" * 10_001, "position": [0, 0]}]}, "note_not_valid"),
        ({"notes": [{"id": "n", "text": "a\0b", "position": [0, 0]}]}, "note_not_valid"),
        ({"notes": [{"id": "n", "text": "x", "position": [0]}]}, "note_not_valid"),
        ({"notes": [{"id": "n", "text": "x", "position": [0, 0], "size": [1, 9e9]}]},
         "note_not_valid"),
        ({"notes": [{"id": "n", "position": [0, 0], "colour": "red"}]}, "unknown_field"),
        ({"notes": [{"id": "n", "position": [0, 0]}] * 2}, "duplicate_id"),
        ({"notes": [{"id": "n", "position": [0, 0]}] * 501}, "graph_too_large"),
        ({"groups": [{"id": "g", "label": "G", "nodes": []}]}, "graph_malformed"),
        ({"groups": [{"id": "g", "label": "G", "nodes": ["gone"]}]}, "node_missing"),
        ({"groups": [{"id": "g", "label": "a\nb", "nodes": ["a"]}]}, "label_not_valid"),
        ({"groups": [{"id": "g", "label": "G", "nodes": ["a", "a"]}]}, "group_overlap"),
        ({"groups": [{"id": "g", "label": "", "nodes": ["a"]},
                     {"id": "h", "label": "", "nodes": ["a"]}]}, "group_overlap"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused(marks: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_graph(_graph(**marks))
    assert [problem["code"] for problem in refused.value.problems] == [code]
