"""``file.read``: a file's text or bytes, from the run's folder or a listed one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType


class FileReadConfig(ComponentConfig):
    """Which file."""

    path: str = field(
        label="Path",
        kind="text",
        help="An absolute path in a folder that runs may read, or a relative one in the run's own "
        "folder, which is empty at first and gone afterwards.",
        placeholder="/srv/inbox/orders.csv",
        min_length=1,
        max_length=4_096,
        note="is part of error messages, so it takes no secrets",
    )
    encoding: Literal["utf-8", "base64"] = field(
        "utf-8",
        label="Content as",
        kind="select",
        choices=(("utf-8", "Text (UTF-8)"), ("base64", "Base64, any file")),
        help="How the file's bytes become text.",
        rare=True,
    )
    max_kib: int = field(
        512,
        label="Size limit (KiB)",
        kind="number",
        help="A longer file fails the node.",
        rare=True,
        ge=1,
        le=16_384,
    )


class FileRead(Component):
    """Reads one file."""

    name = "file.read"
    title = "File Read"
    help = (
        "Reads one file of the worker's machine: from the run's own folder, or from a folder that "
        "the worker lists and the environment grants. Links aren't followed. Example: a CSV file "
        "of an inbox, for Parse CSV."
    )
    category = "connect"
    icon = "file-input"
    summary = "{path}"
    uses = ("files",)
    examples = (
        Example("A text that an earlier node wrote", {"path": "report.txt"}),
    )
    failures = (
        Failure("file_missing", "There is no such file. Correct Path."),
        Failure("file_not_allowed", "The folder isn't granted. See tacit reach."),
        Failure("file_path_not_valid", "The path leads out of its folder. Write it without “..”."),
        Failure("file_linked", "The file or a folder on the way is a link. Name the file itself."),
        Failure("file_not_regular", "It is a folder, a device or a pipe. Name a file."),
        Failure("file_not_text", "The file isn't text in that encoding. Choose base64."),
        Failure("file_too_large", "The file is longer than its limit. Raise it."),
    )
    Config = FileReadConfig
    outputs = (
        Port("content", PortType.TEXT, "Content", help="The file's text, or its bytes in base64."),
        Port("size", PortType.NUMBER, "Size", help="In bytes."),
        Port("modified", PortType.TEXT, "Modified", help="When it last changed, in UTC."),
    )

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the file's content.

        :raises NodeError: ``file_not_text``, and those of :mod:`app.components.files`.
        """
        # Imported here: the server reads declarations and opens nothing.
        from app.components.files import locate, read_file

        config = context.config
        place = locate(context, config.path)
        data, changed = read_file(place, config.max_kib * 1024, context.cancelled.raise_if_set)
        if config.encoding == "base64":
            content = base64.b64encode(data).decode()
        else:
            try:
                content = data.decode("utf-8-sig")
            except UnicodeDecodeError:
                raise NodeError(
                    "file_not_text",
                    f"{place.shown} isn't UTF-8 text. Read it as base64, or name another one.",
                ) from None
        modified = datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds")
        return {"content": content, "size": len(data), "modified": modified}
