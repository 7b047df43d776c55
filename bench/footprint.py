"""What an idle installation takes: memory of all its processes, and the time to get ready."""

from __future__ import annotations

from pathlib import Path

from app.cli.children import processes_of


def memory(pid: int) -> dict[str, float]:
    """Return MiB of PSS by process name, of a process and everything below it.

    PSS counts a page that several share by its part in each, so that the sum is what the machine
    really gives.
    """
    found: dict[str, float] = {}
    for one in processes_of(pid):
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
            name = Path(f"/proc/{one}/comm").read_text().strip()
        except OSError:
            continue  # it ended meanwhile, or gave itself over to the end
        kib = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
        found[name] = found.get(name, 0.0) + kib / 1024
    return found
