"""The helper that evaluates what users wrote: a process of its own, started by exec, that holds
no secret's value but what a node was given as plain data, and can do nothing but reckon.

Run as ``python -I -S child.py LANGUAGE LIBRARIES``: it imports one language, gives up files,
network and new processes, then answers requests on standard input, each with its length in front.
Answers are codes and line numbers: an error's own text could quote data.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:  # as a script it has no import path yet
    from app.components.expressions import Evaluate

CPU_SECONDS: Final = 60
MEMORY_BYTES: Final = 512 * 1024**2
OPEN_FILES: Final = 16
LENGTH: Final = struct.Struct(">I")


def serve(evaluate: Evaluate, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the other side goes away; a first, empty answer says that this is there."""
    from app.components.expressions import answer

    answers.write(LENGTH.pack(0))
    answers.flush()
    while head := requests.read(LENGTH.size):
        (size,) = LENGTH.unpack(head)
        reply = answer(evaluate, json.loads(requests.read(size)))
        body = json.dumps(reply).encode()
        answers.write(LENGTH.pack(len(body)) + body)
        answers.flush()


def _import_package(name: str) -> None:
    """Import one of our packages by its place: a run may not list the folder they stand in."""
    folder = Path(__file__).parents[2] / name
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(name)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def main() -> None:
    """Start with the language and the libraries' folder of the arguments."""
    sys.path.append(sys.argv[2])
    for name in ("app", "worker"):
        _import_package(name)
    from app.components.expressions import LANGUAGES
    from worker import confine, limits

    evaluate = LANGUAGES[sys.argv[1]]()
    for limit, most in (
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES), (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
    ):
        limits.lower(limit, most)
    confine.shut_in()
    serve(evaluate, sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
