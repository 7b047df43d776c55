"""Reading one statement, its places and values; and SQLite, which needs no server."""

from __future__ import annotations

import base64
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from app.components.errors import NodeCancelled, NodeError
from app.components.registry import registry
from app.components.sql.address import read_address, typed_address
from app.components.sql.statement import read_statement
from app.components.sql.values import from_postgres, to_postgres
from app.sdk import testing

SQL = registry().get("sql.query")
CANARY = "CANARY-sql-81f0"


@pytest.mark.parametrize(("typed", "text", "names"), [
    ("select :a, :b, :a", "select $1, $2, $1", ("a", "b")),
    ("select 1;", "select 1", ()), ("select 1 ; -- over; :x\n /* and; out */", "select 1 ", ()),
    ("select ':a', \":b\", 'it''s :c' || :d", "select ':a', \":b\", 'it''s :c' || $1", ("d",)),
    (r"select E'\':a', e'\\', :b", r"select E'\':a', e'\\', $1", ("b",)),
    (r"select note'\', :b", r"select note'\', $1", ("b",)),
    ("select $$ :a; $$, $x$ :b $$ ; $x$, :c", "select $$ :a; $$, $x$ :b $$ ; $x$, $1", ("c",)),
    ("select a$b$, :c", "select a$b$, $1", ("c",)),
    ("select :a::int, x::text, f(y := :b)", "select $1::int, x::text, f(y := $2)", ("a", "b")),
    ("select 1 /* :a /* ; */ :b */ -- :c ;\n, :d", "select 1 /* :a /* ; */ :b */ -- :c ;\n, $1",
     ("d",)),
    ("select a[:x]", "select a[$1]", ("x",)),
])
def test_postgres_places(typed: str, text: str, names: tuple[str, ...]) -> None:
    found = read_statement(typed, "postgresql")
    assert (found.text, found.names) == (text, names)


@pytest.mark.parametrize(("typed", "text", "names"), [
    ("select :a, [b:c;], `d:e`, \"f:g\", ':h'", "select :a, [b:c;], `d:e`, \"f:g\", ':h'", ("a",)),
    ("select 1 /* /* ; */ , :b;", "select 1 /* /* ; */ , :b", ("b",)),
    (r"select '\', :b", r"select '\', :b", ("b",)),
])
def test_sqlite_places(typed: str, text: str, names: tuple[str, ...]) -> None:
    found = read_statement(typed, "sqlite")
    assert (found.text, found.names) == (text, names)


@pytest.mark.parametrize(("typed", "code"), [
    ("select 1; select 2", "sql_one_statement"), ("select 1;;", "sql_one_statement"),
    ("select 1; /* a */ drop table x", "sql_one_statement"), ("-- a\n/* b */", "sql_empty"),
    (";", "sql_empty"), ("  \n", "sql_empty"), ("select $1", "sql_parameter_positional"),
])
def test_what_is_no_single_statement(typed: str, code: str) -> None:
    with pytest.raises(NodeError) as caught:
        read_statement(typed, "postgresql")
    assert caught.value.code == code


def test_lines_are_those_that_were_typed() -> None:
    found = read_statement("select :a,\n:long_name,\nwrong", "postgresql")
    assert found.line_at(found.text.index("wrong")) == 3
    assert found.line_at(0) == 1


@pytest.mark.parametrize(("value", "sent"), [
    (None, None), (True, b"true"), (7, b"7"), (1.5, b"1.5"), ("'; drop table x; --",) * 2,
    ([1, None, True], b"{1,NULL,true}"), (['a"b\\', "NULL", ""], b'{"a\\"b\\\\","NULL",""}'),
    ([[1], [2]], b"{{1},{2}}"), ({"a": [1]}, b'{"a": [1]}'), ([{"a": 1}], b'[{"a": 1}]'),
])
def test_values_for_postgres(value: Any, sent: Any) -> None:
    assert to_postgres(value) == (sent.encode() if isinstance(sent, str) else sent)


@pytest.mark.parametrize(("data", "kind", "value"), [
    (b"t", 16, True), (b"9007199254740991", 20, 2**53 - 1), (b"9007199254740992", 20, str(2**53)),
    (b"1.10", 1700, "1.10"), (b"NaN", 701, "nan"), (b"0.1", 701, 0.1), (None, 23, None),
    (b"\\x00ff", 17, "AP8="), (b'{"a": 1}', 3802, {"a": 1}),
    (b"2026-01-02 03:04:05.5+00", 1184, "2026-01-02T03:04:05.5+00:00"),
    (b"2026-01-02 03:04:05", 1114, "2026-01-02T03:04:05"), (b"infinity", 1114, "infinity"),
    (b"{1,NULL,3}", 1007, [1, None, 3]), (b'{{"a,b","c\\"}"},{x,"NULL"}}', 1009,
                                         [["a,b", 'c"}'], ["x", "NULL"]]),
    (b"[0:1]={1,2}", 1007, [1, 2]), (b"{}", 1007, []),
])
def test_values_from_postgres(data: Any, kind: int, value: Any) -> None:
    assert from_postgres(data, kind) == value


def test_addresses() -> None:
    found = read_address(f"postgres://us%40er:{CANARY}%2F@DB.example:6432/my%20db?sslmode=disable")
    assert (found.host, found.port, found.user, found.password, found.database, found.tls) == (
        "db.example", 6432, "us@er", f"{CANARY}/", "my db", False)
    assert CANARY not in repr(found)
    assert read_address("postgresql://u:p@[::1]/d").origin == "postgresql://[::1]:5432"


@pytest.mark.parametrize("text", [
    CANARY, f"mysql://u:{CANARY}@h/d", f"postgresql://u:{CANARY}@h,evil/d", "",
    f"postgresql://u:{CANARY}@/d?host=evil", f"postgresql://u:{CANARY}@h/d?sslmode=prefer",
    f"postgresql://u:{CANARY}@h/d?hostaddr=10.0.0.1", f"postgresql://u:{CANARY}@%2Ftmp/d",
    f"postgresql://u:{CANARY}@h:99999/d", f"postgresql://u:{CANARY}@h", f"postgresql://{CANARY}/d",
    f"postgresql://u:{CANARY}@h/d?passfile=/etc/shadow", f"host=h password={CANARY}",
    f"postgresql://u:{CANARY}@017700000001/d", f"postgresql://u:{CANARY}@h/d#x",
    f"postgresql://u:{CANARY}@[::1/d",
])
def test_what_is_no_address_is_not_quoted(text: str) -> None:
    with pytest.raises(NodeError) as caught:
        read_address(text)
    assert caught.value.code == "address_not_valid"
    assert CANARY not in str(caught.value)


def test_a_typed_address_can_t_smuggle_settings() -> None:
    for host in ("h hostaddr=1.2.3.4", "h'", "/tmp", "a,b", "h\0"):
        with pytest.raises(NodeError):
            typed_address(host, 5432, "d", "u")


# -- SQLite ----------------------------------------------------------------------------------


def run(folder: Path, query: str, *, access: str = "write", **config: Any) -> testing.Result:
    return testing.run(SQL, {"connection": "sqlite", "query": query, "access": access, **config},
                       scratch=folder)


def code(result: testing.Result) -> str:
    assert result.error is not None, result.outputs
    return result.error.code


def test_sqlite_from_statement_to_statement(tmp_path: Path) -> None:
    assert run(tmp_path, "create table t (id integer, v)").outputs == {
        "rows": [], "columns": [], "count": 0}
    for number, value in enumerate(["'); drop table t; --", 1.5, None, True, {"a": [1]}, 2**60]):
        made = run(tmp_path, "insert into t values (:id, :v)",
                   parameters={"id": number, "v": value})
        assert made.outputs["count"] == 1
    found = run(tmp_path, "select id, v, x'00ff' as b from t where id < :n order by id",
                access="read", parameters={"n": 99})
    assert found.outputs["columns"] == ["id", "v", "b"]
    assert [row["v"] for row in found.outputs["rows"]] == [
        "'); drop table t; --", 1.5, None, 1, '{"a": [1]}', str(2**60)]
    assert found.outputs["rows"][0]["b"] == base64.b64encode(b"\0\xff").decode()
    assert found.outputs["count"] == 6
    assert run(tmp_path, "select name from pragma_table_info('t')").outputs["count"] == 2
    assert run(tmp_path, "select 1", file="other.db").error is None
    assert sorted(one.name for one in tmp_path.iterdir()) == ["data.db", "other.db"]


@pytest.mark.parametrize("query", [
    "attach '/etc/passwd' as x", "attach ':memory:' as x", "detach main", "vacuum into '/tmp/x.db'",
    "select load_extension('/tmp/x')", "pragma writable_schema = 1", "pragma query_only = 0",
    "pragma database_list", "pragma journal_mode = off", "pragma max_page_count = 9999999",
    "commit", "rollback", "begin", "savepoint x", "create virtual table v using fts5(a)",
    "select readfile('/etc/passwd')", "select * from pragma_database_list",
    "select fts3_tokenizer('simple')", "vacuum",
])
def test_sqlite_s_ways_out_are_shut(tmp_path: Path, query: str) -> None:
    assert run(tmp_path, "create table t (id)").error is None
    # Some fail by themselves: vacuum within a transaction, a function that isn't there.
    wanted = "sql_failed" if "vacuum" in query or "readfile" in query else "sql_not_allowed"
    assert code(run(tmp_path, query)) == wanted
    assert sorted(one.name for one in tmp_path.iterdir()) == ["data.db"]
    assert run(tmp_path, "select count(*) as n from t").outputs["rows"] == [{"n": 0}]


@pytest.mark.parametrize("before", [200, 345, 360, 4_000])
def test_words_of_a_database_are_cut_beside_no_secret(tmp_path: Path, before: int) -> None:
    """Masked afterwards, the beginning of a value that the cut goes through would stay."""
    for place in ("json_extract('{}', :v)", "1 as a, 2 as a"):
        name = "x" * before + CANARY
        query = f"select {place}".replace("as a", f'as "{name}"')
        result = testing.run(
            SQL, {"connection": "sqlite", "query": query,
                  "parameters": {"v": name} if ":v" in query else {}},
            scratch=tmp_path, secrets={"password": CANARY},
        )
        assert result.error is not None
        assert CANARY in result.error.message or "CAN" not in result.error.message
        assert len(result.error.message) < 500


def test_sqlite_reads_only_unless_told_and_undoes_what_failed(tmp_path: Path) -> None:
    run(tmp_path, "create table t (id integer primary key)")
    assert code(run(tmp_path, "insert into t values (1)", access="read")) == "sql_read_only"
    many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 50) "
    assert code(run(tmp_path, f"insert into t {many} select i from n returning id",
                    max_rows=10)) == "sql_too_many_rows"
    assert code(run(tmp_path, f"{many} select zeroblob(900) as z from n", max_kib=4)) == (
        "sql_too_large")
    assert code(run(tmp_path, "select 1 as a, 2 as a")) == "sql_column_twice"
    assert code(run(tmp_path, "select :b", parameters={"a": 1})) == "sql_parameter_missing"
    assert code(run(tmp_path, "selec 1")) == "sql_failed"
    assert code(run(tmp_path, "select zeroblob(100000000)")) == "sql_too_large"
    assert run(tmp_path, "select * from t").outputs["count"] == 0


def test_sqlite_file_is_in_the_run_s_folder(tmp_path: Path) -> None:
    for name in ("../x.db", "/tmp/x.db", "a/b", ".hidden", "file:x?mode=rw"):
        assert code(run(tmp_path, "select 1", file=name)) == "config_invalid"
    (tmp_path / "x.db").symlink_to("/etc/hostname")
    assert code(run(tmp_path, "select 1", file="x.db")) == "file_linked"


ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"


def test_sqlite_stops_when_it_is_told(tmp_path: Path) -> None:
    cancelled = testing.LocalCancellation()
    threading.Timer(0.3, cancelled.cancel).start()
    started = time.monotonic()
    with pytest.raises(NodeCancelled):
        testing.run(SQL, {"connection": "sqlite", "query": ENDLESS}, scratch=tmp_path,
                    cancelled=cancelled)
    assert time.monotonic() - started < 2.3
    assert code(run(tmp_path, ENDLESS, timeout=0.5)) == "sql_timeout"


def test_sqlite_waits_for_another_node_and_can_be_told_to_stop(tmp_path: Path) -> None:
    import sqlite3

    run(tmp_path, "create table t (id)")
    other = sqlite3.connect(tmp_path / "data.db", isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    threading.Timer(0.6, lambda: other.execute("commit")).start()
    assert run(tmp_path, "insert into t values (1)").error is None
    other.execute("begin immediate")
    assert code(run(tmp_path, "insert into t values (1)", timeout=0.5)) == "sql_timeout"
    other.close()
