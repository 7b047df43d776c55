"""What is measured below the listeners, with tiny counts: the figures are there and add up."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from bench import crypto, footprint, lists, masking, steps
from bench.figures import share_lines
from bench.home import Home, home


@pytest.fixture(scope="module")
def place() -> Iterator[Home]:
    """A home of its own."""
    with home() as made:
        yield made


def test_cryptography(place: Home) -> None:
    taken = crypto.measure(place, 3)
    assert list(taken) == ["sign", "verify", "unwrap and decrypt"]
    assert all(0 < took < 100 for took in taken.values())


def test_steps_of_a_value(place: Home) -> None:
    taken = steps.measure(place, 3)
    assert list(taken) == [*steps.STEPS, steps.COMMIT, steps.REST]
    assert all(took > 0 for took in taken.values())
    # The clocks are taken off again.
    assert steps.route.read_token.__module__ == "app.runtime.credentials"


def test_list(place: Home) -> None:
    answers = lists.measure(place, 200, 2)
    assert [answer.question for answer in answers] == list(lists.QUESTIONS)
    assert all(len(answer.milliseconds) == len(answer.cpu) == 2 for answer in answers)


def test_shares_add_up() -> None:
    lines = share_lines({"a": 1.0, "b": 3.0}).splitlines()
    assert [line.split() for line in lines] == [
        ["a", "1.000", "ms", "25%"], ["b", "3.000", "ms", "75%"],
        ["together", "4.000", "ms", "100%"],
    ]


def test_masking_keeps_its_distance_from_a_regular_expression() -> None:
    measured = masking.measure(rounds=2)
    # Ratios of one run; what depends on the machine alone is for `make bench`.
    for name, (value, least) in measured.targets().items():
        if "times the alternation" in name:
            assert value >= least, measured.lines()
    assert measured.of("Tacit", 10).lines_per_second > 0
    assert "lines/s" in measured.lines()


def test_memory_of_a_process_and_what_it_started() -> None:
    found = footprint.memory(os.getpid())
    assert sum(found.values()) > 5
