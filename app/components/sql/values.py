"""Values on their way into a statement, and rows on their way out of one."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from app.components.errors import NodeError

_SAFE_INTEGER: Final = 2**53 - 1
_TIMESTAMP: Final = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d(?::\d\d)*)?")


class Rows:
    """Rows as they come, up to a number and a size.

    :param most: rows; ``size`` is in bytes, as the database sends them.
    """

    def __init__(self, most: int, size: int) -> None:
        self.columns: list[str] = []
        self.rows: list[dict[str, Any]] = []
        self._most = most
        self._size = self._left = size

    def name(self, columns: Sequence[str]) -> None:
        """Name the columns, once.

        :raises NodeError: ``sql_column_twice``.
        """
        for number, column in enumerate(columns, start=1):
            if column in columns[: number - 1]:
                raise NodeError(
                    "sql_column_twice",
                    f"Column {number} of the result has the name of another one ({column}). "
                    "Give it another one with AS.",
                )
        self.columns = list(columns)

    def add(self, values: Sequence[Any], size: int) -> None:
        """Take a row.

        :raises NodeError: ``sql_too_many_rows``, ``sql_too_large``.
        """
        if len(self.rows) == self._most:
            raise NodeError(
                "sql_too_many_rows",
                f"The result has more than {self._most} rows, so nothing was changed. Ask for "
                "fewer with LIMIT, or raise the limit.",
            )
        self._left -= size
        if self._left < 0:
            raise NodeError(
                "sql_too_large",
                f"The result is longer than {self._size // 1024} KiB, so nothing was changed. Ask "
                "for fewer columns or rows, or raise the limit.",
            )
        self.rows.append(dict(zip(self.columns, values, strict=True)))


def bound(names: Sequence[str], parameters: Mapping[str, Any]) -> list[Any]:
    """Return the values of a statement's places.

    :raises NodeError: ``sql_parameter_missing``.
    """
    missing = [name for name in names if name not in parameters]
    if missing:
        raise NodeError(
            "sql_parameter_missing",
            f"The statement names :{missing[0]}, and Parameters have no such value. Add it, or "
            "take it out of the statement.",
        )
    return [parameters[name] for name in names]


def number_out(value: float) -> Any:
    """Return a number as JSON can hold it exactly; as text where it can't."""
    if isinstance(value, int):
        return value if abs(value) <= _SAFE_INTEGER else str(value)
    return value if math.isfinite(value) else str(value)


# -- PostgreSQL: everything is sent and comes as text --------------------------------------------


def to_postgres(value: Any) -> bytes | None:
    """Return a value in PostgreSQL's text form; the server reads it as the type it needs."""
    if value is None:
        return None
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, str):
        if "\0" in value:
            raise NodeError(
                "sql_parameter_not_valid", "A parameter holds a NUL, which PostgreSQL can't take."
            )
        return value.encode()
    if isinstance(value, list) and not _holds_objects(value):
        return _array(value).encode()
    return json.dumps(value, ensure_ascii=False).encode()


def _holds_objects(value: Any) -> bool:
    if isinstance(value, list):
        return any(_holds_objects(one) for one in value)
    return isinstance(value, dict)


def _array(values: list[Any]) -> str:
    parts = []
    for one in values:
        if one is None:
            parts.append("NULL")
        elif isinstance(one, list):
            parts.append(_array(one))
        elif isinstance(one, str):
            escaped = one.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'"{escaped}"')
        else:
            parts.append(json.dumps(one))
    return "{" + ",".join(parts) + "}"


def _timestamp(text: str) -> Any:
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        return text  # infinity, BC, years beyond 9999
    zone = found[3] or ""
    return f"{found[1]}T{found[2]}{f'{zone}:00' if len(zone) == 3 else zone}"


_READ: Final[Mapping[int, Callable[[str], Any]]] = {
    16: lambda text: text == "t",
    **dict.fromkeys((20, 21, 23, 26), lambda text: number_out(int(text))),
    **dict.fromkeys((700, 701), lambda text: number_out(float(text))),
    **dict.fromkeys((114, 3802), json.loads),
    17: lambda text: base64.b64encode(bytes.fromhex(text.removeprefix("\\x"))).decode(),
    **dict.fromkeys((1114, 1184), _timestamp),
}
_ELEMENTS: Final = {
    1000: 16, 1001: 17, 1005: 21, 1007: 23, 1016: 20, 1021: 700, 1022: 701, 1028: 26, 1009: 25,
    1015: 1043, 1014: 1042, 1231: 1700, 1115: 1114, 1182: 1082, 1183: 1083, 1185: 1184, 1187: 1186,
    199: 114, 3807: 3802, 2951: 2950,
}  # fmt: skip
"""Arrays, and the types of what is in them (PostgreSQL's pg_type.dat)."""


def from_postgres(data: bytes | None, kind: int) -> Any:
    """Return a value of a result; what has no JSON type of its own stays text."""
    if data is None:
        return None
    text = data.decode()
    if kind in _ELEMENTS:
        return _read_array(text, _READ.get(_ELEMENTS[kind], str))
    return _READ.get(kind, str)(text)


_ARRAY_TOKEN: Final = re.compile(r'[{},]|"(?:[^"\\]|\\.)*"|[^{},"]+', re.S)


def _read_array(text: str, read: Callable[[str], Any]) -> Any:
    # Arrays that don't count from 1 say so first: [0:1]={…}
    if text.startswith("["):
        text = text.partition("=")[2]
    root: list[Any] = []
    open_ones = [root]
    for token in _ARRAY_TOKEN.findall(text):
        if token == "{":  # noqa: S105 - a bracket, not a password
            inner: list[Any] = []
            open_ones[-1].append(inner)
            open_ones.append(inner)
        elif token == "}":  # noqa: S105
            open_ones.pop()
        elif token.startswith('"'):
            open_ones[-1].append(read(re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.S)))
        elif token != ",":  # noqa: S105
            open_ones[-1].append(None if token == "NULL" else read(token))  # noqa: S105
    return root[0] if root else text


# -- SQLite --------------------------------------------------------------------------------------


def to_sqlite(value: Any) -> Any:
    """Return a value as SQLite takes it; lists and objects as JSON text, large numbers as text."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return value


def from_sqlite(value: Any) -> Any:
    """Return a value of a result."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, int | float):
        return number_out(value)
    return value


def size_of(value: Any) -> int:
    """Return about how many bytes a value of SQLite takes."""
    return len(value) if isinstance(value, str | bytes) else 8
