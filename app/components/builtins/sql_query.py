"""``sql.query``: one statement on a PostgreSQL database, or on a SQLite file of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import JsonValue

from app.components.context import Context
from app.components.declaration import Component
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field, time_limit_field
from app.components.ports import Port, PortType
from app.components.shapes import Ports

_TYPED = ("connection", ("typed",))
_POSTGRES = ("connection", ("address", "typed"))

_ADDRESS = Port(
    "address",
    PortType.SECRET,
    "Address",
    required=True,
    help="postgresql://user:password@host:5432/database, as a secret. Secret Template makes one "
    "of a password.",
)
_PASSWORD = Port(
    "password",
    PortType.SECRET,
    "Password",
    required=True,
    help="The user's password.",
)
_LEFT_OUT = Port(
    "password",
    PortType.SECRET,
    "Password",
    help="The user's password, where the address has none.",
)


class SqlQueryConfig(ComponentConfig):
    """Which database, which statement, how much of it."""

    connection: Literal["address", "typed", "sqlite"] = field(
        "address",
        label="Database",
        kind="select",
        choices=(
            ("address", "PostgreSQL, by a secret address"),
            ("typed", "PostgreSQL, by host and password"),
            ("sqlite", "SQLite, in the run's folder"),
        ),
        help="Where the statement runs. The address or the password comes by a secret wire.",
        shapes=True,
    )
    host: str = field(
        "",
        label="Host",
        kind="text",
        help="The server's name or IP address.",
        placeholder="db.example.com",
        wirable=False,
        max_length=255,
        visible_when=_TYPED,
    )
    port: int = field(
        5432, label="Port", kind="number", help="5432 on most servers.", wirable=False,
        ge=1, le=65_535, visible_when=_TYPED,
    )
    database: str = field(
        "",
        label="Database name",
        kind="text",
        help="Of the database on that server.",
        placeholder="shop",
        wirable=False,
        max_length=255,
        visible_when=_TYPED,
    )
    user: str = field(
        "",
        label="User",
        kind="text",
        help="Goes with the secret wired into Password.",
        placeholder="app",
        wirable=False,
        max_length=255,
        visible_when=_TYPED,
    )
    file: str = field(
        "data.db",
        label="File",
        kind="text",
        help="In the run's own folder: made when it is needed, gone after the run.",
        placeholder="data.db",
        wirable=False,
        min_length=1,
        max_length=100,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        visible_when=("connection", ("sqlite",)),
    )
    query: str = field(
        label="Statement",
        kind="multiline",
        help="One SQL statement. Write :name where a value of Parameters goes; values never become "
        "SQL.",
        placeholder="select id, name from customers where city = :city",
        wirable=False,
        min_length=1,
        max_length=200_000,
    )
    parameters: dict[str, JsonValue] = field(
        {},
        label="Parameters",
        kind="key_value",
        help="The values of the statement's places, by name.",
        note="goes into the database as plain data, so it takes no secrets",
    )
    access: Literal["read", "write"] = field(
        "read",
        label="Access",
        kind="select",
        choices=(("read", "Read only"), ("write", "Read and change")),
        help="The statement has a transaction of its own; a failure undoes all of it.",
        rare=True,
    )
    max_rows: int = field(
        1_000,
        label="Row limit",
        kind="number",
        help="A longer result fails the node and undoes the statement.",
        rare=True,
        ge=1,
        le=100_000,
    )
    max_kib: int = field(
        512,
        label="Size limit (KiB)",
        kind="number",
        help="A larger result fails the node and undoes the statement.",
        rare=True,
        ge=1,
        le=16_384,
    )
    timeout: float = time_limit_field(
        30.0, most=600, help="Seconds for connecting and the statement together.", wirable=True,
        rare=True,
    )
    tls: Literal["verify", "off"] = field(
        "verify",
        label="TLS",
        kind="select",
        choices=(("verify", "Verify the certificate"), ("off", "Without TLS")),
        help="Without it, rows can be read on the way; the password isn't sent in clear text. "
        "An address with sslmode decides itself.",
        wirable=False,
        visible_when=_POSTGRES,
    )
    ca: str = field(
        "",
        label="CA certificate",
        kind="multiline",
        help="Authorities in PEM that vouch for the server, instead of the system's.",
        wirable=False,
        max_length=65_536,
        visible_when=_POSTGRES,
    )


class SqlQuery(Component):
    """Runs one SQL statement."""

    name = "sql.query"
    title = "SQL Query"
    help = (
        "Runs one SQL statement on a PostgreSQL database, or on a SQLite file that lives as long "
        "as the run, and returns its rows. Credentials come by secret wires. Example: select name "
        "from customers where city = :city."
    )
    category = "connect"
    icon = "database"
    summary = "{query}"
    opens_secrets = True
    retries = True
    uses = ("network",)
    examples = (
        Example(
            "Customers of a city",
            {"query": "select :city as city, 17 as customers", "parameters": {"city": "Bonn"}},
            secrets={"address": "shop/database"},
        ),
        Example(
            "Reckon in the run's own file",
            {"connection": "sqlite", "query": "select :a + 1 as answer", "parameters": {"a": 41}},
            help="A file of the run needs no server, and is gone after the run.",
        ),
    )
    failures = (
        Failure("sql_failed", "The database refused the statement. It says why."),
        Failure("sql_read_only", "The statement changes data. Set Access to read and change."),
        Failure("sql_denied", "The user may not do that in the database."),
        Failure("sql_not_allowed", "COPY, or what leads out of the run's file. Take it out."),
        Failure("sql_one_statement", "There is more than one statement. Use a node for each."),
        Failure("sql_parameter_missing", "A place has no value. Add it to Parameters."),
        Failure("sql_too_many_rows", "More rows than the limit. Ask for fewer, or raise it."),
        Failure("sql_too_large", "A result over the size limit. Ask for less, or raise it."),
        Failure("sql_timeout", "Its time was over. Ask for less, or raise the limit."),
        Failure("sql_login_failed", "The database refused the user or the password."),
        Failure("sql_password_in_clear", "Without TLS, the server asked for the password itself."),
        Failure("address_not_valid", "The secret address can't be read. Store it as shown."),
        Failure("connection_failed", "Nothing answers there. See that the address is right."),
        Failure("connection_lost", "The connection broke. Trying again may help."),
        Failure("host_not_found", "There is no such host. See that the address is right."),
        Failure("tls_not_trusted", "The certificate isn't trusted, or is for another name."),
    )
    Config = SqlQueryConfig
    inputs = (_ADDRESS, _LEFT_OUT)
    outputs = (
        Port("rows", PortType.LIST, "Rows", help="An object for each row, by column."),
        Port("columns", PortType.LIST, "Columns", help="The names of the columns, in order."),
        Port("count", PortType.NUMBER, "Count", help="Rows returned, or rows changed."),
    )

    @classmethod
    def ports(cls, config: Mapping[str, Any]) -> Ports:
        """Return the secrets that the connection needs; a file of the run needs none."""
        inputs = {"typed": (_PASSWORD,), "sqlite": ()}
        return Ports(inputs.get(config.get("connection", ""), cls.inputs), cls.outputs)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Run the statement; see :mod:`app.components.sql`."""
        # Imported here: the server reads declarations and asks no database.
        from app.components.sql.running import perform

        return perform(context)
