"""The log of a run's page: 10,000 lines in pages, searched on the server, whole as a file."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import delete

from app.ids import utcnow
from app.runs.models import Run, RunEvent
from tests.integration.web.conftest import Person
from tests.integration.web.test_run_forms import drawn
from tests.support.installation import Installation

LINES = 10_000


@pytest.fixture
def run_id(installation: Installation, admin: Person) -> str:
    """A run that is over and logged 10,000 lines; line N has the sequence number N."""
    location = admin.post(f"/flows/{drawn(admin)}/run", json="{}").headers["Location"]
    made = location.rpartition("/")[2]
    with installation.services.db.begin() as session:
        run = session.get_one(Run, made)
        session.execute(delete(RunEvent).where(RunEvent.run_id == made))
        session.bulk_save_objects(_line(made, seq) for seq in range(1, LINES + 1))
        run.last_seq, run.state = LINES, "succeeded"
    return made


def _line(run_id: str, seq: int) -> RunEvent:
    text, masks = f"line {seq} of many", []
    if seq == 7_007:
        text, masks = "The Needle is *** here\nforged", [
            {"offset": 14, "secret": "echo_token", "version": 2}
        ]
    return RunEvent(
        run_id=run_id, seq=seq, at=utcnow(), node="log", attempt=1, type="log", level="info",
        text=text, data={}, masks=masks,
    )


def numbers(page: str) -> list[int]:
    """Return the sequence numbers of a page's lines."""
    return [int(found) for found in re.findall(r'data-seq="(\d+)"', page)]


def test_a_long_log_opens_at_its_end_and_goes_back_in_pages(admin: Person, run_id: str) -> None:
    page = admin.get(f"/runs/{run_id}").text
    seen = numbers(page)
    assert seen == list(range(9_501, LINES + 1))
    assert len(page) < 400_000
    while seen[0] > 1:
        older = admin.get(f"/runs/{run_id}/log?before={seen[0]}", htmx=True).text
        got = numbers(older)
        assert len(got) == 500
        assert 'id="run-log-older"' in older
        seen = got + seen
    assert seen == list(range(1, LINES + 1))
    assert " hidden" in re.findall(r'<p id="run-log-older"[^>]*>', older)[0]


def test_a_follower_who_fell_behind_catches_up_in_pages(admin: Person, run_id: str) -> None:
    answer = admin.get(f"/runs/{run_id}?after=9000", htmx=True).text
    assert numbers(answer) == list(range(9_001, 9_501))
    assert f"/runs/{run_id}?after=9500" in answer
    last = admin.get(f"/runs/{run_id}?after=9500", htmx=True).text
    assert numbers(last)[-1] == LINES
    assert "hx-trigger" not in re.findall(r'<div id="run-follow"[^>]*>', last)[0]


def test_search_is_the_servers_on_masked_text_and_takes_any_case(
    admin: Person, run_id: str
) -> None:
    found = admin.get(f"/runs/{run_id}/log?q=NEEDLE", htmx=True).text
    assert numbers(found) == [7_007]
    assert "echo_token@v2" in found
    assert numbers(admin.get(f"/runs/{run_id}/log?q=%25", htmx=True).text) == []
    first = admin.get(f"/runs/{run_id}/log?q=LINE", htmx=True).text
    assert numbers(first) == list(range(1, 501))
    assert "after=500" in first
    following = admin.get(f"/runs/{run_id}/log?q=line&after=500", htmx=True).text
    assert numbers(following)[0] == 501
    assert "run-log-found" not in following
    whole = admin.get(f"/runs/{run_id}/log?q=needle").text
    assert "<!doctype html>" in whole.lower()
    assert numbers(whole) == [7_007]
    assert 'class="log-found"' in admin.get(f"/runs/{run_id}/log?q=", htmx=True).text


def test_the_whole_log_is_downloaded_masked_and_in_order(admin: Person, run_id: str) -> None:
    answer = admin.get(f"/runs/{run_id}/log.txt")
    assert answer.mimetype == "text/plain"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="run-{run_id}.txt"'
    assert answer.is_streamed
    lines = answer.text.splitlines()
    assert len(lines) == LINES + 1
    kept = [line for line in lines if not line.startswith("    ")]
    assert [int(m[1]) for line in kept if (m := re.search(r"line (\d+) of", line))] == [
        seq for seq in range(1, LINES + 1) if seq != 7_007
    ]
    assert kept[7_006].endswith("The Needle is *** here")
    assert lines[7_007] == "    forged"


@pytest.mark.parametrize("path", ["log", "log.txt", "log?q=x"])
def test_the_log_is_for_those_who_may_read_runs_here(
    installation: Installation, admin: Person, path: str
) -> None:
    never = "0" * 26
    assert admin.get(f"/runs/{never}/{path}").status_code == 404
    stranger = Person(installation.browser())
    assert stranger.get(f"/runs/{never}/{path}").status_code in (302, 303)


_FAR = "9" * 41


@pytest.mark.parametrize(
    "query", [f"before={_FAR}", "before=-1", "before=x", f"q=a&after={_FAR}"]
)
def test_places_that_are_none_are_answered_in_order(
    admin: Person, run_id: str, query: str
) -> None:
    assert admin.get(f"/runs/{run_id}/log?{query}", htmx=True).status_code == 200
