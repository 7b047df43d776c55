"""Write static/icons.svg, the one sprite of the pages, from npm's lucide-static.

Usage: ``python scripts/icons.py`` (needs npm and network; the result is committed).
To add an icon, add its lucide name to ``NAMES`` and run it again.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.62.0"
ROOT = Path(__file__).resolve().parent.parent
NAMES = """
activity arrow-down arrow-left arrow-right arrow-up ban bell blocks box braces calendar-clock check
chevron-down chevron-left chevron-right chevrons-up-down circle-check circle-dashed circle-dot
circle-help circle-stop circle-x clock cloud code contrast copy cpu database download ellipsis
external-link eye eye-off file-json file-text filter flame funnel git-branch git-commit-horizontal
globe grip-vertical hash history hourglass info key key-round keyboard layers layout-dashboard link
list list-tree loader-circle lock lock-keyhole log-in log-out mail map-pin maximize merge minus moon
mouse-pointer-click network octagon-alert package panel-right pause pencil play plug plus puzzle
redo-2 refresh-cw repeat rotate-ccw rotate-cw route save scroll-text search search-x send server
settings shapes shield shield-alert shield-check shield-x skip-forward snowflake split square
sun table tag terminal timer trash-2 triangle-alert type undo-2 unlink upload user user-plus users
variable webhook workflow x zap
fingerprint-pattern file-code file-input file-key file-output signature vault
""".split()


def symbol(name: str, source: str) -> str:
    """Return one icon as a ``<symbol>``; the stroke comes from the page's CSS."""
    inner = re.search(r"<svg[^>]*>(.*)</svg>", source, re.DOTALL)
    if inner is None:
        raise SystemExit(f"lucide icon {name} has no body")
    body = re.sub(r"\s*\n\s*", "", inner.group(1)).replace(" />", "/>")
    return f'<symbol id="i-{name}" viewBox="0 0 24 24">{body}</symbol>'


def main() -> None:
    """Download the pinned package, write the sprite and the licence."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is needed to fetch lucide-static")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603
            [npm, "pack", "--silent", f"lucide-static@{VERSION}"], cwd=folder, check=True
        )
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            archive.extractall(folder)  # noqa: S202 - a pinned package; 3.11.2 has no filters
        package = Path(folder) / "package"
        icons = [
            symbol(name, found.read_text())
            for name in sorted(set(NAMES))
            if (found := package / "icons" / f"{name}.svg").exists()
            or print(f"lucide {VERSION} has no icon {name}")
        ]
        licence = ROOT / "static" / "vendor" / "lucide" / "LICENSE"
        licence.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / "LICENSE", licence)
    notice = f"<!-- lucide-static {VERSION}, ISC; licence in static/vendor/lucide/LICENSE -->"
    lines = ['<svg xmlns="http://www.w3.org/2000/svg">', notice, *icons, "</svg>", ""]
    (ROOT / "static" / "icons.svg").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
