"""Re-create static/vendor from the npm registry and check every hash.

    python scripts/vendor.py           fetch (`npm pack`), write static/vendor, compare hashes
    python scripts/vendor.py --check   only compare what lies there with SHA256SUMS
    python scripts/vendor.py --write   as the first, then write SHA256SUMS anew (new versions)

Nothing of these packages is executed here: their tarballs are unpacked, the few files the
product serves are copied beside their licences. The X6 package ships no style sheet, so
ours is cut out of the template strings of its `raw.js` modules. Icons are copied as data
(element names and attributes), since a page may not carry markup built from strings.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
SUMS = VENDOR / "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Package:
    """One npm package: the registry's sha512 of its tarball, and {file in it: file of ours}."""

    spec: str
    integrity: str
    files: dict[str, str]


PACKAGES = (
    Package(
        "@antv/x6@3.1.8",
        "sha512-JVGxBRmjnqDr7W7Ql5XWc6FUtFcy+QlFaV31cv0pHIeVIJmyYnB5rHmdzz93CY5lCS/XcNBtOnNIIq6JVgfZ5w==",
        {"dist/x6.min.js": "x6/x6.min.js", "LICENSE": "x6/LICENSE"},
    ),
    Package(
        "@dagrejs/dagre@3.1.3",
        "sha512-X4aUTwOReZvthaZWOVHqlJ52/ZdhZFEM4+Lh/uR4XooUSLE6p71bcy7MPGzYnNUcNh+nj+i/qJQpCMIdQnSmrg==",
        {"dist/dagre.min.js": "dagre/dagre.min.js", "LICENSE": "dagre/LICENSE"},
    ),
    Package(
        "htmx.org@2.0.11",
        "sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==",
        {"dist/htmx.min.js": "htmx/htmx.min.js", "LICENSE": "htmx/LICENSE"},
    ),
    Package(
        "@fontsource-variable/geist@5.3.0",
        "sha512-j0m+vLQuG5XAYoHtGCVu0spvlGreR3EzpECUVzkFmI1mTVnAO38l/NEPDCFgZ177JxzYJCLSmTQibIiYPilGrA==",
        {
            "files/geist-latin-wght-normal.woff2": "geist/geist-latin-wght-normal.woff2",
            "LICENSE": "geist/LICENSE-geist",
        },
    ),
    Package(
        "@fontsource-variable/geist-mono@5.3.0",
        "sha512-vBbuwDEo9AkrqADMXOrlAR3DFcJi4/JxeuU43FoiQERnNwsfXNnvxvReZG02cQKmyk4DZkZdBZX3oTDvy2zBAw==",
        {
            "files/geist-mono-latin-wght-normal.woff2": "geist/geist-mono-latin-wght-normal.woff2",
            "LICENSE": "geist/LICENSE-geist-mono",
        },
    ),
    Package(
        "lucide-static@1.62.0",
        "sha512-WBZA/m2PvkFpMGHDtsBck5P2A9G4ehLlYu4GwwICcmEm1BvYVgj00lCDxKRWLlbMlOibLaiwdQ88G5pHkSWgwA==",
        {"LICENSE": "lucide/LICENSE"},
    ),
)

X6_STYLES = (
    "es/style/raw.js",
    "es/plugin/selection/style/raw.js",
    "es/plugin/snapline/style/raw.js",
)
"""The core's rules and those of the plugins the canvas uses."""

ICON_NAMES = """
activity alarm-clock align-center-horizontal align-center-vertical align-end-horizontal
align-end-vertical align-horizontal-distribute-center align-left align-start-horizontal
align-start-vertical align-vertical-distribute-center archive arrow-down arrow-left arrow-right
arrow-right-left arrow-up bell binary blocks book-open bot box boxes braces brackets bug
building-2 calendar calendar-clock chart-column chart-line check chevron-down chevron-left
chevron-right chevron-up chevrons-up-down circle circle-alert circle-check circle-dashed
circle-dot circle-help circle-pause circle-play circle-question-mark circle-slash circle-stop
circle-x clipboard clipboard-paste clock cloud cloud-download cloud-upload code cog combine
compass contact container copy cpu credit-card database dices divide download earth ellipsis
eraser external-link eye eye-off file file-code file-down file-input file-json file-key file-lock
file-output file-text file-up filter fingerprint fingerprint-pattern flag folder folder-open
forward funnel gauge git-branch git-commit-horizontal git-compare git-fork git-merge
git-pull-request globe grip-vertical hammer hard-drive hash headphones heading history hourglass
house image inbox info key key-round key-square keyboard languages layers layout-dashboard library
link link-2 list list-checks list-filter list-ordered list-tree loader-circle lock lock-keyhole
lock-open log-in log-out mail map map-pin maximize megaphone memory-stick menu merge
message-circle message-square minimize minus monitor mouse-pointer-click network newspaper group
ungroup panel-left-close panel-right-close notebook octagon-alert octagon-x package panel-bottom
panel-left panel-right paperclip pause pencil percent phone play plug plug-zap plus power printer
puzzle radio receipt redo-2 refresh-ccw refresh-cw regex repeat repeat-1 replace rocket rotate-ccw
rotate-ccw-key rotate-cw route rss ruler save scale scan scissors scroll-text search send server
server-cog settings share share-2 shield shield-alert shield-check shuffle sigma signature
skip-back skip-forward sliders-horizontal sparkles split square square-check square-code
square-function square-terminal star sticky-note stop-circle sun sunrise table tag tags terminal
test-tube timer toggle-left toggle-right trash triangle-alert type undo-2 unlink unplug upload
user user-check user-cog user-round users variable vault wand wand-sparkles webhook workflow
wrench x zap zoom-in zoom-out
"""
"""Icons the canvas can draw; a component that names another one gets `box`."""


def main() -> int:
    """Run the script; 0 when static/vendor is what SHA256SUMS says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="compare only, no network")
    parser.add_argument("--write", action="store_true", help="write SHA256SUMS anew")
    options = parser.parse_args()
    if not options.check:
        with tempfile.TemporaryDirectory() as folder:
            for package in PACKAGES:
                vendor_package(package, Path(folder))
    if options.write:
        SUMS.write_text("".join(f"{digest}  {name}\n" for name, digest in sums()))
    wrong = compare()
    for line in wrong:
        sys.stderr.write(f"vendor: {line}\n")
    return 1 if wrong else 0


def vendor_package(package: Package, folder: Path) -> None:
    """Fetch one package, check its tarball and copy its files to static/vendor."""
    with tarfile.open(fetch(package, folder)) as archive:

        def read(name: str) -> bytes:
            member = archive.extractfile(f"package/{name}")
            if member is None:
                raise SystemExit(f"vendor: {package.spec} holds no file {name}")
            return member.read()

        for source, target in package.files.items():
            put(target, read(source))
        if package.spec.startswith("@antv/x6@"):
            put("x6/x6.css", x6_css(read).encode())
        if package.spec.startswith("lucide-static@"):
            put("lucide/icons.js", icons_module(read).encode())


def fetch(package: Package, folder: Path) -> Path:
    """Return the package's tarball; refuse one whose sha512 isn't the one we know."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("vendor: npm is needed to fetch the packages (Debian: apt install npm)")
    command = [npm, "pack", package.spec, "--silent", "--pack-destination", str(folder)]
    packed = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    tarball = folder / packed.stdout.split()[-1]
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != package.integrity:
        raise SystemExit(f"vendor: {package.spec} has another hash than expected: sha512-{digest}")
    return tarball


def put(name: str, content: bytes) -> None:
    """Write one file below static/vendor."""
    path = VENDOR / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def x6_css(read: Callable[[str], bytes]) -> str:
    """Cut the style sheets out of X6's modules: each is one template string named `content`."""
    parts = ["/* Cut from @antv/x6 3.1.8 by scripts/vendor.py; see LICENSE beside it. */\n"]
    for source in X6_STYLES:
        text = read(source).decode()
        body = text.split("export const content = `", 1)[1].rsplit("`", 1)[0]
        if "${" in body or "\\" in body:
            raise SystemExit(f"vendor: {source} is no longer a plain template string")
        parts.append(f"\n/* {source} */\n{body}")
    return "".join(parts)


def icons_module(read: Callable[[str], bytes]) -> str:
    """Return an ES module with the icons' shapes as data: `{name: [[tag, attributes], …]}`."""
    nodes = json.loads(read("icon-nodes.json"))
    lines = [
        f"  {json.dumps(name)}: {json.dumps(nodes[name], separators=(',', ':'))},\n"
        for name in sorted(set(ICON_NAMES.split()) & set(nodes))
    ]
    head = "// Cut from lucide-static 1.62.0 (ISC, see LICENSE beside it) by scripts/vendor.py.\n"
    return f"{head}export const ICONS = Object.freeze({{\n{''.join(lines)}}});\n"


def sums() -> Iterator[tuple[str, str]]:
    """Yield (name, sha256) of every vendored file, sorted by name."""
    for path in sorted(VENDOR.rglob("*")):
        if path.is_file() and path != SUMS:
            yield path.relative_to(VENDOR).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()


def compare() -> list[str]:
    """Return one sentence for each file that is missing, unknown or different."""
    known = {}
    for line in SUMS.read_text().splitlines():
        digest, name = line.split("  ", 1)
        known[name] = digest
    there = dict(sums())
    wrong = [f"{name} is missing" for name in known if name not in there]
    wrong += [f"{name} is not in SHA256SUMS" for name in there if name not in known]
    wrong += [
        f"{name} has another sha256"
        for name in known
        if name in there and there[name] != known[name]
    ]
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
