"""A PostgreSQL server for SQL Query's tests, whose user has a password worth hunting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from app.components.registry import registry
from app.sdk import testing
from tests.support.database import Server

SQL = registry().get("sql.query")
PASSWORD = "CANARY'p4ss wörd/@:%&-7c1d"
QUOTED = quote(PASSWORD, safe="")


class Database:
    """A server whose user ``app`` has a password worth hunting; ``port`` is where it listens."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.port = int(server.url.rpartition(":")[2])

    def address(self, database: str = "shop", more: str = "?sslmode=disable", **other: Any) -> str:
        host, port = other.get("host", "127.0.0.1"), other.get("port", self.port)
        return f"postgresql://app:{QUOTED}@{host}:{port}/{database}{more}"

    @contextmanager
    def admin(self) -> Iterator[psycopg.Connection[Any]]:
        with closing(psycopg.connect(f"{self.server.url}/shop", autocommit=True)) as connection:
            yield connection


@contextmanager
def serving_database() -> Iterator[Database]:
    """Serve a database ``shop`` that belongs to ``app``."""
    server = Server("scram-sha-256")
    try:
        server.start()
        with closing(psycopg.connect(f"{server.url}/postgres", autocommit=True)) as connection:
            connection.execute(sql.SQL("create role app login password {}").format(PASSWORD))
            connection.execute("create database shop owner app")
        yield Database(server)
    finally:
        server.stop()


def run(server: Database, statement: str, /, **options: Any) -> testing.Result:
    """Run a statement by the secret address; no failure may quote a thing of it."""
    secrets = options.pop("secrets", {"address": server.address()})
    kit = {name: options.pop(name) for name in ("egress", "cancelled") if name in options}
    result = testing.run(SQL, {"query": statement, **options}, secrets=secrets, **kit)
    assert result.leaks == ()
    if result.error is not None:
        for part in (PASSWORD, QUOTED, "CANARY", "app:", "@127.0.0.1"):
            assert part not in result.error.message
    return result


def rows(server: Database, statement: str, /, **options: Any) -> list[dict[str, Any]]:
    result = run(server, statement, **options)
    assert result.error is None, result.error
    return list(result.outputs["rows"])


def code(result: testing.Result) -> str:
    assert result.error is not None, result.outputs
    return result.error.code


def typed(server: Database, /, **config: Any) -> dict[str, Any]:
    return {"connection": "typed", "host": "127.0.0.1", "port": server.port, "database": "shop",
            "user": "app", "tls": "off", "secrets": {"password": PASSWORD}, **config}
