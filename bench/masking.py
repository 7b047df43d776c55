"""How fast text is masked, beside a plain copy, one big regular expression and the bare engine.

CPU time of one thread, the best of some rounds, all in one run: only the ratios say something.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.figures import table
from worker.masking import Masker, mask_stream
from worker.masking.forms import forms_of

SIZES = (10, 1_000)
BUILD = 100
LINES = 40_000
BLOCK = 65_536
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass(frozen=True, slots=True)
class Speed:
    """Bytes a second in blocks of 64 KiB, and lines of 200 bytes a second; 0 where not asked."""

    name: str
    secrets: int
    bytes_per_second: float
    lines_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class Masking:
    """All speeds, and milliseconds to build a masker of :data:`BUILD` secrets."""

    speeds: tuple[Speed, ...]
    build_ms: float

    def of(self, name: str, secrets: int) -> Speed:
        """Return one of the speeds."""
        return next(one for one in self.speeds if (one.name, one.secrets) == (name, secrets))

    def targets(self) -> dict[str, tuple[float, float]]:
        """Return what must hold: by its name, the figure and the least that it has to be."""
        slowest = self.of("re alternation", SIZES[-1]).bytes_per_second
        found = {}
        for count in SIZES:
            ours = self.of("Tacit", count)
            engine = self.of("bare Hyperscan", count).bytes_per_second
            found[f"{count} secrets: times the alternation at {SIZES[-1]}"] = (
                ours.bytes_per_second / slowest, 100.0)
            found[f"{count} secrets: share of the bare engine"] = (
                ours.bytes_per_second / engine, 0.25)
        found[f"lines a second at {SIZES[0]} secrets"] = (
            self.of("Tacit", SIZES[0]).lines_per_second, 1e6)
        found[f"builds of {BUILD} secrets in 50 ms"] = (50 / self.build_ms, 1.0)
        return found

    def lines(self) -> str:
        """Return the table to print."""
        rows = [("masking", "secrets", "MB/s", "lines/s")]
        rows += [
            (one.name, f"{one.secrets:,}" if one.secrets else "",
             f"{one.bytes_per_second / 1e6:,.1f}",
             f"{one.lines_per_second:,.0f}" if one.lines_per_second else "")
            for one in self.speeds
        ]
        told = [f"Built for {BUILD} secrets with all forms in {self.build_ms:.0f} ms."]
        told += [
            f"  {name}: {value:,.2f} ({'at least' if value >= least else 'NOT'} {least:,.2f})"
            for name, (value, least) in self.targets().items()
        ]
        return "\n".join([table(rows), *told])


def values(count: int) -> list[str]:
    """Return made-up secrets, always the same."""
    chosen = random.Random(1)
    return ["".join(chosen.choices(_ALPHABET, k=32)) for _ in range(count)]


def text() -> list[str]:
    """Return log lines of 200 bytes."""
    chosen = random.Random(2)
    return [
        f"2026-11-25T12:00:{n % 60:02}.{n % 1000:03}Z INFO http.request GET "
        f"https://api.example.com/v1/charges?limit=100&id={chosen.getrandbits(64):016x} -> 200 in "
        f"{n % 300} ms ".ljust(199, "x")[:199] + "\n"
        for n in range(LINES)
    ]


def measure(rounds: int = 5) -> Masking:
    """Measure everything."""
    lines = text()
    whole = "".join(lines)
    blocks = [whole[at:at + BLOCK] for at in range(0, len(whole), BLOCK)]
    size = len(whole)
    speeds = [Speed("plain copy", 0, size / _best(lambda: _copy(blocks), rounds))]
    for count in SIZES:
        secrets = values(count)
        masker = Masker()
        for secret in secrets:
            masker.register(secret)
        masker.mask_text("built")
        speeds.append(Speed(
            "Tacit", count, size / _best(lambda m=masker: _stream(m, blocks), rounds),
            LINES / _best(lambda s=secrets: _lines(s, lines), rounds)
            if count == SIZES[0] else 0.0,
        ))
        forms = sorted({form for secret in secrets for form in forms_of(secret)[0]})
        speeds.append(Speed("bare Hyperscan", count, size / _engine(forms, blocks, rounds)))
        some = blocks[:1] if count > 100 else blocks
        expression = re.compile("|".join(map(re.escape, secrets)))
        speeds.append(Speed("re alternation", count, sum(map(len, some)) / _best(
            lambda e=expression, b=some: [e.sub("***", block) for block in b], 1)))
    return Masking(tuple(speeds), _best(_build, rounds) * 1000)


def _build() -> None:
    masker = Masker()
    for secret in values(BUILD):
        masker.register(secret)
    masker.mask_text("built")


def _copy(blocks: list[str]) -> None:
    for block in blocks:
        block.encode().decode()


def _stream(masker: Masker, blocks: list[str]) -> None:
    stream = masker.stream()
    for block in blocks:
        stream.feed(block)
    stream.close()


def _lines(secrets: list[str], lines: list[str]) -> None:
    for _ in mask_stream(secrets, lines):
        pass


def _engine(forms: list[str], blocks: list[str], rounds: int) -> float:
    """Seconds to search the same blocks and nothing else."""
    import hyperscan

    patterns = [form.encode() for form in forms]
    database = hyperscan.Database()
    database.compile(
        expressions=patterns, ids=list(range(len(patterns))), elements=len(patterns),
        flags=[0] * len(patterns), literal=True,
    )
    encoded = [block.encode() for block in blocks]
    found: list[int] = []

    def search() -> None:
        for block in encoded:
            database.scan(block, lambda *match: found.append(match[0]))

    return _best(search, rounds)


def _best(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


if __name__ == "__main__":
    print(measure().lines())
