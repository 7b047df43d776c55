"""The package that docs/components.md builds, as its pages write it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "components.md"
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```\n", GUIDE.read_text(), re.S))


def write(folder: Path) -> Path:
    """Write the package's files into a folder."""
    for path, text in {**FILES, "acme_tacit/__init__.py": ""}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def lay_out_guide(folder: Path) -> Path:
    """Write the package as pip leaves it, its metadata beside it; returns the folder."""
    write(folder)
    about = folder / "acme_tacit-1.0.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tacit\nVersion: 1.0.0\n")
    found = re.search(r'"tacit.components"\]\n(.*?)\n\n', FILES["pyproject.toml"], re.S)
    assert found
    (about / "entry_points.txt").write_text(
        "[tacit.components]\n" + found[1].replace('"', "") + "\n")
    return folder


def forget_guide() -> None:
    """Forget the package's modules: the next test has files of its own."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_tacit"]:
        del sys.modules[name]
