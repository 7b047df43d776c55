"""Users' expressions: in a process that can do nothing but reckon, and that can be ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2.filters import FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.components.errors import NodeCancelled, NodeError
from worker import expressions
from worker.expressions import Expressions

ROOT = Path(__file__).parents[3]
CANARY = "CANARY-expression-7f1e"


def go_on() -> None:
    """Nobody asks for an end."""


@pytest.fixture(scope="module")
def helpers() -> Iterator[Expressions]:
    made = Expressions(64 * 1024)
    yield made
    made.close()


def code_of(action: Callable[[], Any]) -> str:
    with pytest.raises(NodeError) as caught:
        action()
    assert CANARY not in caught.value.message
    return caught.value.code


def test_one_process_answers_again_and_again(helpers: Expressions) -> None:
    assert helpers.evaluate("jmespath", "a.b", {"a": {"b": "ü"}}, go_on) == "ü"
    process = helpers._helpers["jmespath"]._process
    assert code_of(lambda: helpers.evaluate("jmespath", "[", CANARY, go_on)) == (
        "expression_not_valid")
    assert helpers.evaluate("jmespath", "sort(@)", [3, 1], go_on) == [1, 3]
    assert helpers._helpers["jmespath"]._process is process
    assert helpers.evaluate("jinja", "{{ name }}", {"name": CANARY}, go_on) == CANARY


@pytest.mark.parametrize("source", [
    "{% include '/etc/passwd' %}", "{% import 'os' as o %}", "{% extends 'x' %}",
    "{{ ''.__class__ }}", "{{ cycler.__init__.__globals__ }}", "{{ '{0.__class__}'.format(1) }}",
    "{{ values.append(1) }}",
])
def test_ways_out_of_a_template_are_named_as_such(helpers: Expressions, source: str) -> None:
    assert code_of(lambda: helpers.evaluate("jinja", source, {"values": [1]}, go_on)) == (
        "expression_not_allowed")


def test_every_filter_works_although_nothing_can_be_loaded(helpers: Expressions) -> None:
    here = ImmutableSandboxedEnvironment()
    seen = 0
    for name in sorted(FILTERS.keys() - {"random"}):
        for value in ("'x <b>'", "[3, 1]", "1.5", "{'a': 1}"):
            source = f"{{{{ {value}|{name} }}}}"
            try:
                wanted = here.from_string(source).render()
            except Exception:  # not for this kind of value
                continue
            if " object " not in wanted:
                seen += 1
                assert helpers.evaluate("jinja", source, {}, go_on) == wanted
    assert seen > 60


@pytest.mark.parametrize("source", [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{{ 9**(9**(9**9)) }}",
])
def test_what_takes_too_long_is_ended(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "SECONDS", 0.5)
    monkeypatch.setattr(expressions, "START_SECONDS", 10.0)
    made = Expressions(1024)
    made.evaluate("jinja", "", {}, go_on)
    process = made._helpers["jinja"]._process
    assert code_of(lambda: made.evaluate("jinja", source, {}, go_on)) in (
        "expression_timeout", "expression_too_much", "expression_failed")
    assert process is not None
    assert made.evaluate("jinja", "goes on", {}, go_on) == "goes on"
    made.close()


def test_a_first_expression_has_no_more_time_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "SECONDS", 0.5)
    monkeypatch.setattr(expressions, "START_SECONDS", 3_600.0)  # for the process alone
    made = Expressions(1024)
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    try:
        assert code_of(lambda: made.evaluate("jinja", loop, {}, go_on)) == "expression_timeout"
    finally:
        made.close()


def test_what_needs_too_much_is_refused(helpers: Expressions) -> None:
    for source, code in (
        ("{{ 'a' * 10**9 }}", "expression_too_much"),
        ("{{ 'a' * 100000 }}", "expression_too_large"),
        ("{% for i in range(10**9) %}{% endfor %}", "expression_too_much"),
    ):
        assert code_of(lambda source=source: helpers.evaluate("jinja", source, {}, go_on)) == code
    assert code_of(lambda: helpers.evaluate("jmespath", "@", "x" * 9_000_000, go_on)) == (
        "expression_data_too_large")
    assert code_of(lambda: helpers.evaluate("jinja", "x" * 200_001, {}, go_on)) == (
        "expression_too_long")
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    assert helpers.evaluate("jmespath", "@", deep, go_on) == deep


def test_cancelling_ends_an_expression_and_its_process() -> None:
    made = Expressions(1024)
    made.evaluate("jinja", "", {}, go_on)
    helper = made._helpers["jinja"]
    process = helper._process
    assert process is not None
    asked = threading.Event()
    threading.Timer(0.3, asked.set).start()

    def check() -> None:
        if asked.is_set():
            raise NodeCancelled

    started = time.monotonic()
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(NodeCancelled):
        made.evaluate("jinja", loop, {}, check)
    assert time.monotonic() - started < 3
    assert process.poll() is not None
    made.close()


def test_a_helper_that_died_is_replaced() -> None:
    made = Expressions(1024)
    made.evaluate("jmespath", "@", 1, go_on)
    process = made._helpers["jmespath"]._process
    assert process is not None
    process.kill()
    process.wait()
    assert code_of(lambda: made.evaluate("jmespath", "@", 1, go_on)) == "expression_too_much"
    assert made.evaluate("jmespath", "@", 2, go_on) == 2
    made.close()


PROGRAM = """
import json, os, resource, signal, socket, subprocess, sys, threading
from worker import confine
victim = int(sys.argv[1])
version = confine.shut_in()
def tried(action):
    try:
        action()
        return "done"
    except (OSError, RuntimeError) as error:
        return getattr(error, "strerror", None) or str(error)
print(json.dumps({
    "landlock": version,
    "read": tried(lambda: open("/etc/hostname").read()),
    "code": tried(lambda: open(confine.__file__).read()),
    "environ": tried(lambda: open(f"/proc/{victim}/environ").read()),
    "list": tried(lambda: os.listdir("/")),
    "write": tried(lambda: open("/tmp/tacit-helper", "w")),
    "tcp": tried(lambda: socket.socket().connect(("127.0.0.1", 9))),
    "unix": tried(lambda: socket.socket(socket.AF_UNIX)),
    "fork": tried(os.fork),
    "exec": tried(lambda: os.execv("/bin/true", ["true"])),
    "thread": tried(lambda: threading.Thread(target=int).start()),
    "kill": tried(lambda: os.kill(victim, 0)),
    "chdir": tried(lambda: os.chdir("/")),
}))
"""


def test_the_helper_can_do_nothing_but_reckon() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(os.getpid())], cwd=ROOT,
                          capture_output=True, text=True, timeout=60, check=False)
    found = json.loads(done.stdout)
    found.pop("landlock")
    assert "done" not in found.values(), (found, done.stderr)


def test_the_helper_has_no_environment_and_no_descriptor_of_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TACIT_TEST_CANARY", CANARY)
    monkeypatch.setattr("worker.confine.become_undumpable", lambda: True)
    made = Expressions(1024)
    read, write = os.pipe()
    os.set_inheritable(read, True)
    made.evaluate("jmespath", "@", 1, go_on)
    process = made._helpers["jmespath"]._process
    assert process is not None
    folder = Path(f"/proc/{process.pid}")
    try:
        if os.geteuid() == 0:  # the helper is shut to others of its own user
            assert (folder / "environ").read_bytes() == b""
            assert {one.name for one in (folder / "fd").iterdir()} == {"0", "1", "2"}
            assert CANARY.encode() not in (folder / "cmdline").read_bytes()
        else:
            with pytest.raises(PermissionError):
                (folder / "environ").read_bytes()
    finally:
        os.close(read)
        os.close(write)
        made.close()
