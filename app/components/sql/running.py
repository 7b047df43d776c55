"""A node's statement: its database opened for it alone, its rows counted, its failures in words."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from app.components.context import Context
from app.components.cutting import beginning
from app.components.deadline import Deadline
from app.components.errors import NodeError
from app.components.sql.address import Address, read_address, typed_address
from app.components.sql.statement import Statement, read_statement
from app.components.sql.values import Rows
from app.providers.errors import EgressError

_LONGEST: Final = 400
_BUNDLES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
#: What the guard says names host and port; of a secret address nothing is named.
_UNNAMED: Final = {
    "egress_refused": "Runs may not connect to the host of the address. Ask for it to be allowed, "
    "or wire another address.",
    "host_not_found": "There is no host of the name that the address has.",
    "connection_failed": "The host of the address can't be reached.",
}


def perform(context: Context) -> dict[str, Any]:
    """Run the node's statement and return its outputs.

    :raises NodeError: it can't be read, the database can't be opened, or refused it.
    """
    try:
        return _perform(context)
    except NodeError as error:
        # Databases quote values of any length.
        error.message = beginning(context, error.message, _LONGEST)
        raise


def _perform(context: Context) -> dict[str, Any]:
    config = context.config
    sqlite = config.connection == "sqlite"
    statement = read_statement(config.query, "sqlite" if sqlite else "postgresql")
    rows = Rows(config.max_rows, config.max_kib * 1024)
    stop = Deadline(
        context.cancelled, config.timeout, code="sql_timeout", place="The database"
    )
    with context.span("sql.query", database="sqlite" if sqlite else "postgresql") as span:
        if sqlite:
            from app.components.sql import sqlite as file

            count = file.query(
                context.scratch / config.file, statement, config.parameters, rows, stop,
                write=config.access == "write",
            )
        else:
            count = _on_server(context, statement, rows, stop)
        span["rows"] = count
    return {"rows": rows.rows, "columns": rows.columns, "count": count}


def _on_server(context: Context, statement: Statement, rows: Rows, stop: Deadline) -> int:
    try:
        from app.components.sql.postgres import Postgres, Terms
    except ImportError:
        raise NodeError(
            "sql_driver_missing",
            "This worker has no PostgreSQL driver. Install psycopg[binary] there.",
        ) from None
    config = context.config
    address = _address(context)
    try:
        with _authorities(context) as ca_file:
            terms = Terms(config.tls == "verify", ca_file, config.access == "write")
            connection = Postgres(context.egress, address, terms, stop)
        with closing(connection):
            return connection.query(statement, config.parameters, rows)
    except EgressError as error:
        named = config.connection == "typed"
        message = error.message if named else _UNNAMED.get(error.code, _UNNAMED["egress_refused"])
        raise NodeError(error.code, message, retryable=error.retryable) from None


def _address(context: Context) -> Address:
    """Return the database's address, its secrets opened for that place alone.

    :raises NodeError: ``secret_not_wired``, ``secret_host_denied``, ``address_not_valid``,
        ``sql_password_missing``.
    """
    config = context.config
    if config.connection == "typed":
        address = typed_address(config.host, config.port, config.database, config.user)
    else:
        # The place stands in the secret: it is read out of it, and asked for, before it is used.
        text = context.reveal("address", lambda found: read_address(found).origin)
        address = read_address(text)
    if context.has_secret("password") and not address.password:
        password = context.reveal("password", address.origin)
        address = replace(address, password=password.strip("\r\n"))
    if not address.password:
        raise NodeError(
            "sql_password_missing",
            "There is no password for the database. Wire a secret into Password, or one with a "
            "password into Address.",
        )
    if "\0" in address.password:
        raise NodeError("secret_not_usable", "The password has a character that none can have.")
    return address


@contextmanager
def _authorities(context: Context) -> Iterator[str]:
    """Give the path of a PEM file of authorities; libpq reads no text."""
    if not context.config.ca.strip():
        yield _system_authorities()
        return
    file = context.scratch / f".ca-{token_hex(8)}.pem"
    file.write_text(context.config.ca)
    try:
        yield str(file)
    finally:
        file.unlink(missing_ok=True)


def _system_authorities() -> str:
    found = ssl.get_default_verify_paths().cafile
    for path in (os.environ.get("SSL_CERT_FILE"), found, *_BUNDLES):
        if path and Path(path).exists():
            return path
    import certifi  # comes with httpx; for machines without authorities of their own

    return certifi.where()
