"""Structured logs: one JSON object a line, ids bound, and nothing of an exception's text."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

from app.log import JsonLines, bound

CANARY = "CANARY-in-an-exception"


def line(**record: object) -> dict[str, object]:
    made = logging.makeLogRecord({"name": "tacit.x", "levelname": "WARNING", **record})
    found: dict[str, object] = json.loads(JsonLines("runtime").format(made))
    return found


def test_a_line_has_a_constant_event_and_its_ids() -> None:
    with bound(run="r-1"), bound(node="n"):
        found = line(msg="row_tampered", table="runs")
    assert {**found, "at": None} == {
        "at": None, "level": "warning", "process": "runtime", "logger": "tacit.x",
        "event": "row_tampered", "run": "r-1", "node": "n", "table": "runs",
    }
    assert "run" not in line(msg="later")


def test_an_exception_is_told_by_kind_and_place_only() -> None:
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as error:
            raise ValueError(CANARY) from error
    except ValueError:
        found = line(msg="unexpected_error", exc_info=sys.exc_info(), more=object())
    assert CANARY not in json.dumps(found)
    assert found["error"]["kind"] == "ValueError"  # type: ignore[index]
    assert found["error"]["cause"] == "KeyError"  # type: ignore[index]
    assert found["more"] == "object"


def test_every_logger_of_a_process_writes_so() -> None:
    program = (
        "import logging, warnings; from app.log import set_up; set_up('web', 'INFO');"
        "logging.getLogger('gunicorn.error').error('worker_exit');"
        "logging.getLogger('httpx').info('a url'); warnings.warn('old', stacklevel=1);"
        "logging.getLogger('a').info('%s %s', 1)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          check=True)
    found = [json.loads(text) for text in done.stderr.splitlines()]
    assert [one["logger"] for one in found] == ["gunicorn.error", "py.warnings"]
