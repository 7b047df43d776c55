"""Statement 21 of SECURITY.md for SQL Query: libpq connects to what was checked, and no bound
secret reaches another server. On a real PostgreSQL server, with a real worker between.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.components.secret import Secret
from app.providers.egress import EgressGuard, EgressPolicy, Own
from app.sdk import testing
from tests.support.graphs import graph, node, wire
from tests.support.hunt import Hunt
from tests.support.names import answering
from tests.support.runtime_standin import PlannedRun, RuntimeStandin, runtime_standin
from tests.support.sql_server import (
    PASSWORD,
    QUOTED,
    Database,
    code,
    rows,
    run,
    serving_database,
    typed,
)  # fmt: skip
from tests.support.worker_process import WorkerProcess, queue_server


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with serving_database() as served:
        yield served


def test_s21_sql_libpq_connects_to_the_address_that_was_checked(database: Database) -> None:
    """The name exists in no DNS that libpq could ask, and moves once it was checked."""
    asked: list[str] = []
    guard = EgressGuard(resolve=answering(asked, "127.0.0.1", "127.0.0.2"))
    given = {"address": database.address(host="db.example")}
    assert rows(database, "select inet_server_addr()::text as a", secrets=given, egress=guard) == [
        {"a": "127.0.0.1/32"}]
    assert asked == ["db.example"]


@pytest.mark.parametrize("moved", ["169.254.169.254", "0.0.0.0", "::ffff:127.0.0.1", "127.0.0.1"])
def test_s21_sql_what_the_guard_refuses_is_not_connected_to(database: Database, moved: str) -> None:
    policy = EgressPolicy(own=(Own("127.0.0.1", database.port),))
    guard = EgressGuard(policy, resolve=answering([], moved))
    for given in (
        {"secrets": {"address": database.address(host="db.example")}},
        typed(database, host="db.example"),
    ):
        assert code(run(database, "select 1", egress=guard, **given)) == "egress_refused"
    private = EgressGuard(EgressPolicy(allow_private=False))
    assert code(run(database, "select 1", egress=private)) == "egress_refused"


def test_s21_sql_a_bound_address_or_password_goes_to_its_hosts_only(database: Database) -> None:
    here = f"127.0.0.1:{database.port}"
    for hosts, allowed in (([here], True), (["127.0.0.1"], True), (["db.example"], False),
                           ([f"127.0.0.1:{database.port + 1}"], False), ([], False),
                           (["local"], False)):
        for given in (
            {"secrets": {"address": bound(database.address(), hosts)}},
            typed(database, secrets={"password": bound(PASSWORD, hosts)}),
            {"secrets": {"address": Secret.derived(
                database.address(), [bound("x", hosts), testing.make_secret("y")])}},
        ):
            result = run(database, "select 1", **given)
            if allowed:
                assert result.error is None, result.error
            else:
                assert code(result) == "secret_host_denied"
                assert result.revealed == ()


def bound(value: str, hosts: list[str]) -> Secret:
    return testing.make_secret(value, allowed_hosts=hosts)


# -- in a real run ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worker(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RuntimeStandin, WorkerProcess]]:
    with runtime_standin(tmp_path_factory.mktemp("runtime")) as standin, queue_server() as (
        url, redis
    ):
        made = WorkerProcess(standin, url, redis, tmp_path_factory.mktemp("worker"))
        # Runs get none of it.
        made.environ |= {"PGHOST": "127.0.0.2", "PGHOSTADDR": "127.0.0.2", "PGPASSWORD": "wrong"}
        made.start()
        try:
            yield standin, made
        finally:
            made.stop()


def perform(
    worker: Any, database: Database, hosts: list[str] | None, template: str
) -> PlannedRun:
    """Run a flow whose address is made of a bound password, and look for that everywhere."""
    standin, process = worker
    document = graph(
        node("fetch", "secret.fetch", secretName="db"),
        node("made", "secret.template", template=template.format(port=database.port)),
        node("ask", "sql.query", query="select :a::int as a, current_user as u, :p as told",
             parameters={"a": 7}),
        node("log", "output.log", message="rows"),
        node("lite", "sql.query", connection="sqlite", query="select 1 as one"),
        wire("fetch.value", "made.secret"), wire("made.value", "ask.address"),
        wire("ask.rows", "log.data"),
    )
    document["nodes"][2]["config"]["parameters"]["p"] = PASSWORD
    done = process.enqueue(standin.plan(document, secrets={"fetch": ("db", PASSWORD, hosts)}))
    done.wait(60)
    hunt = Hunt({"password": PASSWORD, "quoted": QUOTED})
    hunt.object("events", done.events)
    hunt.search("worker's log", process.words())
    assert hunt.hits == [], hunt.table()
    assert done.node("lite")["outputs"]["rows"] == [{"one": 1}]
    return done


ADDRESS = "postgresql://app:{{{{secret|url}}}}@127.0.0.1:{port}/shop?sslmode=disable"


def test_s21_sql_in_a_run_a_derived_address_goes_where_its_parts_may(
    worker: Any, database: Database
) -> None:
    good = perform(worker, database, [f"127.0.0.1:{database.port}"], ADDRESS)
    assert good.state == "succeeded", good.events
    # What the statement brought back is the password: masked, and told as a prevented leak.
    assert good.node("ask")["outputs"]["rows"] == [{"a": 7, "u": "app", "told": "***"}]
    assert good.node("ask")["prevented_leaks"] == 1
    for hosts in ([f"127.0.0.1:{database.port + 1}"], ["db.example"], ["local"], []):
        bad = perform(worker, database, hosts, ADDRESS)
        assert bad.node("ask")["problem"]["code"] == "secret_host_denied"


@pytest.mark.parametrize(("template", "expected"), [
    (ADDRESS.replace("app:", "nobody:"), "sql_login_failed"),
    (ADDRESS.replace("/shop", "/nothing"), "sql_database_missing"),
    (ADDRESS.replace(":{port}", ":9"), "connection_failed"),
    (ADDRESS.replace("127.0.0.1", "nowhere.invalid"), "host_not_found"),
    (ADDRESS.replace("127.0.0.1", "169.254.169.254"), "egress_refused"),
    ("{{{{secret}}}} {port}", "address_not_valid"),
])
def test_s21_sql_no_failure_in_a_run_tells_of_the_address(
    worker: Any, database: Database, template: str, expected: str
) -> None:
    done = perform(worker, database, None, template)
    assert done.node("ask")["problem"]["code"] == expected
    assert not [part for part in ("@127.0.0.1", "nowhere", "169.254", "/shop", "app:")
                if part in done.node("ask")["problem"]["message"]]
