"""The bars of a run's timeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.web.timeline import Work, timeline

START = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)


def work(label: str, state: str, start: float | None, end: float | None) -> Work:
    def at(milliseconds: float | None) -> datetime | None:
        return None if milliseconds is None else START + timedelta(milliseconds=milliseconds)

    return Work(label, state, at(start), at(end))


def test_bars_lie_on_an_axis_of_four_even_steps() -> None:
    drawn = timeline([work("a", "succeeded", 0, 1), work("b", "failed", 40, 60)])
    assert drawn.unit == "milliseconds"
    assert [tick.label for tick in drawn.ticks] == ["0", "20", "40", "60", "80"]
    assert drawn.rows[1].bar is not None
    assert (drawn.rows[1].bar.x, drawn.rows[1].bar.width) == (50, 25)


def test_what_never_ran_has_no_bar_and_says_so() -> None:
    drawn = timeline([work("a", "skipped", None, None)])
    assert drawn.rows[0].bar is None
    assert drawn.rows[0].time == "skipped"


def test_a_running_node_reaches_to_now() -> None:
    now = START + timedelta(seconds=3)
    drawn = timeline([work("a", "running", 0, None)], now)
    assert drawn.unit == "seconds"
    assert drawn.rows[0].time == "3.0 s"


def test_a_run_without_nodes() -> None:
    assert timeline([]).summary == "No nodes"


def test_the_summary_counts_states() -> None:
    drawn = timeline(
        [work("a", "succeeded", 0, 1), work("b", "succeeded", 1, 2), work("c", "failed", 2, 3)]
    )
    assert drawn.summary == "2 succeeded, 1 failed"
