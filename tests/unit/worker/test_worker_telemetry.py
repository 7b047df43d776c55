"""Events: masked, numbered without gaps, sent in batches, retried, limited."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from app.components.parsing.limits import depth_of
from worker.errors import LimitReached, RunLost, RuntimeRefused, RuntimeUnreachable
from worker.masking import Masker
from worker.telemetry import PREVIEW, Limits, Telemetry, shorten, shorten_masked

CANARY = "CANARY-telemetry-9"


class Server:
    """Answers calls as the runtime listener would, from memory; fails when told to."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.failures: list[Exception] = []
        self.refuse: Callable[[dict[str, Any]], bool] = lambda event: False
        self.cancel = False
        self.finished: Mapping[str, Any] | None = None

    def call(self, _method: str, path: str, *, token: Callable[[], str],
             body: Mapping[str, Any], patience: float) -> dict[str, Any]:
        assert token() == "token"
        self.calls.append(path.rpartition("/")[2])
        if self.failures:
            raise self.failures.pop(0)
        batch = body.get("events", [])
        if any(self.refuse(event) for event in batch):
            raise RuntimeRefused(422, "events_invalid", "no")
        for event in batch:
            if event["seq"] == (self.events[-1]["seq"] if self.events else 3) + 1:
                self.events.append(dict(event))
        if path.endswith("finish"):
            self.finished = body
            return {"state": body["state"]}
        return {"stored_through": self.events[-1]["seq"] if self.events else 3,
                "cancel": self.cancel}


def make(server: Server, **options: Any) -> Telemetry:
    masker = Masker()
    masker.register(CANARY, "tok", 1)
    client: Any = server
    telemetry = Telemetry(client, "run", lambda: "token", masker, first=4, **options)
    telemetry.start()
    return telemetry


def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_events_are_masked_and_numbered() -> None:
    server = Server()
    telemetry = make(server)
    telemetry.emit("log", f"a {CANARY}", data={CANARY: [CANARY]}, node="n", level="warning")
    telemetry.emit("node", "n started", data={"state": "running"}, node="n")
    until(lambda: len(server.events) == 2)
    telemetry.emit("log", "last")
    assert telemetry.finish("failed", {"code": "c", "message": f"m {CANARY}"}) == "failed"
    assert [e["seq"] for e in server.events] == [4, 5, 6]
    assert server.events[0]["text"] == "a ***"
    assert server.events[0]["masks"] == [{"offset": 2, "secret": "tok", "version": 1}]
    assert server.events[0]["data"] == {"***": ["***"]}
    assert server.finished is not None
    assert server.finished["problem"]["message"] == "m ***"
    assert len(server.finished["events"]) == 1
    assert CANARY not in repr(server.events)


def test_many_events_go_in_few_calls() -> None:
    server = Server()
    telemetry = make(server)
    for number in range(5_000):
        telemetry.emit("log", f"line {number}")
    telemetry.finish("succeeded", None)
    assert len(server.events) == 5_000
    assert len(server.calls) < 200


def test_lost_connections_are_survived() -> None:
    server = Server()
    server.failures = [RuntimeUnreachable("away"), RuntimeRefused(503, "busy", "busy")]
    telemetry = make(server)
    telemetry.emit("log", "one")
    until(lambda: len(server.events) == 1)
    telemetry.finish("succeeded", None)
    assert [e["text"] for e in server.events] == ["one"]


def test_an_event_that_the_server_refuses_holds_up_no_others() -> None:
    server = Server()
    server.refuse = lambda event: "poison" in event["text"]
    telemetry = make(server)
    for number in range(9):
        telemetry.emit("log", "poison" if number == 4 else f"line {number}")
    until(lambda: len(server.events) == 9)
    telemetry.finish("succeeded", None)
    assert [e["text"] for e in server.events][3:6] == [
        "line 3", "<withheld: the server couldn't store this event>", "line 5"]


def test_a_cancel_comes_back_with_any_answer() -> None:
    server, asked = Server(), []
    telemetry = make(server, on_cancel=lambda: asked.append(1))
    server.cancel = True
    telemetry.emit("log", "one")
    until(lambda: bool(asked))
    telemetry.emit("log", "two")
    telemetry.finish("cancelled", None)
    assert asked == [1]


def test_the_lease_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.telemetry.HEARTBEAT_SECONDS", 0.2)
    server = Server()
    telemetry = make(server)
    until(lambda: server.calls.count("heartbeat") >= 2)
    telemetry.finish("succeeded", None)


@pytest.mark.parametrize("status", [401, 404, 409])
def test_a_lost_run_says_nothing_more(status: int) -> None:
    server, lost = Server(), []
    server.failures = [RuntimeRefused(status, "claim_lost", "no")]
    telemetry = make(server, on_lost=lambda: lost.append(1))
    telemetry.emit("log", "one")
    until(lambda: bool(lost))
    calls = len(server.calls)
    telemetry.emit("log", "two")
    with pytest.raises(RunLost):
        telemetry.finish("succeeded", None)
    assert len(server.calls) == calls


@pytest.mark.parametrize(("limits", "code"), [
    (Limits(events=10), "run_events_limit"), (Limits(log_bytes=500), "run_log_limit")])
def test_limits_are_a_clear_failure_and_node_states_still_get_out(
    limits: Limits, code: str
) -> None:
    server = Server()
    hit: list[LimitReached] = []
    telemetry = make(server, limits=limits, on_limit=hit.append)
    for number in range(100):
        telemetry.emit("log", f"line {number} " + "x" * 20)
    telemetry.emit("node", "ended", data={"state": "failed"}, node="n")
    telemetry.finish("failed", None)
    assert [limit.code for limit in hit] == [code]
    assert len(server.events) < 30
    assert server.events[-1]["type"] == "node"
    assert [e["seq"] for e in server.events] == list(range(4, 4 + len(server.events)))


def test_long_texts_and_data_are_shown_from_their_beginning() -> None:
    server = Server()
    telemetry = make(server)
    telemetry.emit("log", "x" * 65_535 + CANARY + "y" * 10,
                   data={"big": ["z" * 50_000, CANARY] * 4, "small": 1})
    telemetry.finish("succeeded", None)
    event = server.events[0]
    assert event["text"].startswith("x" * 65_535 + "… (")
    assert event["masks"] == []
    assert event["data"]["small"] == 1
    assert event["data"]["big"]["truncated"] is True
    assert CANARY not in repr(event)


def test_shorten_keeps_what_is_short() -> None:
    assert shorten({"a": [1]}) == {"a": [1]}
    assert shorten("x" * 9_000)["characters"] == 9_000


def test_data_without_an_end_in_sight_fails_nobody() -> None:
    deep: Any = "7"
    for _ in range(5_000):
        deep = [deep]
    assert shorten(deep)["truncated"] is True
    server = Server()
    telemetry = make(server)
    telemetry.emit("log", "deep", data={"value": deep, "flat": 1})
    assert telemetry.finish("succeeded", None) == "succeeded"
    assert server.events[0]["data"]["flat"] == 1
    assert depth_of(server.events[0]["data"]["value"]) == 1


def test_what_is_nested_very_deeply_is_shown_as_text() -> None:
    """Any service may answer so, and the page of the run has to open."""
    deep: Any = json.loads("[" * 400 + "7" + "]" * 400)
    assert shorten(deep)["preview"] == "[" * 400 + "7" + "]" * 400
    shown, _ = shorten_masked(Masker().mask_object({"a": json.loads("[" * 89 + "]" * 89)}))
    assert depth_of(shown) == 90
    assert depth_of(shorten_masked(Masker().mask_object([deep]))[0]) == 1


def test_masks_of_a_shortened_output_lead_somewhere() -> None:
    masker = Masker()
    masker.register("my-secret-1", "one", 1)
    whole, masks = shorten_masked(masker.mask_object({"a": "my-secret-1"}))
    assert (whole, [mask.path for mask in masks]) == ({"a": "***"}, [("a",)])
    text = "my-secret-1" + "x" * PREVIEW + "my-secret-1"
    cut, masks = shorten_masked(masker.mask_object(text))
    assert [(mask.path, mask.offset) for mask in masks] == [(("preview",), 0)]
    assert cut["preview"].startswith("***")
    assert shorten_masked(masker.mask_object([text]))[1] == []


def test_a_problem_says_which_secret_stood_in_its_message() -> None:
    server = Server()
    telemetry = make(server)
    problem = {"code": "c", "message": f"It said {CANARY}, twice {CANARY}."}
    places = [{"offset": 8, "secret": "tok", "version": 1},
              {"offset": 19, "secret": "tok", "version": 1}]
    telemetry.emit("node", "n failed", data={"state": "failed", "problem": problem}, node="n")
    # One that was masked before it came here brings its own along.
    masked = {"code": "c", "message": "a *** b", "masks": [{"offset": 2, "secret": "x"}]}
    telemetry.emit("node", "m failed", data={"state": "failed", "problem": masked}, node="m")
    telemetry.finish("failed", problem)
    first, second = (event["data"]["problem"] for event in server.events)
    assert (first["message"], first["masks"]) == ("It said ***, twice ***.", places)
    assert second["masks"] == masked["masks"]
    assert server.finished is not None
    assert server.finished["problem"]["masks"] == places
