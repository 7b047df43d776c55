"""Still pictures of graphs."""

from __future__ import annotations

import pytest

from app.flows.diff import Difference
from app.web.drawing import MARGIN, WIDTH, draw
from tests.support.graphs import graph, node, wire

SAME = Difference((), (), ())


def view(x: float) -> tuple[float, float]:
    """Return where the picture of two nodes begins and ends; the first's wire leads to ``x``."""
    second = {**node("b", "output.log"), "position": [x, 200]}
    drawn = draw(graph(node("a", "data.template"), second, wire("a.text", "b.message")), SAME,
                 old=False)
    left, _, width, _ = (float(one) for one in drawn.view.split())
    return left, left + width


def test_nodes_one_after_another_fill_the_picture() -> None:
    assert view(600) == (-MARGIN, 600 + WIDTH + MARGIN)


@pytest.mark.parametrize("x", [-300, -900])
def test_a_wire_that_leads_back_is_not_cut_off(x: float) -> None:
    left, right = view(x)
    assert left < x - MARGIN
    assert right > WIDTH + MARGIN
