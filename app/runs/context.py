"""What a run was started by and with, under its seal by a hash."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from app.flows.graph import canonical
from app.keys.sealed import Tampered
from app.runs.models import Run

_log = logging.getLogger("tacit.runs")


def hash_context(trigger: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the trigger and inputs in their canonical form, in hex."""
    text = canonical({"trigger": trigger, "inputs": inputs})
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_context(run: Run) -> None:
    """Refuse a run whose trigger or inputs were changed outside Tacit.

    :raises Tampered: ``row_tampered``.
    """
    if run.context_hash is None:
        return
    if hash_context(run.trigger, run.inputs) != run.context_hash:
        _log.error("row_tampered", extra={"table": "runs", "row": run.id})
        raise Tampered("runs")
