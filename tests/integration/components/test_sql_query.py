"""SQL Query on a real PostgreSQL server."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.components.errors import NodeCancelled
from app.keys.ca import ensure_tls, server_context
from app.providers.egress import EgressGuard
from app.sdk import testing
from tests.support.database import Server
from tests.support.names import answering
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


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with serving_database() as served:
        yield served


@pytest.fixture(autouse=True)
def _table(database: Database) -> None:
    with database.admin() as admin:
        admin.execute("drop table if exists t")
        admin.execute("create table t (id integer primary key, v text)")
        admin.execute("grant all on t to app")


def test_rows_of_every_kind_are_json(database: Database) -> None:
    found = run(database, """
        select 1::int4 as i, 9007199254740993::int8 as big, 1.10::numeric as exact,
            0.1::float8 as f, 'NaN'::float8 as nan, true as yes, null as nothing,
            '\\x00ff'::bytea as bytes,
            '2026-01-02'::date as day, '2026-01-02 03:04:05.5'::timestamp as at,
            'infinity'::timestamptz as ever, '1 day 02:00'::interval as span,
            '{"a": [1, null]}'::jsonb as doc, array[1, null, 3] as numbers,
            array[['a,b', 'c"d'], ['', 'NULL']] as texts, 'grüße'::text as words,
            '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid as id, '10.0.0.0/8'::cidr as net""")
    assert found.error is None, found.error
    assert found.outputs["rows"] == [{
        "i": 1, "big": "9007199254740993", "exact": "1.10", "f": 0.1, "nan": "nan", "yes": True,
        "nothing": None, "bytes": base64.b64encode(b"\0\xff").decode(), "day": "2026-01-02",
        "at": "2026-01-02T03:04:05.5", "ever": "infinity", "span": "P1DT2H",
        "doc": {"a": [1, None]}, "numbers": [1, None, 3],
        "texts": [["a,b", 'c"d'], ["", "NULL"]], "words": "grüße",
        "id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "net": "10.0.0.0/8"}]
    assert found.outputs["columns"][:2] == ["i", "big"]
    assert found.revealed == (("address", f"postgresql://127.0.0.1:{database.port}"),)


def test_values_are_bound_and_never_become_sql(database: Database) -> None:
    wild = "x'); drop table t; -- \\ \" $1 :b %s {}"
    given = {"id": 1, "v": wild, "ids": [1, 2], "none": None, "doc": {"a": wild}, "words": [wild]}
    made = run(database, "insert into t values (:id, :v), (2, :none)", access="write",
               parameters=given)
    assert made.outputs == {"rows": [], "columns": [], "count": 2}
    assert rows(database, "select v from t where id = any(:ids) and v = :v", parameters=given) == [
        {"v": wild}]
    assert rows(database, "select :doc::jsonb ->> 'a' as a, :words::text[] as w, ':v' as lit",
                parameters=given) == [{"a": wild, "w": [wild], "lit": ":v"}]
    assert code(run(database, "select :missing", parameters=given)) == "sql_parameter_missing"


def test_one_statement_even_where_the_reader_were_fooled(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert code(run(database, "select 1; drop table t", access="write")) == "sql_one_statement"
    from app.components.sql import running
    from app.components.sql.statement import Statement

    monkeypatch.setattr(running, "read_statement",
                        lambda text, _dialect: Statement(text, (), text, ()))
    assert code(run(database, "insert into t values (1); drop table t", access="write")) == (
        "sql_failed")
    assert rows(database, "select count(*) as n from t") == [{"n": 0}]


def test_reads_only_unless_told_and_undoes_what_failed(database: Database) -> None:
    for query in ("insert into t values (1)", "drop table t", "do $$ begin delete from t; end $$",
                  "select set_config('transaction_read_only', 'off', false)"):
        assert code(run(database, query)) in ("sql_read_only", "sql_failed")
    write = {"access": "write"}
    assert code(run(database, "insert into t select generate_series(1, 50) returning id",
                    max_rows=10, **write)) == "sql_too_many_rows"
    assert code(run(database, "insert into t select 1, repeat('x', 9000) returning v", max_kib=4,
                    **write)) == "sql_too_large"
    assert code(run(database, "select 1 as a, 2 as a")) == "sql_column_twice"
    assert code(run(database, "copy t to stdout")) == "sql_not_allowed"
    assert code(run(database, "copy t from stdin", **write)) == "sql_not_allowed"
    assert rows(database, "select count(*) as n from t") == [{"n": 0}]
    made = run(database, "insert into t select generate_series(1, 50) returning id", max_rows=50,
               **write)
    assert made.outputs["count"] == 50
    assert run(database, "update t set v = 'x' where id < 11", **write).outputs["count"] == 10


def test_failures_name_line_and_state(database: Database) -> None:
    result = run(database, "select :a,\n:a,\nnothing_here from t", parameters={"a": 1})
    assert code(result) == "sql_failed"
    assert result.error is not None
    assert "in line 3: column" in result.error.message
    assert "SQLSTATE 42703" in result.error.message
    assert code(run(database, "select * from pg_authid")) == "sql_denied"


def test_who_is_not_let_in(database: Database) -> None:
    address = database.address()
    for secret, expected in (
        (address.replace(QUOTED, "wrong-but-CANARY"), "sql_login_failed"),
        (address.replace("/shop", "/nothing"), "sql_database_missing"),
        (address.replace("app:", "nobody:"), "sql_login_failed"),
        (address.partition("?")[0], "tls_failed"),
        (address.replace(f":{database.port}", ":9"), "connection_failed"),
        (address.replace(f":{QUOTED}", ""), "sql_password_missing"),
        (address.replace("/shop", "/host=127.0.0.2%20dbname=shop"), "sql_database_missing"),
        (address.replace("/shop", "/postgresql:%2F%2F127.0.0.2%2Fshop"), "sql_database_missing"),
    ):
        assert code(run(database, "select 1", secrets={"address": secret})) == expected
    assert code(run(database, "select 1", secrets={})) == "secret_not_wired"
    wrong = typed(database, secrets={"password": "CANARY-wrong"})
    assert code(run(database, "select 1", **wrong)) == "sql_login_failed"


def test_by_host_and_password(database: Database) -> None:
    assert rows(database, "select current_user as u", **typed(database)) == [{"u": "app"}]
    with_both = {"address": database.address().replace(f":{QUOTED}", ""), "password": PASSWORD}
    assert rows(database, "select 1 as a", secrets=with_both) == [{"a": 1}]


def test_a_server_that_wants_the_password_in_clear_does_not_get_it(tmp_path: Path) -> None:
    server = Server("password")
    try:
        server.start()
        database = Database(server)
        given = typed(database, database="postgres", user="tacit")
        assert code(run(database, "select 1", **given)) == "sql_password_in_clear"
    finally:
        server.stop()


def test_what_is_no_database_at_all(database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def answer() -> None:
            for words in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"E\xff\xff\xff\xff"):
                client, _ = listener.accept()
                with client:
                    client.recv(1000)
                    client.sendall(words)
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        for _ in range(3):
            given = typed(database, port=listener.getsockname()[1])
            assert code(run(database, "select 1", **given)) == "sql_not_opened"
        thread.join(10)


# -- what is not read -----------------------------------------------------------------------


def test_the_environment_and_files_of_libpq_count_for_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".pgpass").write_text(f"*:*:*:*:{PASSWORD}")
    (tmp_path / ".pgpass").chmod(0o600)
    (tmp_path / ".pg_service.conf").write_text("[x]\nhost=127.0.0.2\n")
    for name, value in {"PGHOSTADDR": "127.0.0.2", "PGHOST": "127.0.0.2", "PGSERVICE": "x",
                        "PGPASSFILE": str(tmp_path / ".pgpass"), "HOME": str(tmp_path),
                        "PGOPTIONS": "-c search_path=pg_catalog", "PGSSLMODE": "require"}.items():
        monkeypatch.setenv(name, value)
    if_given = run(database, "select inet_server_addr()::text as a")
    assert if_given.error is not None or if_given.outputs["rows"] == [{"a": "127.0.0.1/32"}]
    monkeypatch.delenv("PGSERVICE")
    assert rows(database, "select inet_server_addr()::text as a") == [{"a": "127.0.0.1/32"}]
    wrong = typed(database, secrets={"password": "CANARY-wrong"})
    assert code(run(database, "select 1", **wrong)) == "sql_login_failed"


# -- time ------------------------------------------------------------------------------------


def busy(database: Database) -> list[str]:
    with database.admin() as admin:
        return [query for (query,) in admin.execute(
            "select query from pg_stat_activity where usename = 'app' and state = 'active'")]


def test_cancelled_within_two_seconds_on_the_server_too(database: Database) -> None:
    cancelled = testing.LocalCancellation()
    begun: list[float] = []

    def cancel() -> None:
        while not busy(database):
            time.sleep(0.05)
        begun.append(time.monotonic())
        cancelled.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(NodeCancelled):
        run(database, "select pg_sleep(60)", cancelled=cancelled, timeout=120)
    assert time.monotonic() - begun[0] < 2
    thread.join()
    until = time.monotonic() + 5
    while busy(database) and time.monotonic() < until:
        time.sleep(0.05)
    assert busy(database) == []


def test_a_time_limit_holds_for_statement_rows_and_connecting(database: Database) -> None:
    assert code(run(database, "select pg_sleep(60)", timeout=0.5)) == "sql_timeout"
    assert code(run(database, "select set_config('statement_timeout', '0', false), pg_sleep(60)",
                    timeout=0.5)) == "sql_timeout"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        given = typed(database, port=silent.getsockname()[1])
        started = time.monotonic()
        assert code(run(database, "select 1", timeout=0.5, **given)) == "sql_timeout"
        assert time.monotonic() - started < 5
        cancelled = testing.LocalCancellation()
        threading.Timer(0.3, cancelled.cancel).start()
        started = time.monotonic()
        with pytest.raises(NodeCancelled):
            run(database, "select 1", cancelled=cancelled, **given)
        assert time.monotonic() - started < 2.3


def test_a_connection_that_breaks_is_a_failure_of_its_own(database: Database) -> None:
    assert code(run(database, "select pg_terminate_backend(pg_backend_pid())")) in (
        "connection_lost", "sql_failed")


# -- TLS: the embedded server is built without it, so something before it speaks it ----------


@contextmanager
def tls_before(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """Serve TLS the way PostgreSQL does, in front of a server that has none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def pump(source: Any, target: Any) -> None:
            try:
                while data := source.recv(65536):
                    target.sendall(data)
            except OSError:
                pass
            finally:
                for one in (source, target):
                    one.close()

        def serve(client: socket.socket) -> None:
            try:
                client.recv(8)  # SSLRequest
                client.sendall(b"S")
                secure = context.wrap_socket(client, server_side=True)
            except OSError:
                client.close()
                return
            plain = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=pump, args=(plain, secure), daemon=True).start()
            pump(secure, plain)

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(listener.getsockname()[1])


def test_tls_is_verified_by_name_and_authority(database: Database, tmp_path: Path) -> None:
    files = ensure_tls(tmp_path)
    guard = EgressGuard(resolve=answering([], "127.0.0.1"))
    with tls_before(database.port, server_context(files.certificate, files.key)) as port:
        def ask(host: str, **config: Any) -> testing.Result:
            given = typed(database, host=host, port=port, tls="verify", **config)
            return run(database, "select 1 as a", egress=guard, **given)

        ca = files.ca.read_text()
        assert ask("localhost", ca=ca).outputs["rows"] == [{"a": 1}]
        assert code(ask("localhost")) == "tls_not_trusted"
        assert code(ask("db.example", ca=ca)) == "tls_not_trusted"
        other = tmp_path / "other"
        other.mkdir()
        assert code(ask("localhost", ca=ensure_tls(other).ca.read_text())) == "tls_not_trusted"
        assert code(ask("localhost", ca="no PEM at all")) in ("tls_not_trusted", "sql_not_opened")
