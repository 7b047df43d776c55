"""How times, lengths, ids and people are written on pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.ids import utcnow
from app.web import looks

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (timedelta(seconds=2), "just now"),
        (timedelta(seconds=42), "42 s ago"),
        (timedelta(minutes=1), "1 min ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=2, minutes=5), "2 hours ago"),
        (timedelta(days=1), "22 Nov"),
        (timedelta(days=400), "19 Oct 2025"),
        (timedelta(minutes=-2), "in 2 min"),
    ],
)
def test_times_are_relative_up_to_a_day_then_a_date(gap: timedelta, text: str) -> None:
    assert looks.ago(NOW - gap, NOW) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.31, "310 ms"), (3.84, "3.8 s"), (64, "1 m 04 s"), (7500, "2 h 05 m")],
)
def test_lengths(seconds: float, text: str) -> None:
    assert looks.span(seconds) == text


def test_what_never_started_took_no_time() -> None:
    assert looks.duration(None) == "–"


def test_due_says_how_late() -> None:
    assert looks.due(utcnow() - timedelta(days=12)).text == "12 days overdue"
    assert looks.due(utcnow() - timedelta(minutes=5)).text == "1 day overdue"
    assert looks.due(utcnow() + timedelta(days=2)).text == "due in 2 days"
    assert not looks.due(utcnow() + timedelta(days=2)).late


def test_initials_and_colour_of_a_person_stay_the_same() -> None:
    assert looks.initials("priya.nair@kestrel.example") == "PN"
    assert looks.initials("ops") == "OP"
    assert looks.initials("") == "?"
    assert looks.avatar_hue("ops") == looks.avatar_hue("ops")
    assert looks.avatar_hue("ops") in "abcde"


def test_a_short_id_is_the_random_end() -> None:
    assert looks.short_id("01a20a77-48a4-7fe7-a938-ca2a53176fd8") == "53176fd8"


def test_a_row_shows_the_first_sentence() -> None:
    assert looks.first_sentence("It is missing. Make it.") == "It is missing."
    assert looks.first_sentence("It is missing.") == "It is missing."
