"""Packages of components as pip leaves them, without pip: a module and its metadata on the path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from app.components.registry import registry

GREET = '''
from app.sdk import Component, ComponentConfig, Port, PortType, field


class Settings(ComponentConfig):
    who: str = field("world", label="Who", kind="text")


class Greet(Component):
    name = "acme.greet"
    title = "Greet"
    help = "Greets somebody."
    category = "logic"
    icon = "no-such-icon"
    Config = Settings
    outputs = (Port("text", PortType.TEXT, "Text"),)

    def run(self, context):
        return {"text": f"Hello {context.config.who}!"}
'''


def lay_out(
    folder: Path, package: str, components: Mapping[str, str], source: str = GREET,
    version: str = "1.2",
) -> Path:
    """Write a package into ``folder``, which has to be on the path.

    :param components: ``module:Class`` by name; the module is called like the package.
    """
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(source)
    about = folder / f"{module}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    lines = "\n".join(f"{name} = {place}" for name, place in components.items())
    (about / "entry_points.txt").write_text(f"[tacit.components]\n{lines}\n")
    return folder


@pytest.fixture
def another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path whose packages this installation has, from the first look on."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    registry.cache_clear()
    yield folder
    registry.cache_clear()
