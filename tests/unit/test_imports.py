"""The rooms: who may import whom (ARCHITECTURE, "The rooms"; contracts in pyproject.toml)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _run(script: str) -> None:
    """Run a script in an interpreter of its own; what it raises fails the test."""
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_contracts_hold() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_worker_starts_without_database_and_web_framework() -> None:
    _run("""
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("sqlalchemy", "flask", "alembic"):
            raise ModuleNotFoundError(f"{name} is not installed here", name=name)

sys.meta_path.insert(0, Absent())
import worker.engine
from app import lean
lean.leave_out(lean.TELEMETRY)
import worker.main
import worker.parent
from redis import Redis
assert not [name for name in sys.modules if name.startswith("opentelemetry.")]
""")


def test_importing_does_nothing() -> None:
    _run("""
import threading, socket
import app.factory, app.cli
assert threading.active_count() == 1, threading.enumerate()
""")


def test_httpx_works_without_its_command_line() -> None:
    _run("""
import sys
from app import lean
lean.leave_out(lean.HTTPX_COMMAND)
import httpx
assert not [name for name in sys.modules if name.partition(".")[0] in ("rich", "pygments")]
client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(204)))
assert client.get("https://example.org/").status_code == 204
import rich  # what else wants it has it
""")


def test_spans_are_sent_where_telemetry_was_left_out() -> None:
    _run("""
from app import lean
lean.leave_out(lean.TELEMETRY)
from redis import Redis
try:
    import opentelemetry
except ImportError:
    pass
else:
    raise AssertionError("it was let in")
from app.runs.traces import otlp
otlp("http://127.0.0.1:1")
import opentelemetry
""")
