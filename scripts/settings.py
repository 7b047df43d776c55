"""Write the table of docs/settings.md anew from the settings that the code knows: make docs."""

from __future__ import annotations

import re
from pathlib import Path

from app.config import SETTINGS

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"


def main() -> None:
    """Replace the table's rows."""
    rows = "".join(f"| `{one.name}` | {one.default or '–'} | {one.help} |\n" for one in SETTINGS)
    text = PAGE.read_text("utf-8")
    PAGE.write_text(re.sub(r"(^\|---.*\n)(?:^\|.*\n)*", rf"\g<1>{rows}", text, count=1, flags=re.M))


if __name__ == "__main__":
    main()
