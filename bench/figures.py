"""Percentiles, the table, and shares of a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of them don't exceed (nearest rank)."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * round(share * 1000) // 1000))
    return ordered[min(rank, len(ordered)) - 1]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out in columns, the first row being the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(lines)


def share_lines(milliseconds: Mapping[str, float]) -> str:
    """Lay out parts of a whole, one a line, with their share of it, and the whole last."""
    whole = sum(milliseconds.values())
    parts = [(name, f"{took:.3f} ms", f"{took / whole:.0%}")
             for name, took in milliseconds.items()]
    return "\n".join(
        f"  {name:24}{took:>12}{share:>6}"
        for name, took, share in [*parts, ("together", f"{whole:.3f} ms", "100%")]
    )


@dataclass(frozen=True, slots=True)
class Requirement:
    """A figure that must hold, beside its bound.

    :param most: True where the figure may be as high as the bound, False where as low.
    """

    what: str
    measured: float
    bound: float
    unit: str = ""
    most: bool = True

    @property
    def holds(self) -> bool:
        """Whether the figure is within its bound."""
        return self.measured <= self.bound if self.most else self.measured >= self.bound

    def row(self) -> tuple[str, str, str, str]:
        """Lay the requirement out for :func:`table`."""
        sign = "≤" if self.most else "≥"
        return (
            self.what, f"{self.measured:.4g}{self.unit}", f"{sign} {self.bound:g}{self.unit}",
            "holds" if self.holds else "MISSED",
        )
