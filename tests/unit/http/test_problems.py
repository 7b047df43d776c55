"""Every refusal has its response, and no response says more than it should."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from flask import Flask, abort

import app as root
from app import errors
from app.errors import ConfigError, TacitError, Throttled
from app.http import problems


def _kinds(kind: type[TacitError] = TacitError) -> Iterator[type[TacitError]]:
    for module in pkgutil.walk_packages(root.__path__, "app."):
        if module.name.endswith("errors"):
            importlib.import_module(module.name)
    for child in kind.__subclasses__():
        yield child
        yield from _kinds(child)


@pytest.fixture
def web() -> Flask:
    """An application with nothing but the error handlers."""
    made = Flask(__name__)
    made.config["MAX_CONTENT_LENGTH"] = 10
    problems.register(made)
    return made


def test_every_kind_of_error_has_a_status_of_its_own() -> None:
    expected = {
        "NotFound": 404, "Denied": 403, "Unauthenticated": 401, "Locked": 423, "Invalid": 422,
        "Malformed": 400, "TooLarge": 413, "UnsupportedMedia": 415, "Conflict": 409, "Stale": 412,
        "Unavailable": 503, "Throttled": 429,
    }
    for name, status in expected.items():
        kind = getattr(errors, name)
        assert kind.status == status
        assert kind.title != TacitError.title
    for kind in _kinds():
        if not issubclass(kind, ConfigError):
            assert 400 <= kind.status < 600
            assert kind.status != 500, f"{kind.__name__} is mapped to no status"


def test_a_refusal_becomes_problem_json(web: Flask) -> None:
    @web.get("/api/x")
    def view() -> str:
        raise errors.Invalid("name_invalid", "Name it otherwise.", field="name")

    answer = web.test_client().get("/api/x")
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    body = answer.get_json(force=True)
    assert body["request_id"]
    del body["request_id"]
    assert body == {
        "type": "urn:tacit:problem:name_invalid",
        "title": "Not valid",
        "status": 422,
        "code": "name_invalid",
        "detail": "Name it otherwise.",
        "problems": [
            {"code": "name_invalid", "severity": "error", "node": None, "port": None,
             "field": "name", "message": "Name it otherwise.", "remedy": None}
        ],
    }


def test_waiting_times_are_headers(web: Flask) -> None:
    class Paused(Throttled):
        retry_after = 7

    @web.get("/api/x")
    def view() -> str:
        raise Paused("paused", "Wait.")

    assert web.test_client().get("/api/x").headers["Retry-After"] == "7"


@pytest.mark.parametrize("status", [400, 403, 404, 405, 406, 410, 413, 414, 429, 431, 500, 503])
def test_what_the_framework_refuses_looks_the_same(web: Flask, status: int) -> None:
    @web.get("/api/x")
    def view() -> str:
        abort(status, "CANARY")

    answer = web.test_client().get("/api/x")
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    body = answer.get_json(force=True)
    assert body["status"] == status
    assert body["code"].replace("_", "").isalpha()
    assert "CANARY" not in answer.get_data(as_text=True)


def test_an_exception_is_neither_answered_nor_logged_in_words(
    web: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    @web.get("/api/x")
    def view() -> str:
        raise KeyError("CANARY")

    answer = web.test_client().get("/api/x")
    assert answer.status_code == 500
    assert answer.get_json(force=True)["code"] == "internal_error"
    assert "CANARY" not in answer.get_data(as_text=True) + caplog.text
    assert "test_problems.py" in caplog.text


def test_pages_draw_their_errors_and_the_api_never_does(web: Flask) -> None:
    problems.show_pages_with(web, lambda problem: f"<h1>{problem['title']}</h1>")
    client = web.test_client()
    page = client.get("/nothing")
    assert page.status_code == 404
    assert page.mimetype == "text/html"
    assert client.get("/api/nothing").mimetype == "application/problem+json"
