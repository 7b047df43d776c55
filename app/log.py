"""Structured logs: one JSON object a line on standard error, for every process of the server.

``event`` is a constant name or sentence, ids are fields of their own, and the run that is worked
on stands in ``run``. Masking comes last, and without a list of values, since the server has none:
of an exception only its kind and where it was raised are written, never its text or arguments.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

_bound: ContextVar[dict[str, str]] = ContextVar("bound", default={})  # noqa: B039  never changed
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@contextmanager
def bound(**ids: str) -> Iterator[None]:
    """Put ids into every line that is written meanwhile: ``with bound(run=run_id): …``."""
    token = _bound.set({**_bound.get(), **ids})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON.

    :param process: which process of the installation this is.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "process": self._process, "logger": record.name,
            "event": record.getMessage(), **_bound.get(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=lambda value: type(value).__name__)


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception's kind, where it was raised, and the same of its cause."""
    frames = traceback.extract_tb(error.__traceback__)
    told: dict[str, Any] = {
        "kind": type(error).__name__,
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]],
    }
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and cause is not error:
        told["cause"] = type(cause).__name__
    return told


def set_up(process: str, level: str) -> None:
    """Have all loggers of this process, gunicorn's too, write such lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level if level in logging.getLevelNamesMapping() else "INFO")
    logging.raiseExceptions = False  # its report would quote the arguments
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    for name in ("gunicorn.error", "gunicorn.access"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True
    # Libraries at DEBUG write what they were given.
    for name in ("httpx", "httpcore", "sqlalchemy", "alembic", "botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel("WARNING")
