"""The whole worker: real processes, a real queue, real TLS; the server's side stands in."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis
from rq import Callback

from tests.support.graphs import graph, node, wire
from tests.support.http_echo import EchoServer
from tests.support.processes import (
    alive,
    busy_children,
    children_of,
    memory_holds,
    processes_of,
)
from tests.support.runtime_standin import RuntimeStandin
from tests.support.worker_process import WorkerProcess, queue_server


def call_graph(url: str) -> dict[str, Any]:
    return graph(
        node("start", "trigger.manual"),
        node("fetch", "secret.fetch", secretName="echo_token"),
        node("call", "http.request", url=url),
        node("log", "output.log"),
        wire("start.done", "call.start"), wire("fetch.value", "call.bearer_token"),
        wire("call.body", "log.message"),
    )


def test_the_main_job(standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer) -> None:
    canary = f"CANARY-{secrets.token_hex(12)}"
    run = worker.enqueue(standin.plan(
        call_graph(f"{echo.url}/main"), secrets={"fetch": ("echo_token", canary, None)},
        inputs={"a": 1}))
    run.wait()
    assert run.state == "succeeded", run.problem
    sent = [headers for _, path, headers in echo.requests if path == "/main"]
    assert [h["Authorization"] for h in sent] == [f"Bearer {canary}"]
    assert [e["seq"] for e in run.events] == list(range(4, 4 + len(run.events)))
    assert run.node("start")["outputs"] == {"payload": {"a": 1}}
    assert run.node("fetch")["outputs"] == {"value": {"secret": "echo_token", "version": 1}}
    assert run.node("call")["prevented_leaks"] >= 2
    assert run.node("call")["outputs"]["json"]["headers"]["Authorization"] == "Bearer ***"
    assert {"path": ["headers", "Authorization"], "offset": 7, "secret": "echo_token",
            "version": 1} in run.node("call")["output_masks"]["json"]
    assert {tuple(m["path"]) for m in run.node("call")["output_masks"]["body"]} == {()}
    assert "output_masks" not in run.node("fetch")
    line = next(e for e in run.events if e["type"] == "log" and e["node"] == "log")
    assert line["masks"][0]["secret"] == "echo_token"
    assert line["text"][line["masks"][0]["offset"]:].startswith("***")
    seen = repr(run.events) + worker.words() + repr(
        [worker.redis.dump(key) for key in worker.redis.scan_iter()])
    for form in (canary, base64.b64encode(canary.encode()).decode(), canary.encode().hex()):
        assert form not in seen
    until = time.monotonic() + 5
    while len(list(worker.scratch.iterdir())) > 1 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(list(worker.scratch.iterdir())) <= 1  # the next spare's own


def test_the_queue_keeps_nothing_of_a_finished_run(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    run = worker.enqueue(standin.plan(graph(node("start", "trigger.manual")))).wait()
    until = time.monotonic() + 5
    while worker.redis.keys(f"rq:job:{run.id}*") and time.monotonic() < until:
        time.sleep(0.05)
    assert worker.redis.keys(f"rq:job:{run.id}*") == [], worker.words()


def test_a_rejected_run_and_one_that_is_gone_do_nothing(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    for answer in ("rejected", "gone"):
        run = worker.enqueue(standin.plan(graph(node("start", "trigger.manual")), answer=answer))
        after = worker.enqueue(standin.plan(graph(node("start", "trigger.manual")))).wait()
        assert after.state == "succeeded"
        assert (run.events, run.lost, run.claims) == ([], [], 0)


def test_a_missing_secret_fails_its_node_and_skips_the_rest(
    standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer
) -> None:
    run = worker.enqueue(standin.plan(
        call_graph(f"{echo.url}/never"),
        secrets={"fetch": ("echo_token", "(denied)", None)})).wait()
    assert run.state == "failed"
    assert run.problem is not None
    assert run.problem["code"] == "secret_missing"
    assert run.problem["remedy"]["action"] == "remap_secret"
    assert run.node("call")["state"] == run.node("log")["state"] == "skipped"
    assert run.node("start")["state"] == "succeeded"
    assert not [1 for _, path, _ in echo.requests if path == "/never"]


def test_a_secret_goes_only_to_its_hosts(
    standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer
) -> None:
    run = worker.enqueue(standin.plan(
        call_graph(f"{echo.url}/elsewhere"),
        secrets={"fetch": ("echo_token", "CANARY-hosts-1", ["api.example.com"])})).wait()
    assert run.problem is not None
    assert run.problem["code"] == "secret_host_denied"
    assert not [1 for _, path, _ in echo.requests if path == "/elsewhere"]


def test_a_flow_may_not_call_the_runtime_listener(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    run = worker.enqueue(standin.plan(
        graph(node("call", "http.request", url=standin.url + "/ping")))).wait()
    assert run.problem is not None
    assert run.problem["code"] == "egress_refused"


def test_cancel_stops_a_waiting_request_within_seconds(
    standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer
) -> None:
    run = worker.enqueue(standin.plan(
        call_graph(f"{echo.url}/slow/cancel"),
        secrets={"fetch": ("echo_token", "CANARY-cancel-1", None)}))
    until = time.monotonic() + 90
    while not [1 for _, path, _ in echo.requests if path == "/slow/cancel"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    run.cancel = True
    started = time.monotonic()
    run.wait()
    assert run.state == "cancelled"
    assert run.node("call")["state"] == run.node("log")["state"] == "cancelled"
    assert time.monotonic() - started < 5  # a heartbeat each second brings the request


def test_a_deadline_fails_the_run(
    standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer
) -> None:
    run = worker.enqueue(standin.plan(
        call_graph(f"{echo.url}/slow/late"), deadline_in=1.5,
        secrets={"fetch": ("echo_token", "CANARY-late-1", None)})).wait()
    assert run.state == "failed"
    assert run.problem is not None
    assert run.node("log")["state"] == "skipped"


def test_a_killed_process_is_reported_lost_and_the_next_run_works(
    standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer
) -> None:
    run = worker.enqueue(standin.plan(
        call_graph(f"{echo.url}/slow/killed"),
        secrets={"fetch": ("echo_token", "CANARY-killed-1", None)}))
    until = time.monotonic() + 90
    while not [1 for _, path, _ in echo.requests if path == "/slow/killed"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    for pid in busy_children(worker):
        os.kill(pid, signal.SIGKILL)
    run.wait()
    assert run.lost == [{"claim": 1, "reason": "killed by signal 9"}]
    assert worker.enqueue(
        standin.plan(graph(node("start", "trigger.manual")))).wait().state == "succeeded"
    job = worker.redis.hgetall(f"rq:job:{run.id}-1")
    assert b"CANARY" not in repr(job).encode()


def test_a_cancelled_run_whose_process_is_held_up_is_killed(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    run = worker.enqueue(standin.plan(graph(node("wait", "control.delay", seconds=60))))
    until = time.monotonic() + 90
    while not run.events:
        assert time.monotonic() < until
        time.sleep(0.05)
    (busy,) = busy_children(worker)
    os.kill(busy, signal.SIGSTOP)  # as good as a library that never lets the interpreter go
    run.cancel = True
    asked = time.monotonic()
    run.wait()
    assert time.monotonic() - asked < 12
    assert run.lost == [{"claim": 1, "reason": "cancelled: it didn't stop in 2 seconds"}]
    assert not alive(busy)
    assert worker.enqueue(
        standin.plan(graph(node("start", "trigger.manual")))).wait().state == "succeeded"


def test_a_fenced_run_stops_and_says_nothing_more(
    standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer
) -> None:
    run = worker.enqueue(standin.plan(
        call_graph(f"{echo.url}/slow/fenced"),
        secrets={"fetch": ("echo_token", "CANARY-fenced-1", None)}))
    until = time.monotonic() + 90
    while not [1 for _, path, _ in echo.requests if path == "/slow/fenced"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    run.fenced = True
    after = worker.enqueue(standin.plan(graph(node("start", "trigger.manual")))).wait()
    assert after.state == "succeeded"
    assert run.state == "running"
    assert run.lost == []


def test_a_busy_server_is_asked_again(standin: RuntimeStandin, worker: WorkerProcess) -> None:
    standin.fail_next += [503, 503]
    run = worker.enqueue(standin.plan(graph(node("start", "trigger.manual")))).wait()
    assert run.state == "succeeded"


@pytest.mark.parametrize("function", [
    "os.system", "subprocess.call", "worker.main.main", "builtins.eval", "worker.main.Execute"])
def test_a_job_that_names_another_function_executes_nothing(
    standin: RuntimeStandin, worker: WorkerProcess, tmp_path: Path, function: str
) -> None:
    proof = tmp_path / "proof"
    job = worker.queue.enqueue_call(
        function, args=[f"touch {proof}"], failure_ttl=60, description="x",
        on_failure=Callback("os.system"), on_success=Callback("os.system"))
    assert worker.enqueue(
        standin.plan(graph(node("start", "trigger.manual")))).wait().state == "succeeded"
    assert not proof.exists()
    assert job.get_status(refresh=True) == "failed"
    result = job.latest_result()
    assert result is not None
    assert "withheld" in str(result.exc_string)
    assert str(proof) not in str(result.exc_string) + worker.words()


def test_callbacks_and_strange_arguments_are_dropped(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    run = standin.plan(graph(node("start", "trigger.manual")))
    worker.queue.enqueue_call(
        "worker.main.execute", args=[run.id], result_ttl=0, on_success=Callback("os.abort"),
        on_failure=Callback("os.abort"))
    run.wait()
    for arguments in ([], ["../../x"], [run.id, run.id], [{"a": 1}]):
        worker.queue.enqueue_call("worker.main.execute", args=arguments, failure_ttl=60)
    again = worker.enqueue(standin.plan(graph(node("start", "trigger.manual")))).wait()
    assert again.state == "succeeded"
    assert "dropped failure_callback_name, success_callback_name" in worker.words()


def test_heartbeats_say_what_confines_the_runs(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    until = time.monotonic() + 90
    while not standin.heartbeats:
        assert time.monotonic() < until
        time.sleep(0.05)
    confinement = standin.heartbeats[0]["confinement"]
    assert confinement["no_new_privs"] is True
    assert confinement["undumpable"] is True
    assert standin.heartbeats[0]["capacity"] == 1
    if os.geteuid() == 0:
        assert confinement["uid"] != 0


def test_the_key_is_nowhere_in_the_processes_that_run(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    private = standin.key_document()["private_key"]
    password = urlsplit(worker.environ["TACIT_REDIS_URL"]).password
    assert password
    keys = private.encode(), standin.worker_key.private_bytes_raw(), password.encode()
    assert worker.process is not None
    zygote, spares = processes_of(worker)
    for pid in (*zygote, *spares):
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
        except PermissionError:
            assert os.geteuid() != 0  # they shut their memory even to their own user
            environ = b""
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        for hidden in (private, password, "TACIT_WORKER_KEY_FILE", "TACIT_REDIS_URL",
                       "CANARY_IN_ENV"):
            assert hidden.encode() not in environ + command
        if os.geteuid() == 0:
            assert not [key for key in keys if memory_holds(pid, key)]
    if os.geteuid() == 0:  # where they have to be, the search finds them (the file's text may go)
        assert all(memory_holds(worker.process.pid, key) for key in keys[1:])


def test_sigterm_drains_and_leaves_nothing_behind(
    standin: RuntimeStandin, echo: EchoServer, tmp_path: Path
) -> None:
    with queue_server() as (url, redis):
        worker = WorkerProcess(standin, url, redis, tmp_path)
        worker.start()
        run = worker.enqueue(standin.plan(
            call_graph(f"{echo.url}/slow/drain"), deadline_in=4,
            secrets={"fetch": ("echo_token", "CANARY-drain-1", None)}))
        until = time.monotonic() + 90
        while not [1 for _, path, _ in echo.requests if path == "/slow/drain"]:
            assert time.monotonic() < until, worker.words()
            time.sleep(0.05)
        assert worker.process is not None
        zygote = children_of(worker.process.pid)
        assert worker.stop() == 0
        assert run.done.is_set()  # it was let come to its end
        assert not [pid for pid in zygote if alive(pid)]
        assert worker.left_behind == []


def test_a_run_that_takes_longer_than_the_drain_is_handed_back(
    standin: RuntimeStandin, echo: EchoServer, tmp_path: Path
) -> None:
    with queue_server() as (url, redis):
        worker = WorkerProcess(standin, url, redis, tmp_path)
        worker.environ["TACIT_DRAIN_SECONDS"] = "1"
        worker.start()
        run = worker.enqueue(standin.plan(
            call_graph(f"{echo.url}/slow/stopped"),
            secrets={"fetch": ("echo_token", "CANARY-stopped-1", None)}))
        until = time.monotonic() + 90
        while not [1 for _, path, _ in echo.requests if path == "/slow/stopped"]:
            assert time.monotonic() < until, worker.words()
            time.sleep(0.05)
        started = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - started < 10
        assert run.lost == [{"claim": 1, "reason": "worker stopped"}]
        assert worker.left_behind == []


def test_everything_ends_with_a_killed_parent(
    standin: RuntimeStandin, tmp_path: Path
) -> None:
    with queue_server() as (url, redis):
        worker = WorkerProcess(standin, url, redis, tmp_path)
        worker.start()
        worker.enqueue(standin.plan(graph(node("start", "trigger.manual")))).wait()
        assert worker.process is not None
        zygote, spares = processes_of(worker)
        worker.process.kill()
        worker.process.wait()
        until = time.monotonic() + 5
        while [pid for pid in (*zygote, *spares) if alive(pid)] and time.monotonic() < until:
            time.sleep(0.05)
        assert not [pid for pid in (*zygote, *spares) if alive(pid)]
        worker.stop()


@pytest.mark.parametrize(("name", "value", "words"), [
    ("TACIT_WORKER_KEY_FILE", "/nonexistent", "can't be opened"),
    ("TACIT_WORKER_KEY_FILE", "", "isn't set"),
    ("TACIT_CA", "/nonexistent", "TACIT_CA"),
    ("TACIT_RUNTIME_URL", "http://localhost:1", "TACIT_RUNTIME_URL"),
    ("TACIT_REDIS_URL", "redis://queue.example.com:6379", "needs TLS"),
    ("TACIT_REDIS_URL", "", "TACIT_REDIS_URL"), ("TACIT_DRAIN_SECONDS", "soon", "a number"),
    ("TACIT_REDIS_URL", "unix:///nowhere", "doesn't answer"),
    ("TACIT_RUN_MEMORY_MB", "10", "from 256 on"), ("TACIT_RUN_CPU_SECONDS", "x", "whole number"),
])
def test_settings_that_cannot_work_are_said_plainly(
    standin: RuntimeStandin, tmp_path: Path, name: str, value: str, words: str
) -> None:
    with Redis() as redis:
        worker = WorkerProcess(standin, "unix:///nowhere", redis, tmp_path)
        worker.environ[name] = value
        worker.start()
        assert worker.process is not None
        assert worker.process.wait(90) == 2
        assert words in worker.words()
        worker.stop()
        assert "Traceback" not in worker.words()


def test_what_a_process_says_when_it_dies_is_in_the_worker_s_log(
    standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer
) -> None:
    """Names of files and functions alone; the lines of the worker itself are JSON."""
    canary = f"CANARY-{secrets.token_hex(12)}"
    run = worker.enqueue(standin.plan(
        call_graph(f"{echo.url}/slow/aborted"), secrets={"fetch": ("echo_token", canary, None)}))
    until = time.monotonic() + 90
    while not [1 for _, path, _ in echo.requests if path == "/slow/aborted"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    for pid in busy_children(worker):
        os.kill(pid, signal.SIGABRT)
    run.wait()
    said = worker.words()
    assert "Fatal Python error: Aborted" in said
    assert "worker/engine.py" in said
    assert canary not in said
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    early = [one for one in lines if "ended early" in one["event"] and run.id in one["event"]]
    assert [(one["process"], one["level"]) for one in early] == [("worker", "error")]


def test_a_value_whose_answer_was_lost_is_had_by_another_attempt(
    standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer
) -> None:
    canary = f"CANARY-{secrets.token_hex(12)}"
    standin.cut.append("/value")
    run = worker.enqueue(standin.plan(
        call_graph(f"{echo.url}/lost"), secrets={"fetch": ("echo_token", canary, None)})).wait()
    assert run.state == "succeeded", run.problem
    told = [e for e in run.events if e["node"] == "fetch" and "retry" in e["data"]]
    assert [e["data"]["error"]["code"] for e in told] == ["secret_answer_lost"]
    assert "the answer with it was lost" in told[0]["text"]
    # A fourth one isn't asked for: then the run ends with what happened.
    standin.cut += ["/value"] * 3
    run = worker.enqueue(standin.plan(
        call_graph(f"{echo.url}/never"), secrets={"fetch": ("echo_token", canary, None)})).wait()
    assert run.state == "failed"
    assert run.problem is not None
    assert run.problem["code"] == "secret_answer_lost"
    assert "network between the worker and the runtime listener" in run.problem["message"]
    assert standin.cut == []


def test_a_claim_whose_answer_was_lost_is_told_with_its_key(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    standin.cut.append("/claims")
    run = worker.enqueue(standin.plan(graph(node("start", "trigger.manual"))))
    until = time.monotonic() + 90
    while not run.lost:
        assert time.monotonic() < until, worker.words()
        time.sleep(0.05)
    (told,) = run.lost
    assert told["claim"] is None
    assert run.public is not None
    given = base64.urlsafe_b64decode(told["public"] + "=")
    assert given == run.public.public_bytes_raw()
    assert run.events == []
