"""``file.write``: a file made, replaced or added to, in the run's folder or a listed one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Literal

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType


class FileWriteConfig(ComponentConfig):
    """Which file, and what goes into it."""

    path: str = field(
        label="Path",
        kind="text",
        help="An absolute path in a folder that runs may write to, or a relative one in the run's "
        "own folder, which is gone after the run.",
        placeholder="/srv/reports/today.txt",
        min_length=1,
        max_length=4_096,
        note="is part of error messages, so it takes no secrets",
    )
    content: str = field(
        "",
        label="Content",
        kind="multiline",
        help="What is written. A text that holds a secret's value isn't.",
        note="stays in the file as plain text, so it takes no secrets",
    )
    encoding: Literal["utf-8", "base64"] = field(
        "utf-8",
        label="Content is",
        kind="select",
        choices=(("utf-8", "Text, written as UTF-8"), ("base64", "Base64 of the bytes")),
        help="How the content becomes the file's bytes.",
        rare=True,
    )
    mode: Literal["replace", "append", "create"] = field(
        "replace",
        label="If the file is there",
        kind="select",
        choices=(("replace", "Replace it"), ("append", "Add to its end"), ("create", "Fail")),
        help="A file that is made or replaced is there whole or not at all.",
        rare=True,
    )
    make_folders: bool = field(
        False,
        label="Make missing folders",
        kind="boolean",
        help="Folders on the way to the file, for the run's user alone.",
        rare=True,
    )
    max_kib: int = field(
        16_384,
        label="Size limit (KiB)",
        kind="number",
        help="A file that would be longer fails the node and stays as it was.",
        rare=True,
        ge=1,
        le=1_048_576,
    )


class FileWrite(Component):
    """Writes one file."""

    name = "file.write"
    title = "File Write"
    help = (
        "Writes one file on the worker's machine, readable by the runs' user alone: in the run's "
        "own folder, or in a folder that the worker lists for writing and the environment grants. "
        "Links aren't followed. Example: a report that another program picks up."
    )
    category = "connect"
    icon = "file-output"
    summary = "{path}"
    uses = ("files",)
    examples = (
        Example("A file for later nodes", {"path": "report.txt"}, wires={"content": "all is well"}),
    )
    failures = (
        Failure("file_holds_secret", "The content holds a secret's value, so it isn't written."),
        Failure("file_missing", "The folder isn't there. Have missing folders made."),
        Failure("file_not_allowed", "The folder isn't granted. See tacit reach."),
        Failure("file_path_not_valid", "The path leads out of its folder. Write it without “..”."),
        Failure("file_linked", "The file or a folder on the way is a link. Name the file itself."),
        Failure("file_not_regular", "It is a folder, a device or a pipe. Name a file."),
        Failure("file_read_only", "Runs may only read there. Write elsewhere."),
        Failure("file_exists", "It is there already. Choose another name, or replace it."),
        Failure("content_not_base64", "The content isn't base64. Write it as text."),
        Failure("file_too_large", "The content is longer than its limit. Raise it."),
    )
    Config = FileWriteConfig
    outputs = (
        Port("path", PortType.TEXT, "Path", help="Where it is, as given."),
        Port("size", PortType.NUMBER, "Size", help="The file's bytes after writing."),
    )

    def run(self, context: Context) -> Mapping[str, Any]:
        """Write the file.

        :raises NodeError: ``file_holds_secret``, ``content_not_base64``, and those of
            :mod:`app.components.files`.
        """
        # Imported here: the server reads declarations and opens nothing.
        from app.components.files import locate, write_file

        config = context.config
        place = locate(context, config.path)
        data = config.content.encode()
        if config.encoding == "base64":
            try:
                data = base64.b64decode("".join(config.content.split()), validate=True)
            except binascii.Error:
                raise NodeError(
                    "content_not_base64",
                    "The content isn't base64. Correct it, or write it as text.",
                ) from None
        # A name is kept as well as what is in the file.
        kept = (config.path, config.content, data.decode("utf-8", "replace"))
        if any(context.holds_secret(text) for text in kept):
            raise NodeError(
                "file_holds_secret",
                "The content or the path holds the value of a secret, so it wasn't written: files "
                "are kept as they are. Take it out before.",
            )
        context.cancelled.raise_if_set()
        size = write_file(
            place, data, config.mode, config.max_kib * 1024, make_folders=config.make_folders
        )
        return {"path": config.path, "size": size}
