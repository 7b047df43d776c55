"""The executor: order, branches at once, failures, cancelling, secrets on their ports only."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType
from app.components.registry import BUILTINS, Registry
from app.flows.graph import Edge, End, Graph, Node, parse_graph
from app.flows.policies import Policies, Retry
from app.providers.egress import EgressGuard
from worker.cancellation import RunCancellation
from worker.context import Grant, RunScope
from worker.engine import Engine, Outcome
from worker.errors import RuntimeRefused, RuntimeUnreachable
from worker.external import ExternalDoor, Purpose
from worker.masking import MaskedText, Masker

HERE = __name__
CANARY = "CANARY-engine-51ab"


class StepConfig(ComponentConfig):
    text: str = field("", label="Text", kind="text")
    seconds: float = field(0.0, label="Seconds", kind="number")
    fail: str = field("", label="Fail", kind="text")


class Step(Component):
    """Sleeps, fails or passes on, as its config says; notes what it saw."""

    name = "test.step"
    title = "Step"
    help = "Does as it is told."
    category = "logic"
    icon = "x"
    Config = StepConfig
    inputs = (Port("data", PortType.ANY, "Data"), Port("many", PortType.JSON, multiple=True),
              Port("token", PortType.SECRET, "Token"))
    outputs = (Port("text", PortType.TEXT), Port("json", PortType.JSON),
               Port("secret", PortType.SECRET), Port("number", PortType.NUMBER))
    running: ClassVar[set[str]] = set()
    together: ClassVar[int] = 0
    lock = threading.Lock()
    seen: ClassVar[dict[str, Any]] = {}

    def run(self, context: Context) -> Mapping[str, Any]:
        with Step.lock:
            Step.running.add(context.node_id)
            Step.together = max(Step.together, len(Step.running))
        try:
            return self._work(context)
        finally:
            with Step.lock:
                Step.running.discard(context.node_id)

    def _work(self, context: Context) -> Mapping[str, Any]:
        config = context.config
        Step.seen[context.node_id] = (config, context.inputs)
        if config.seconds:
            context.cancelled.wait(config.seconds)
            context.cancelled.raise_if_set()
        if config.fail.startswith("flaky:") and context.attempt <= int(config.fail[6:]):
            raise NodeError("not_yet", f"Attempt {context.attempt} failed.", retryable=True)
        if config.fail == "node":
            raise NodeError("step_failed", f"The step failed on {config.text}.")
        if config.fail == "crash":
            raise ValueError(f"crash with {CANARY}")
        if config.fail == "memory":
            bytearray(1 << 62)
        if config.fail == "files":
            try:
                raise OSError(errno.EMFILE, "Too many open files", "/CANARY")
            except OSError as error:
                raise ValueError("wrapped") from error
        if config.fail == "exit":
            raise SystemExit(3)
        if config.fail == "stubborn":
            time.sleep(30)
        if config.fail == "plain_on_secret":
            return {"secret": "plain"}
        if config.fail == "secret_on_plain":
            return {"json": {"deep": [context.fetch_secret()]}}
        if config.fail == "not_json":
            return {"json": {1, 2}}
        if config.fail == "huge":
            return {"text": "x" * 5_000}
        if config.fail == "leak":
            return {"text": context.reveal("token", "https://h:443")}
        if config.fail == "derive":
            made = context.derive("user:" + context.reveal("token", "https://h:443"), "token")
            return {"secret": made}
        if config.fail == "short":
            return {"secret": context.derive("ab", "token")}
        if config.fail == "partly":
            return {"number": 1}
        if config.fail == "fetch":
            return {"secret": context.fetch_secret()}
        if config.fail == "json":
            return {"secret": context.fetch_secret().as_structured()}
        if context.has_secret("token"):
            Step.seen[context.node_id] = context.reveal("token", "https://h:443")
        return {"text": config.text or "ok", "json": {"a": config.text}, "number": 3}


REGISTRY = Registry({**BUILTINS, "test.step": f"{HERE}:Step"})
# importlib's import mode gives this module a name that can't be imported again.
REGISTRY._loaded["test.step"] = Step()


class World:
    """A scope whose server is the test itself."""

    def __init__(self, deadline: float | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self.masker = Masker()
        self.cancellation = RunCancellation(
            None if deadline is None else time.monotonic() + deadline)
        self.value: str | Exception = CANARY
        self.leaks_fail = False
        self.values: dict[str, dict[str, Any]] = {}
        self.fetched: list[tuple[str, int]] = []
        self.lock = threading.Lock()

    def emit(self, kind: str, text: str | MaskedText, *, level: str = "info",
             data: Mapping[str, Any] | None = None, node: str | None = None,
             attempt: int = 1) -> None:
        masked = text if isinstance(text, MaskedText) else self.masker.mask_text(text)
        with self.lock:
            self.events.append({"type": kind, "text": masked.text, "level": level, "node": node,
                                "attempt": attempt, "masks": masked.masks,
                                "data": self.masker.mask_object(data or {}).value})

    def fetch(self, grant: Grant, attempt: int, _purpose: Purpose) -> str:
        self.fetched.append((grant.node, attempt))
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def run(self, graph: Graph, grants: tuple[str, ...] = (), **options: Any) -> Outcome:
        scope = RunScope(
            "run", {}, {node: Grant(node, "id", "tok", 2, ("h:443",)) for node in grants},
            self.masker, self.cancellation, self.emit, self.fetch, EgressGuard, Path("/nowhere"),
            ExternalDoor(tell=lambda _access: None, ask=lambda _reference: ""),
            leaks_fail=self.leaks_fail, values=self.values)
        return Engine(graph, REGISTRY, scope, **options).run()

    def states(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for event in self.events:
            if event["type"] == "node" and "state" in event["data"]:
                found.setdefault(event["node"], []).append(event["data"]["state"])
        return found

    def text(self, node: str) -> str:
        """The last words about a node."""
        return str([e["text"] for e in self.events if e["node"] == node][-1])

    def problem(self, node: str) -> dict[str, Any]:
        found: dict[str, Any] = next(
            e["data"]["problem"] for e in self.events
            if e["node"] == node and "problem" in e["data"])
        return found


def step(name: str, **config: Any) -> Node:
    disabled = config.pop("disabled", False)
    policies = Policies(
        config.pop("retry", None), config.pop("timeout", None), config.pop("on_error", "stop"))
    return Node(name, "test.step", name, config=config, disabled=disabled, policies=policies)


def component(name: str, kind: str, **config: Any) -> Node:
    return Node(name, kind, name, config=config)


def make(nodes: list[Node], *wires: str) -> Graph:
    edges = []
    for wire in wires:
        source, target = wire.split(">")
        edges.append(Edge(f"e{len(edges)}", End(*source.split(".")), End(*target.split("."))))
    return Graph(tuple(nodes), tuple(edges))


@pytest.fixture(autouse=True)
def fresh() -> None:
    Step.seen.clear()
    Step.together = 0


def test_values_pass_exactly_and_the_wire_wins() -> None:
    world = World()
    world.masker.register("value-that-is-registered", "tok", 1)
    graph = make(
        [step("a", text="value-that-is-registered"), step("b", text="typed")],
        "a.text>b.text", "a.json>b.data", "a.json>b.many", "a.number>b.many")
    assert world.run(graph) == Outcome("succeeded")
    config, inputs = Step.seen["b"]
    assert config.text == "value-that-is-registered"
    assert inputs == {"data": {"a": "value-that-is-registered"},
                      "many": [{"a": "value-that-is-registered"}, 3]}
    done = next(e for e in world.events if e["data"].get("outputs"))
    assert done["data"]["outputs"]["text"] == "***"
    assert done["data"]["prevented_leaks"] == 2
    assert done["level"] == "warning"


def test_a_node_that_puts_out_a_secret_fails_where_the_flow_says_so() -> None:
    world = World()
    world.leaks_fail = True
    world.masker.register("value-that-is-registered", "tok", 1)
    graph = make(
        [step("a", text="value-that-is-registered"), step("b", text="typed"), step("c")],
        "a.text>b.text")
    outcome = world.run(graph)
    assert outcome.problem is not None
    assert outcome.problem.code == world.problem("a")["code"] == "leak_prevented"
    assert (world.states()["a"][-1], world.states()["c"][-1]) == ("failed", "succeeded")
    assert "b" not in Step.seen
    failed = next(e for e in world.events if e["data"].get("problem"))
    assert failed["data"]["prevented_leaks"] == 2
    assert "outputs" not in failed["data"]
    assert "value-that-is-registered" not in repr(world.events)


def test_branches_run_together_and_numbers_become_text() -> None:
    world = World()
    names = [f"n{i}" for i in range(8)]
    graph = make([*(step(n, seconds=0.3) for n in names), step("end")],
                 *(f"{n}.done>end.start" for n in names), "n0.number>end.text")
    started = time.monotonic()
    assert world.run(graph).state == "succeeded"
    assert time.monotonic() - started < 1.5
    assert Step.together == 8
    assert Step.seen["end"][0].text == "3"


def test_no_more_than_the_limit_at_once() -> None:
    world = World()
    graph = make([step(f"n{i}", seconds=0.05) for i in range(10)])
    assert world.run(graph, parallel=3).state == "succeeded"
    assert Step.together <= 3


def test_a_failure_skips_what_depends_on_it_and_no_more() -> None:
    world = World()
    graph = make(
        [step("a", fail="node", text="x"), step("b"), step("c"), step("d"), step("e")],
        "a.done>b.start", "b.done>c.start", "d.done>e.start")
    outcome = world.run(graph)
    assert outcome.state == "failed"
    assert outcome.problem is not None
    assert (outcome.problem.code, outcome.problem.node) == ("step_failed", "a")
    assert world.states() == {
        "a": ["running", "failed"], "b": ["skipped"], "c": ["skipped"],
        "d": ["running", "succeeded"], "e": ["running", "succeeded"]}
    skipped = [e["text"] for e in world.events if e["node"] == "c"]
    assert skipped == ["c skipped: a didn't succeed."]


@pytest.mark.parametrize(("fail", "code"), [
    ("crash", "node_crashed"), ("exit", "node_crashed"),
    ("plain_on_secret", "plain_on_secret_output"), ("secret_on_plain", "secret_on_plain_output"),
    ("memory", "run_memory_limit"), ("files", "run_files_limit"),
    ("not_json", "output_not_json"), ("huge", "output_too_large"), ("short", "secret_not_wired"),
])
def test_what_a_component_does_wrong_is_a_clear_failure(fail: str, code: str) -> None:
    world = World()
    world.masker.register(CANARY, "tok", 2)
    assert world.run(make([step("a", fail=fail)]), grants=("a",), output_bytes=4_000).state == (
        "failed")
    assert world.problem("a")["code"] == code
    assert CANARY not in repr(world.events)
    if fail == "crash":
        assert "ValueError: crash with ***" in repr(world.events)
        assert "_work" in repr(world.events)  # the traceback is in the log


@pytest.mark.parametrize("kind", ["node", "log"])
def test_an_end_that_cannot_be_told_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Such as where memory is short: nothing else would ever end a run whose node is over."""
    world, raised = World(), list[BaseException]()
    emit = World.emit

    def short_of_memory(self: World, what: str, *given: Any, **more: Any) -> None:
        if what == kind and more["data" if kind == "node" else "level"] != {"state": "running"}:
            raise MemoryError
        emit(self, what, *given, **more)

    monkeypatch.setattr(World, "emit", short_of_memory)

    def run() -> None:
        try:
            world.run(make([step("a", fail="crash"), step("b")], "a.text>b.data"))
        except MemoryError as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert len(raised) == 1


def test_a_secret_reaches_secret_ports_only() -> None:
    world = World()
    graph = make([step("f", fail="fetch"), step("use")], "f.secret>use.token")
    assert world.run(graph, grants=("f",)).state == "succeeded"
    assert Step.seen["use"] == CANARY
    assert {"secret": {"secret": "tok", "version": 2}} in [
        e["data"].get("outputs") for e in world.events]
    assert CANARY not in repr(world.events)


def test_a_secret_into_a_plain_input_is_refused_while_running() -> None:
    world = World()
    for target, code in (("data", "secret_into_plain"), ("text", "secret_into_plain")):
        graph = make([step("f", fail="fetch"), step("use")], f"f.secret>use.{target}")
        assert world.run(graph, grants=("f",)).state == "failed"
        assert world.problem("use")["code"] == code
        world.events.clear()
    graph = make([step("f"), step("use")], "f.text>use.token")
    assert world.run(graph).state == "failed"
    assert world.problem("use")["code"] == "plain_into_secret"


def test_a_structured_secret_into_a_text_secret_is_refused() -> None:
    world = World()
    world.value = '{"a": "CANARY-inside"}'
    graph = make([step("f", fail="json"), step("use")], "f.secret>use.token")
    assert world.run(graph, grants=("f",)).problem is not None
    assert world.problem("use")["code"] == "secret_not_text"
    assert "CANARY" not in repr(world.events)


def test_a_leak_is_prevented_and_a_derived_value_is_known() -> None:
    world = World()
    graph = make([step("f", fail="fetch"), step("leak", fail="leak"),
                  step("derive", fail="derive")],
                 "f.secret>leak.token", "f.secret>derive.token")
    assert world.run(graph, grants=("f",)).state == "succeeded"
    assert world.masker.mask_text(f"user:{CANARY}!").text == "***!"
    leaked = next(e for e in world.events if e["node"] == "leak" and "outputs" in e["data"])
    assert leaked["data"]["prevented_leaks"] == 1
    assert leaked["data"]["outputs"] == {"text": "***"}


@pytest.mark.parametrize(("value", "code", "action"), [
    (RuntimeRefused(404, "secret_missing", "It is gone."), "secret_missing", "remap_secret"),
    (RuntimeRefused(503, "vault_locked", "Later."), "vault_locked", None),
    (RuntimeUnreachable("localhost:1 can't be reached."), "secret_unreachable", None),
    ("ab", "secret_too_weak", None),
])
def test_a_value_that_does_not_come(value: str | Exception, code: str, action: str | None) -> None:
    world = World()
    world.value = value
    assert world.run(make([step("f", fail="fetch")]), grants=("f",)).state == "failed"
    problem = world.problem("f")
    assert problem["code"] == code
    assert (problem["remedy"] or {}).get("action") == action


def test_without_a_grant_nothing_is_fetched() -> None:
    world = World()
    assert world.run(make([step("f", fail="fetch")])).state == "failed"
    assert world.problem("f")["code"] == "secret_not_granted"


def test_bad_config_and_missing_components() -> None:
    world = World()
    graph = make([step("a", seconds="soon"), Node("b", "no.such", "B"), step("c")],
                 "c.json>a.data")
    assert world.run(graph).state == "failed"
    assert world.problem("a")["code"] == "config_invalid"
    assert world.problem("b")["code"] == "component_not_installed"


def test_cancelling_stops_the_waiting_and_the_unstarted() -> None:
    world = World()
    graph = make([step("a", seconds=30), step("b"), step("c")],
                 "a.done>b.start", "b.done>c.start")
    threading.Timer(0.2, world.cancellation.cancel).start()
    started = time.monotonic()
    assert world.run(graph).state == "cancelled"
    assert time.monotonic() - started < 2
    assert world.states() == {
        "a": ["running", "cancelled"], "b": ["cancelled"], "c": ["cancelled"]}


def test_a_node_that_will_not_stop_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.engine.STOP_SECONDS", 0.5)
    world = World()
    graph = make([step("a", fail="stubborn"), step("b")], "a.done>b.start")
    threading.Timer(0.2, world.cancellation.cancel).start()
    started = time.monotonic()
    assert world.run(graph).state == "cancelled"
    assert time.monotonic() - started < 3
    assert world.states()["a"] == ["running", "cancelled"]


def test_the_deadline_fails_the_run() -> None:
    world = World(deadline=0.3)
    graph = make([step("a", seconds=30), step("b")], "a.done>b.start")
    outcome = world.run(graph)
    assert outcome.state == "failed"
    assert outcome.problem is not None
    assert outcome.problem.code == "run_timeout"
    assert world.states()["b"] == ["skipped"]


def test_a_run_whose_time_is_over_before_all_nodes_started_has_not_succeeded() -> None:
    world = World(deadline=0.0)
    outcome = world.run(make([step("a"), step("b")], "a.done>b.start"))
    assert outcome.state == "failed"
    assert outcome.problem is not None
    assert outcome.problem.code == "run_timeout"
    assert world.states() == {"a": ["skipped"], "b": ["skipped"]}


def test_a_node_that_may_fail_takes_the_runs_time() -> None:
    world = World(deadline=3)
    graph = make([step("a", seconds=30, on_error="continue"), step("b")], "a.done>b.start")
    outcome = world.run(graph)
    assert outcome.problem is not None
    assert outcome.problem.code == "run_timeout"


def test_a_disabled_node_is_left_out() -> None:
    world = World()
    graph = make([step("a"), step("b", disabled=True), step("c")],
                 "a.done>b.start", "b.done>c.start")
    assert world.run(graph).state == "succeeded"
    assert world.states() == {"a": ["running", "succeeded"], "c": ["skipped"]}
    assert world.text("c") == "c skipped: b is disabled."


def test_the_cost_is_linear() -> None:
    def seconds(count: int) -> float:
        nodes = [step(f"n{i}") for i in range(count)]
        graph = make(nodes, *(f"n{i}.done>n{i + 1}.start" for i in range(count - 1)))
        started = time.process_time()  # other tests may hold the processor meanwhile
        assert World().run(graph).state == "succeeded"
        return time.process_time() - started

    seconds(50)
    small, large = min(seconds(200), seconds(200)), min(seconds(2_000), seconds(2_000))
    assert large < max(small, 0.05) * 40


NOW = {"backoff_seconds": 0.0}


def test_what_may_pass_is_tried_again_and_each_attempt_is_told() -> None:
    world = World()
    graph = make([step("a", fail="flaky:2", retry=Retry(3, **NOW)), step("b")], "a.text>b.text")
    assert world.run(graph) == Outcome("succeeded")
    told = [(e["attempt"], e["data"].get("state"), e["level"]) for e in world.events
            if e["node"] == "a"]
    assert told == [
        (1, "running", "info"), (1, None, "warning"), (2, "running", "info"),
        (2, None, "warning"), (3, "running", "info"), (3, "succeeded", "info")]
    retried = next(e for e in world.events if "retry" in e["data"])
    assert retried["data"]["error"]["code"] == "not_yet"
    assert retried["data"]["retry"] == {"in_seconds": 0.0, "attempts": 4}


def test_retries_end_and_only_what_may_pass_is_tried_again() -> None:
    world = World()
    graph = make([step("a", fail="flaky:9", retry=Retry(2, **NOW)),
                  step("b", fail="node", retry=Retry(2, **NOW)),
                  step("c", fail="crash", retry=Retry(2, **NOW)), step("d", fail="flaky:1")])
    assert world.run(graph).state == "failed"
    assert world.states() == {
        "a": ["running", "running", "running", "failed"], "b": ["running", "failed"],
        "c": ["running", "failed"], "d": ["running", "failed"]}
    assert world.problem("a")["message"] == "Attempt 3 failed."


def test_pauses_hold_no_thread_and_are_kept() -> None:
    world = World()
    flaky = [step(f"f{i}", fail="flaky:1", retry=Retry(1, backoff_seconds=0.4, jitter=0))
             for i in range(3)]
    started = time.monotonic()
    assert world.run(make([*flaky, step("quick")]), parallel=1).state == "succeeded"
    assert 0.4 <= time.monotonic() - started < 1.0  # not one after the other
    assert world.states()["quick"] == ["running", "succeeded"]


def test_each_attempt_fetches_its_value_anew() -> None:
    world = World()
    world.value = RuntimeUnreachable("localhost:1 can't be reached.")
    assert world.run(make([step("f", fail="fetch", retry=Retry(2, **NOW))]), ("f",)).state == (
        "failed")
    assert world.fetched == [("f", 1), ("f", 2), ("f", 3)]


def test_cancelling_ends_a_retry_s_pause() -> None:
    world = World()
    graph = make([step("a", fail="flaky:1", retry=Retry(1, backoff_seconds=60))])
    threading.Timer(0.2, world.cancellation.cancel).start()
    started = time.monotonic()
    assert world.run(graph).state == "cancelled"
    assert time.monotonic() - started < 2
    assert world.states() == {"a": ["running", "cancelled"]}


def test_a_node_s_own_time_limit() -> None:
    world = World()
    graph = make([step("a", seconds=30, timeout=0.2), step("b", seconds=0.01, timeout=5)])
    outcome = world.run(graph)
    assert outcome.problem is not None
    assert (outcome.state, outcome.problem.code) == ("failed", "node_timeout")
    assert world.states() == {"a": ["running", "failed"], "b": ["running", "succeeded"]}


def test_a_time_limit_counts_for_each_attempt() -> None:
    world = World()
    graph = make([step("a", seconds=30, timeout=0.1, retry=Retry(1, **NOW))])
    assert world.run(graph).state == "failed"
    assert world.states() == {"a": ["running", "running", "failed"]}


def test_a_node_that_ignores_its_time_limit_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.engine.STOP_SECONDS", 0.2)
    world = World()
    graph = make([step("a", fail="stubborn", timeout=0.1, retry=Retry(3, **NOW)), step("b"),
                  step("c")], "a.done>b.start")
    started = time.monotonic()
    assert world.run(graph, parallel=1).state == "failed"
    assert time.monotonic() - started < 3
    assert world.problem("a")["code"] == "node_timeout"
    assert world.states() == {  # and nothing is done twice, and others go on
        "a": ["running", "failed"], "b": ["skipped"], "c": ["running", "succeeded"]}


def test_a_run_goes_on_after_a_failure_where_the_node_says_so() -> None:
    world = World()
    graph = make([step("a", fail="node", on_error="continue"), step("order"), step("data"),
                  step("after")], "a.done>order.start", "a.text>data.text", "data.done>after.start")
    assert world.run(graph) == Outcome("succeeded")
    assert world.states() == {
        "a": ["running", "failed"], "order": ["running", "succeeded"],
        "data": ["skipped"], "after": ["skipped"]}
    failed = next(e for e in world.events if e["data"].get("continued"))
    assert failed["data"]["problem"]["code"] == "step_failed"


@pytest.mark.parametrize(("value", "taken"), [(500, "true"), (200, "false")])
def test_one_way_is_taken_and_the_branches_come_together(value: int, taken: str) -> None:
    world = World()
    graph = make(
        [component("if", "control.condition", value=value, operator="at_least", compare_to="400"),
         step("yes", text="yes"), step("yes2"), step("no", text="no"), step("end"),
         component("merge", "control.merge")],
        "if.true>yes.start", "yes.done>yes2.start", "if.false>no.start", "yes.text>merge.values",
        "no.text>merge.values", "yes2.done>merge.start", "merge.value>end.data")
    assert world.run(graph) == Outcome("succeeded")
    went, skipped = (["yes", "yes2"], ["no"]) if taken == "true" else (["no"], ["yes", "yes2"])
    states = world.states()
    assert all(states[node] == ["running", "succeeded"] for node in (*went, "merge", "end"))
    assert all(states[node] == ["skipped"] for node in skipped)
    assert world.text(skipped[0]) == f"{skipped[0]} skipped: if took another way."
    assert Step.seen["end"][1] == {"data": went[0]}


def test_a_merge_waits_for_failures_and_is_skipped_with_them() -> None:
    world = World()
    graph = make([step("a", fail="node"), step("b"), component("merge", "control.merge")],
                 "a.text>merge.values", "b.text>merge.values")
    assert world.run(graph).state == "failed"
    assert world.states()["merge"] == ["skipped"]


def test_a_merge_of_branches_not_taken_is_skipped_too() -> None:
    world = World()
    graph = make(
        [component("if", "control.condition", value=True), step("a"), step("b"),
         component("merge", "control.merge"), step("end")],
        "if.false>a.start", "if.false>b.start", "a.text>merge.values", "b.text>merge.values",
        "merge.value>end.data")
    assert world.run(graph) == Outcome("succeeded")
    assert {node for node, states in world.states().items() if states == ["skipped"]} == {
        "a", "b", "merge", "end"}


def test_an_output_left_out_skips_what_waits_for_it() -> None:
    world = World()
    graph = make([step("a", fail="partly"), step("b"), step("c"),
                  component("merge", "control.merge")],
                 "a.text>b.text", "a.number>c.text", "a.text>merge.values", "a.number>merge.values")
    assert world.run(graph) == Outcome("succeeded")
    assert world.states()["b"] == ["skipped"]
    assert Step.seen["c"][0].text == "1"
    merged = [e["data"]["outputs"] for e in world.events
              if e["node"] == "merge" and "outputs" in e["data"]]
    assert merged == [{"value": 1, "values": [1], "count": 1}]


def test_a_line_of_quick_nodes_is_worked_by_one_thread() -> None:
    world = World()
    threads = set()
    emit = world.emit

    def noting(*args: Any, **named: Any) -> None:
        threads.add(threading.current_thread().name)
        emit(*args, **named)

    world.emit = noting  # type: ignore[method-assign]
    graph = make([step(f"n{i}") for i in range(30)],
                 *(f"n{i}.done>n{i + 1}.start" for i in range(29)))
    assert world.run(graph).state == "succeeded"
    assert threads == {"node-1"}


def test_a_cycle_never_reaches_the_engine() -> None:
    document = make([step("a"), step("b")], "a.done>b.start", "b.done>a.start").to_document()
    with pytest.raises(Exception, match="wait for each other"):
        parse_graph(document, REGISTRY)


def test_values_stand_for_wires_where_a_node_runs_alone() -> None:
    world = World()
    world.values = {"a": {"text": "given", "data": {"x": 1}, "many": [1, 2], "token": "no",
                          "start": 1, "unknown": 2}}
    outcome = world.run(make([step("a", text="typed", seconds=0.0)]))
    assert outcome.state == "succeeded"
    config, inputs = Step.seen["a"]
    assert (config.text, inputs) == ("given", {"data": {"x": 1}, "many": [1, 2]})


CLOCK = component("clock", "trigger.schedule", cron="0 6 * * *")


def triggered(*wires: str, **started: str | None) -> World:
    """Run a flow of three triggers and some steps."""
    nodes = [
        component("hand", "trigger.manual"), CLOCK, component("merge", "control.merge"),
        component("hook", "trigger.webhook", secretName="signing"),
    ]
    nodes += [step(name) for name in ("a", "b", "c")]
    world = World()
    assert world.run(make(nodes, *wires), started=started).state == "succeeded"
    return world


def test_only_the_trigger_that_started_the_run_runs() -> None:
    wires = ("hand.done>a.start", "clock.done>b.start", "hook.payload>c.data")
    for started, trigger, node in (
        ({"kind": "schedule", "node": "clock"}, "clock", "b"),
        ({"kind": "webhook", "node": "hook"}, "hook", "c"),
        ({"kind": "api", "node": None}, "hand", "a"), ({"kind": "manual"}, "hand", "a"),
    ):
        states = triggered(*wires, **started).states()
        ran = {name for name, seen in states.items() if seen[-1] == "succeeded"}
        assert ran == {trigger, node, "merge"}, started
        assert {seen[-1] for name, seen in states.items() if name not in ran} == {"skipped"}
    world = triggered(*wires, kind="schedule", node="clock")
    assert world.text("c") == "c skipped: hook didn't start this run."
    (reason,) = {e["data"]["reason"] for e in world.events if e["data"].get("state") == "skipped"}
    assert reason == "not_triggered"


def test_what_several_triggers_start_runs_whichever_it_was() -> None:
    wires = ("hand.done>a.start", "clock.done>a.start", "hook.done>a.start",
             "hand.payload>merge.values", "hook.payload>merge.values", "merge.value>b.data")
    for started in ({"kind": "webhook", "node": "hook"}, {"kind": "manual"}):
        states = triggered(*wires, **started).states()
        assert (states["a"][-1], states["merge"][-1], states["b"][-1]) == ("succeeded",) * 3
        assert Step.seen["b"][1] == {"data": {}}


def test_a_flow_without_a_manual_trigger_can_be_tried_by_hand() -> None:
    world = World()
    graph = make([CLOCK, step("a")], "clock.done>a.start")
    world.run(graph, started={"kind": "manual", "node": None})
    assert world.states()["a"][-1] == "succeeded"
    # A trigger that isn't in the drawing any more is none.
    world.run(graph, started={"kind": "webhook", "node": "gone"})
    assert world.states()["a"][-1] == "succeeded"


def test_a_crash_s_problem_names_what_was_masked_in_it() -> None:
    world = World()
    world.masker.register(CANARY, "tok", 2)
    assert world.run(make([step("a", fail="crash")])).state == "failed"
    problem = world.problem("a")
    (mask,) = problem["masks"]
    assert problem["message"][mask["offset"]:].startswith("***). The traceback")
    assert (mask["secret"], mask["version"]) == ("tok", 2)
    # The node's last event says the same in its text, and the log's traceback too.
    failed = next(e for e in world.events if e["data"].get("state") == "failed")
    traceback = next(e for e in world.events if e["type"] == "log")
    for event in (failed, traceback):
        (found,) = event["masks"]
        assert event["text"][found.offset:].startswith("***")
        assert (found.secret, found.version) == ("tok", 2)


def test_a_label_that_holds_a_value_is_masked_beside_what_was_masked_before() -> None:
    world = World()
    world.masker.register(CANARY, "tok", 2)
    node = Node("a", "test.step", f"Step {CANARY}", config={"fail": "crash"})
    assert world.run(make([node])).state == "failed"
    assert CANARY not in repr(world.events)
