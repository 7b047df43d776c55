"""``data.parse_yaml``: a text read as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.parsing.limits import DEPTH, TEXT_CHARACTERS
from app.components.ports import Port, PortType


class ParseYamlConfig(ComponentConfig):
    """What is read."""

    text: str = field(
        label="Text",
        kind="multiline",
        help="The text to read.",
        placeholder="id: 7\nname: Ada",
        max_length=TEXT_CHARACTERS,
    )
    documents: Literal["one", "all"] = field(
        "one",
        label="Documents",
        kind="select",
        choices=(("one", "One"), ("all", "All, as a list")),
        help="Documents are divided by lines of ---. More than one fails the node, unless all are "
        "wanted.",
        rare=True,
    )


class ParseYaml(Component):
    """Reads YAML."""

    name = "data.parse_yaml"
    title = "Parse YAML"
    help = (
        "Reads a text as YAML 1.2 and makes plain data of it: no, yes, on and off are texts, and "
        "so are dates. What can't be read fails the node, with line and column. Up to 4 MiB with "
        f"all aliases written out, and {DEPTH} levels. Example: a configuration file."
    )
    category = "logic"
    icon = "file-code"
    summary = "{text}"
    examples = (
        Example("A settings file", wires={"text": "name: demo\nsizes: [1, 2]\n"}),
    )
    failures = (
        Failure("yaml_not_valid", "The text isn't YAML; the message names line and column."),
        Failure("yaml_too_deep", "It is nested deeper than 100 levels. Make it flatter."),
        Failure("yaml_too_large", "Its aliases repeat too much. Make it smaller."),
        Failure("yaml_alias_recursive", "A value holds itself. Remove the alias."),
        Failure("yaml_tag_not_allowed", "A tag isn't plain data. Remove it."),
        Failure("yaml_key_twice", "A name stands twice in one mapping. Remove one."),
        Failure("yaml_key_not_text", "A name is a list or mapping. Use a text."),
        Failure("yaml_several_documents", "There are several. Choose all, or pass one."),
    )
    Config = ParseYamlConfig
    outputs = (Port("data", PortType.JSON, "Data", help="What the text says; null if nothing."),)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the data.

        :raises NodeError: what :func:`app.components.parsing.yaml_reader.read_documents` raises;
            ``yaml_several_documents``.
        """
        # Imported here: the server reads declarations and parses nothing.
        from app.components.parsing.yaml_reader import read_documents

        text = context.config.text.removeprefix("\ufeff")
        found = read_documents(text, context.cancelled.raise_if_set)
        if context.config.documents == "all":
            return {"data": found}
        if len(found) > 1:
            raise NodeError(
                "yaml_several_documents",
                f"The text has {len(found)} documents. Leave one, or choose to read all.",
            )
        return {"data": found[0] if found else None}
