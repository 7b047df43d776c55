"""Problems as panels: masks go along with the part of the message that they stand in."""

from __future__ import annotations

from app.web.findings import panels


def test_masks_of_a_message_are_divided_between_its_title_and_the_rest() -> None:
    message = "Call got *** back. It holds *** too."
    masks = [{"offset": 9, "secret": "a", "version": 1}, {"offset": 28, "secret": "b"}]
    problem = {"code": "c", "message": message, "masks": masks}
    (panel,) = panels([problem], flow_id=None, labels={}, can_create=False)
    assert (panel.title, panel.message) == ("Call got *** back", "It holds *** too.")
    (first, *_) = panel.title_masks
    assert panel.title[first["offset"]:].startswith("***")
    (second,) = panel.message_masks
    assert second["secret"] == "b"
    assert panel.message[second["offset"]:].startswith("***")


def test_a_problem_without_masks_has_none() -> None:
    for masks in (None, [], [{"offset": 1}], "x"):
        problem = {"code": "c", "message": "It failed.", "masks": masks}
        (panel,) = panels([problem], flow_id=None, labels={}, can_create=False)
        assert (list(panel.title_masks), list(panel.message_masks)) == ([], [])
