"""``data.parse_csv``: a text read as a table (RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.parsing.limits import LOOK, TEXT_CHARACTERS, place
from app.components.ports import Port, PortType

_DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_COLUMNS: Final = 1_000
_WRITTEN: Final = 16 * 1024 * 1024
"""Characters of all rows' names together."""


class ParseCsvConfig(ComponentConfig):
    """What is read, and how."""

    text: str = field(
        label="Text",
        kind="multiline",
        help="The text to read.",
        placeholder="id,name\n7,Ada",
        max_length=TEXT_CHARACTERS,
    )
    delimiter: Literal["comma", "semicolon", "tab", "pipe"] = field(
        "comma",
        label="Between columns",
        kind="select",
        choices=(
            ("comma", "Comma (,)"), ("semicolon", "Semicolon (;)"), ("tab", "Tab"),
            ("pipe", "Bar (|)"),
        ),
        help="What stands between two columns.",
        rare=True,
    )
    header: bool = field(
        True,
        label="First line names the columns",
        kind="boolean",
        help="Then each row is an object with these names; a list of texts otherwise.",
        rare=True,
    )
    max_rows: int = field(
        10_000,
        label="Row limit",
        kind="number",
        help="More rows fail the node.",
        rare=True,
        ge=1,
        le=100_000,
    )


class ParseCsv(Component):
    """Reads CSV."""

    name = "data.parse_csv"
    title = "Parse CSV"
    help = (
        "Reads a text as a table. Every value stays text, so that 007 and 1.10 are what they were. "
        "A line that can't be read, or with more or fewer columns than the first, fails the node. "
        "Example: an export of orders, for Condition or SQL Query."
    )
    category = "logic"
    icon = "table"
    summary = "{delimiter}"
    examples = (
        Example("A table with a header", wires={"text": "name,size\nA,1\nB,2\n"}),
    )
    failures = (
        Failure("csv_column_twice", "Two columns have one name. Rename one, or read no names."),
        Failure("csv_column_unnamed", "A column has no name. Name it, or read no names."),
        Failure("csv_row_uneven", "A row has more or fewer cells. Correct it, or the delimiter."),
        Failure("csv_too_many_rows", "There are more rows than the limit. Raise it."),
        Failure("csv_too_many_columns", "There are more than 1,000 columns. Read less."),
        Failure("csv_too_large", "The names of its columns make it too large. Shorten them."),
        Failure("csv_not_valid", "Quotes don't match. Correct the row that the message names."),
    )
    Config = ParseCsvConfig
    outputs = (
        Port("rows", PortType.LIST, "Rows", help="An object for each row, or a list of texts."),
        Port("columns", PortType.LIST, "Columns", help="Their names; empty without a first line."),
        Port("count", PortType.NUMBER, "Count", help="How many rows there are."),
    )

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return rows, columns and count.

        :raises NodeError: ``csv_not_valid``, ``csv_row_uneven``, ``csv_column_twice``,
            ``csv_column_unnamed``, ``csv_too_many_rows``, ``csv_too_many_columns``,
            ``csv_too_large``; they name lines and quote nothing.
        """
        config = context.config
        columns: list[str] = []
        width = each = 0
        rows: list[Any] = []
        for number, (line, cells) in enumerate(_lines(config.text, config.delimiter)):
            if number % LOOK == 0:
                context.cancelled.raise_if_set()
            if number == 0:
                width = _width(cells)
                if config.header:
                    columns = _names(cells)
                    each = sum(map(len, columns))
                    continue
            if len(cells) != width:
                raise NodeError(
                    "csv_row_uneven",
                    f"The row that ends in {place(line)} has {len(cells)} columns, and the first "
                    f"one has {width}. Correct it, or choose what stands between columns.",
                )
            if len(rows) == config.max_rows:
                raise NodeError(
                    "csv_too_many_rows",
                    f"The table has more than {config.max_rows} rows. Raise the limit, or read "
                    "less.",
                )
            # Each row repeats the names, so that a small text could grow into a large value.
            if each * (len(rows) + 1) > _WRITTEN:
                raise NodeError(
                    "csv_too_large",
                    f"Written out with the names of its columns, the table is larger than "
                    f"{_WRITTEN // 1024**2} MiB. Shorten the names, or read it without names.",
                )
            rows.append(dict(zip(columns, cells, strict=True)) if config.header else cells)
        return {"rows": rows, "columns": columns, "count": len(rows)}


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that isn't an empty line, with the number of the line that it ends in."""
    source = io.StringIO(text.removeprefix("\ufeff"), newline="")
    reader = csv.reader(source, delimiter=_DELIMITERS[delimiter], strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise NodeError(
                "csv_not_valid",
                f"The table can't be read in {place(max(1, reader.line_num))}: a quote stands "
                "where it can't or has no end, or a value is longer than 128 KiB. Correct it.",
            ) from None
        if cells:
            yield reader.line_num, cells


def _width(cells: list[str]) -> int:
    if len(cells) > _COLUMNS:
        raise NodeError(
            "csv_too_many_columns", f"The table has more than {_COLUMNS} columns. Read less."
        )
    return len(cells)


def _names(cells: list[str]) -> list[str]:
    seen: set[str] = set()
    for number, name in enumerate(cells, start=1):
        if not name.strip():
            raise NodeError(
                "csv_column_unnamed",
                f"Column {number} has no name in the first line. Name it, or read the table "
                "without names.",
            )
        if name in seen:
            raise NodeError(
                "csv_column_twice",
                f"Column {number} has the name of another one. Rename it, or read the table "
                "without names.",
            )
        seen.add(name)
    return cells
