"""What ``tacit component new`` writes: a package with one component, its tests and its metadata."""

from __future__ import annotations

import keyword
from pathlib import Path
from string import Template
from typing import Final

from app.cli.newpackage import templates
from app.components.declaration import SDK
from app.components.packages import GROUP
from app.components.registry import BUILTINS
from app.components.soundness import NAME
from app.errors import Conflict, Invalid

_RESERVED: Final = frozenset(name.partition(".")[0] for name in BUILTINS)


def write_package(name: str, folder: Path | None = None) -> list[Path]:
    """Write a working package for the component ``name``; returns the files.

    :param folder: where to; the package's name below the current folder by default.
    :raises Invalid: ``component_id_invalid``, ``component_namespace_reserved``.
    :raises Conflict: ``folder_not_empty``.
    """
    words = name.split(".")
    if not NAME.fullmatch(name) or any(keyword.iskeyword(word) for word in words):
        raise Invalid(
            "component_id_invalid",
            "A component's name is lower-case words with dots between them, the first one yours: "
            "acme.greet.",
            field="name",
        )
    if words[0] in _RESERVED:
        raise Invalid(
            "component_namespace_reserved",
            f"“{words[0]}.” is for components that come with Tacit. Begin with a word of your own.",
            field="name",
        )
    package = name.replace(".", "-").replace("_", "-")
    folder = folder or Path(package)
    if folder.exists() and any(folder.iterdir()):
        raise Conflict("folder_not_empty", f"{folder} isn't empty. Choose another folder.")
    last = words[-1]
    filled = {
        "name": name,
        "package": package,
        "module": package.replace("-", "_"),
        "last": last,
        "class": "".join(part.capitalize() for part in last.split("_")),
        "title": " ".join(part.capitalize() for part in last.split("_")),
        "group": GROUP,
        "sdk": str(SDK),
    }
    written = []
    for path, text in templates.FILES.items():
        file = folder / Template(path).substitute(filled)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Template(text).substitute(filled), "utf-8")
        written.append(file)
    return written
