"""The files of a new package; ``$name`` and the like are filled in. docs/components.md explains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_PROJECT: Final = '''\
[build-system]
requires = ["setuptools>=75"]
build-backend = "setuptools.build_meta"

[project]
name = "$package"
version = "0.1.0"
description = "A component for Tacit: $name"
requires-python = ">=3.11"
# Tacit itself isn't named: the package is installed where Tacit is, on servers and workers.
dependencies = []

[project.entry-points."$group"]
"$name" = "$module.$last:$class"

[tool.setuptools.packages.find]
where = ["src"]
'''

_README: Final = '''\
# $name

A component for Tacit. Install it into the environment of the server and of every worker, and start
them again; `tacit doctor` says whether it can be used:

    pip install .

Its tests run where Tacit and pytest are installed: `pytest`.
'''

_COMPONENT: Final = '''\
"""``$name``: greets somebody, and makes a header of a secret token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from app.sdk import (
    Component,
    ComponentConfig,
    Context,
    Example,
    Failure,
    NodeError,
    Port,
    PortType,
    field,
)


class ${class}Config(ComponentConfig):
    """What people set; every field can be wired as well, unless it says wirable=False."""

    who: str = field("world", label="Who", kind="text", help="Whom to greet.", max_length=200)
    manner: Literal["friendly", "formal"] = field(
        "friendly",
        label="Manner",
        kind="select",
        choices=(("friendly", "Friendly"), ("formal", "Formal")),
        wirable=False,
    )
    title: str = field(
        "", label="Title", kind="text", help="Goes before the name.",
        visible_when=("manner", ("formal",)), max_length=40,
    )


class $class(Component):
    """Greets somebody."""

    sdk = $sdk
    name = "$name"
    version = 1
    title = "$title"
    help = "Greets somebody, and turns a token into the header that an API asks for."
    category = "logic"
    icon = "puzzle"
    summary = "{who}"
    Config = ${class}Config
    inputs = (Port("token", PortType.SECRET, "Token", help="Becomes Bearer … in Header."),)
    outputs = (
        Port("text", PortType.TEXT, "Text", help="The greeting."),
        Port("header", PortType.SECRET, "Header", help="Goes into secret inputs; needs Token."),
    )
    examples = (
        Example("Greet the world"),
        Example("Greet formally, with a header", {"manner": "formal", "title": "Dr."},
                wires={"who": "Ada"}, secrets={"token": "api/token"}),
    )
    failures = (Failure("nobody_to_greet", "Who is empty. Type or wire a name."),)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the greeting; runs in a worker, and never in the server.

        :raises NodeError: ``nobody_to_greet``.
        """
        config = context.config
        if not config.who.strip():
            raise NodeError("nobody_to_greet", "Who is empty. Type or wire a name.")
        hello = "Good day" if config.manner == "formal" else "Hello"
        name = f"{config.title} {config.who}".strip() if config.manner == "formal" else config.who
        outputs: dict[str, Any] = {"text": f"{hello} {name}!"}
        if context.has_secret("token"):
            # Made inside, known to the masker, and bound to where the token may go.
            outputs["header"] = context.combine(
                lambda values: f"Bearer {values['token']}", "token"
            )
        context.log.info(f"Greeted {name}.")
        return outputs
'''

_TESTS: Final = '''\
"""$title: runs without a server, and lets no secret slip."""

from app.sdk import Secret, contract, testing

from $module.$last import $class


def test_it_keeps_the_contract():
    contract.check($class())


def test_it_greets():
    assert testing.run($class(), {"who": "Ada"}).outputs == {"text": "Hello Ada!"}


def test_a_wire_wins_over_what_was_typed():
    result = testing.run($class(), {"who": "nobody"}, wires={"who": "Grace"})
    assert result.outputs["text"] == "Hello Grace!"


def test_the_header_is_a_secret():
    result = testing.run($class(), secrets={"token": "a-token-of-the-test"})
    assert isinstance(result.outputs["header"], Secret)
    assert result.leaks == ()


def test_it_fails_without_anybody_to_greet():
    result = testing.run($class(), {"who": " "}, secrets={"token": "a-token-of-the-test"})
    assert result.error is not None
    assert result.error.code == "nobody_to_greet"
    assert result.leaks == ()
'''

FILES: Final[Mapping[str, str]] = {
    "pyproject.toml": _PROJECT,
    "README.md": _README,
    "src/$module/__init__.py": '"""Components for Tacit."""\n',
    "src/$module/$last.py": _COMPONENT,
    "tests/test_$last.py": _TESTS,
}
"""Text by path."""
