"""``tacit leak-drill`` on a real installation: a clean one, one that it can't see, and a leak."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.cli.commands.drill import verdict
from app.cli.drill.flows import Canaries, in_place
from app.cli.drill.hunt import Hunt
from app.config import Config
from app.errors import Unavailable
from tests.support.canvas import edge, graph, node
from tests.support.database import ON_POSTGRES, home_variables, raw_database
from tests.support.running import ADMIN, ADMIN_PASSWORD, TACIT, Running, tacit_up


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A running installation."""
    with tacit_up(TACIT_ADMIN_EMAIL=ADMIN, TACIT_ADMIN_PASSWORD=ADMIN_PASSWORD) as found:
        yield found


def tacit(running: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command beside it."""
    return subprocess.run(
        [TACIT, *arguments], env=running.environment, capture_output=True, text=True, timeout=400,
    )


def post(running: Running, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the API with a token that may write flows."""
    made = tacit(running, "token", "create", "--user", ADMIN, "--scope", "flows:manage",
                 "--scope", "flows:read")
    trust = ssl.create_default_context(cafile=str(running.home / "tls" / "ca.pem"))
    answer = httpx.post(
        running.url + path, json=body, verify=trust, trust_env=False, timeout=30,
        headers={"Authorization": f"Bearer {made.stdout.strip()}"},
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_drill_searches_every_place_finds_nothing_and_leaves_nothing(running: Running) -> None:
    drawn = graph(
        [node("f", "secret.fetch", 0, 0, secretName="none-here"),
         node("c", "http.request", 300, 0, url="https://api.example.invalid/v1"),
         node("l", "output.log", 600, 0)],
        [edge("e", "f.value", "c.bearer_token"), edge("g", "c.body", "l.message")],
    )
    made = post(running, "/api/v1/flows", {"name": "Mine", "graph": drawn})
    done = tacit(running, "leak-drill", "Mine", "--user", ADMIN)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No canary was found, and what is no secret was." in done.stdout
    rows = {line[:22].strip(): line[22:].split() for line in done.stdout.splitlines()}
    files = () if ON_POSTGRES else ("database file",)
    for place in ("database rows", *files, "log files", "valkey values", "valkey memory",
                  "process cmdline", "process environ", "responses", "response headers", "bundles",
                  "live stream", "metrics"):
        assert int(rows[place][0].replace(",", "")) > 0, (place, done.stdout)
        assert rows[place][2] == "0", done.stdout
    assert "shut" not in done.stdout
    assert "CANARY" not in done.stdout
    assert "leak drill" not in tacit(running, "token", "list").stdout
    (left,) = tacit(running, "flow", "list").stdout.splitlines()
    assert made["id"] in left
    with raw_database(Config.load(home_variables(running.home))) as connection:
        held = connection.execute("select count(*) from secrets where name like 'leak-drill/%'")
        assert held.fetchone() == (0,)
        states = connection.execute("select state, count(*) from runs group by state").fetchall()
    # The calls that fail are meant to; the runs of the control and of the copy can't.
    assert dict(states) == {"failed": 5, "succeeded": 2}


def test_a_flow_of_ones_own_is_drilled_in_a_copy(running: Running) -> None:
    done = tacit(running, "leak-drill", "nothing-like-it", "--user", ADMIN)
    assert (done.returncode, "flow_not_found" in done.stderr) == (2, True), done.stderr
    for arguments in (("--user", "nobody@example.org"), ("--user", ADMIN, "--environment", "no")):
        assert tacit(running, "leak-drill", *arguments).returncode == 2
    assert tacit(running, "reach", "--no-private").returncode == 0
    refused = tacit(running, "leak-drill", "--user", ADMIN)
    assert (refused.returncode, "drill_out_of_reach" in refused.stderr) == (2, True)
    assert tacit(running, "reach", "--private").returncode == 0


def test_a_copy_holds_canaries_and_calls_the_service_alone() -> None:
    drawn = graph(
        [node("f", "secret.fetch", 0, 0, secretName="real", version=3, outputFormat="json"),
         node("c", "http.request", 0, 0, url="https://api.example.org/v1", body="text"),
         node("s", "email.send", 0, 0, host="mail.example.org")],
        [edge("e", "f.value", "c.bearer_token")],
    )
    copy = in_place(drawn, "drill/", "http://127.0.0.1:1")
    assert copy["nodes"][0]["config"] == {
        "secretName": "drill/json", "version": None, "outputFormat": "json",
    }
    assert "example.org" not in json.dumps(copy)
    assert copy["edges"] == drawn["edges"]
    assert drawn["nodes"][0]["config"]["secretName"] == "real"


def test_the_verdict_needs_eyes() -> None:
    canaries = Canaries.make()
    hunt, control = Hunt(canaries.hunted), Hunt({"control": canaries.control})
    with pytest.raises(Unavailable) as caught:
        verdict(hunt, control)
    assert caught.value.code == "drill_blind"
    for place in ("database rows", "responses"):
        control.search(place, f"a {canaries.control} b")
    assert verdict(hunt, control) is False
    hunt.search("log files", f"it is {canaries.values['text']}".encode().hex())
    assert verdict(hunt, control) is True
    assert "text: hex" in hunt.table()
    assert canaries.values["text"] not in hunt.table()
