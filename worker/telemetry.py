"""Events on their way out: masked, numbered by one writer, sent in batches, never lost silently."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.components.parsing.limits import is_deep
from app.ids import iso, utcnow
from worker.client import RuntimeClient
from worker.errors import LimitReached, RunLost, RuntimeRefused
from worker.masking import MaskedObject, MaskedText, Masker, PathMask

FLUSH_SECONDS: Final = 0.05
BATCH: Final = 100
BATCH_MOST: Final = 500
BATCH_BYTES: Final = 512 * 1024
HEARTBEAT_SECONDS: Final = 1.0
"""Seconds of silence after which the lease is renewed. A lease lasts many of them; what counts
is that the answer brings a wish to cancel. A quiet run costs the server 2.5 ms of processor
time a second."""
PULSE_SECONDS: Final = 1.0
TEXT_LIMIT: Final = 65_536
"""Characters of one event's text; the rest is left out, and the event says so."""
DATA_LIMIT: Final = 65_536
"""Bytes of one event's data as JSON; more is shown as a preview."""
PREVIEW: Final = 8_192
DEEPEST: Final = 90
"""Levels of one output; what is nested deeper is shown as a preview. An event has a few around
it, the server takes 100, and neither pages nor its JSON could show very many."""
SEND_PATIENCE: Final = 10.0
FINISH_PATIENCE: Final = 30.0
REFUSED: Final = "<withheld: the server couldn't store this event>"
_REFUSED = frozenset({400, 413, 422})
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may send.

    :param events: number of events.
    :param log_bytes: bytes of log lines, text and data together.
    :param output_bytes: bytes of one output as JSON.
    """

    events: int = 100_000
    log_bytes: int = 16 * 1024 * 1024
    output_bytes: int = 1024 * 1024

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Limits:
        """Read the limits of a claim; what is missing keeps its default."""
        kept = {name: int(document[name]) for name in cls.__slots__ if name in document}
        return cls(**kept)


class Telemetry:
    """The one writer of a run's events.

    :param token: makes the run token of each call.
    :param first: the sequence number of the first event.
    :param on_cancel: called once, when the server asks for an end.
    :param on_lost: called once, when the run belongs to somebody else now.
    :param on_limit: called once, when the run has hit a limit.
    :param on_pulse: called about each second, as long as this process can run at all.
    """

    def __init__(
        self,
        client: RuntimeClient,
        run_id: str,
        token: Callable[[], str],
        masker: Masker,
        *,
        first: int = 1,
        limits: Limits | None = None,
        on_cancel: Callable[[], None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
        on_limit: Callable[[LimitReached], None] = lambda _limit: None,
        on_pulse: Callable[[], None] = lambda: None,
    ) -> None:
        self.limits = limits or Limits()
        self._client, self._token, self._masker = client, token, masker
        self._path = f"/runtime/v1/runs/{run_id}"
        self._on_cancel, self._on_lost, self._on_limit = on_cancel, on_lost, on_limit
        self._on_pulse = on_pulse
        self._lock = threading.RLock()  # a warning raised inside may come back as an event
        self._sending = threading.Lock()
        self._wake = threading.Event()
        self._waiting: list[dict[str, Any]] = []
        self._sizes: dict[int, int] = {}  # of waiting events, by their numbers
        self._seq = first
        self._made = self._logged = 0
        self._limit: LimitReached | None = None
        self._lost = self._cancelled = self._closing = False
        self._most = BATCH_MOST
        self._refused = -1
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        """Begin to send in the background, and to renew the lease."""
        self._thread.start()

    def emit(
        self,
        kind: str,
        text: str | MaskedText,
        *,
        level: str = "info",
        data: Mapping[str, Any] | None = None,
        node: str | None = None,
        attempt: int = 1,
    ) -> None:
        """Take one event: ``kind`` is run, node, log or span. Text and data are masked here."""
        shown, safe, size = self._masked(text, data or _NOTHING)
        with self._lock:
            if self._closing or self._lost:
                return
            self._made += 1
            if kind == "log":
                self._logged += size
            limit = self._check() if kind == "log" else None
            if kind == "log" and self._limit is not None:
                return
            if limit is not None:
                self._limit = limit
            else:
                self._waiting.append({
                    "seq": self._seq, "at": iso(utcnow()), "node": node, "attempt": attempt,
                    "type": kind, "level": level, "text": shown.text, "data": safe,
                    "masks": [mask.to_json() for mask in shown.masks],
                })
                self._sizes[self._seq] = size
                self._seq += 1
                if len(self._waiting) >= BATCH:
                    self._wake.set()
        if limit is not None:
            self._on_limit(limit)

    def _masked(
        self, text: str | MaskedText, data: Mapping[str, Any]
    ) -> tuple[MaskedText, Any, int]:
        """Return text and data as an event may carry them, and their bytes."""
        if isinstance(text, str):
            # Most events hold nothing, and are short. Read back, data is a copy that no node
            # changes any more.
            clear = self._masker.find_clear(text, data)
            if clear is not None and len(text) <= TEXT_LIMIT and _is_small(clear[0]):
                return MaskedText(text), _decode(clear[0]), clear[1]
            text = self._masker.mask_text(text)
        shown = _shortened(text)
        safe, size = self._previewed(data) if data else ({}, 2)
        return shown, safe, size + len(shown.text.encode("utf-8", "replace"))

    def _previewed(self, data: Any) -> tuple[Any, int]:
        """Return :meth:`preview` of data and its length as JSON."""
        found = self._masker.mask_object(data)
        masked = found.value
        if found.masks and isinstance(masked, dict) and isinstance(masked.get("problem"), dict):
            _name_masks(masked["problem"], found.masks, ("problem", "message"))
        text = _json(masked)
        size = len(text)
        if size <= DATA_LIMIT and not is_deep(masked, text, DEEPEST + 5):
            return masked, size
        if isinstance(masked, dict):
            # Places in outputs that are shortened here would lead nowhere.
            kept = [item for item in masked.items() if item[0] != "output_masks"]
            short: Any = {key: shorten(value) for key, value in kept[:100]}
        else:
            short = shorten(masked)
        return short, len(_json(short))

    def finish(self, state: str, problem: Mapping[str, Any] | None) -> str:
        """Send the last events and the run's end; returns the state that the server recorded.

        :raises RunLost: somebody else holds the run.
        :raises RuntimeUnreachable: the server didn't take it in time.
        """
        with self._lock:
            self._closing = True
        self._wake.set()
        with self._sending:
            while len(events := self._batch()) < len(self._waiting):
                self._send_batch(FINISH_PATIENCE)
            answer = self._call("finish", {
                "state": state,
                "problem": self._problem(problem) if problem else None,
                "events": events,
                "searched_bytes": self._masker.searched,
            }, FINISH_PATIENCE)
            self._waiting = []
        return str(answer.get("state", state))

    def passed(self, text: str) -> None:
        """Send the news that the pre-run check is over and found nothing.

        :raises RunLost: somebody else holds the run.
        :raises RuntimeUnreachable: the server didn't take it in time.
        """
        with self._sending:
            self.emit("run", text, data={"state": "running"})
            while self._waiting:
                self._send_batch(FINISH_PATIENCE)
            self._call("checked", {"problems": []}, FINISH_PATIENCE)

    def reject(self, problems: Sequence[Mapping[str, Any]]) -> str:
        """Send the last events and what the pre-run check found: it ends the run.

        :raises RunLost: somebody else holds the run.
        :raises RuntimeUnreachable: the server didn't take it in time.
        """
        with self._lock:
            self._closing = True
        self._wake.set()
        with self._sending:
            while self._waiting:
                self._send_batch(FINISH_PATIENCE)
            found = [self._problem(problem) for problem in problems]
            answer = self._call("checked", {"problems": found}, FINISH_PATIENCE)
        return str(answer.get("state", "rejected"))

    def _problem(self, problem: Mapping[str, Any]) -> Any:
        """Return a problem as it may leave, with what stood in its message."""
        found = self._masker.mask_object(problem)
        if found.masks and isinstance(found.value, dict):
            _name_masks(found.value, found.masks, ("message",))
        return found.value

    def _check(self) -> LimitReached | None:
        if self._limit is not None:
            return None
        if self._made > self.limits.events:
            return LimitReached(
                "run_events_limit",
                f"The run made more than {self.limits.events} events. Log less, or split the flow.",
            )
        if self._logged > self.limits.log_bytes:
            return LimitReached(
                "run_log_limit",
                f"The run logged more than {self.limits.log_bytes // 1024} KiB. Log less, or "
                "write large data elsewhere.",
            )
        return None

    def _run(self) -> None:
        pause = FLUSH_SECONDS
        pulsed = time.monotonic()
        while not self._closing and not self._lost:
            self._wake.wait(pause)
            self._wake.clear()
            if self._closing:
                return
            if time.monotonic() - pulsed > PULSE_SECONDS:
                pulsed = time.monotonic()
                self._on_pulse()
            try:
                with self._sending:
                    if self._waiting:
                        self._send_batch(SEND_PATIENCE)
                    elif time.monotonic() - self._renewed > HEARTBEAT_SECONDS:
                        self._call("heartbeat", {}, SEND_PATIENCE)
                pause = FLUSH_SECONDS
            except RunLost:
                return
            except Exception:
                # Away, busy, or an answer that makes no sense: the events stay and are sent
                # again. This thread must not end before the run; the lease decides.
                pause = 1.0

    def _send_batch(self, patience: float) -> None:
        batch = self._batch()
        try:
            answer = self._call("events", {"events": batch}, patience)
        except RuntimeRefused as error:
            if error.status not in _REFUSED:
                raise
            # One event that the server can't take must not hold up the others, or the lease.
            if len(batch) > 1:
                self._most = len(batch) // 2
            else:
                batch[0].update(text=REFUSED, masks=[], data=_bare(batch[0]["data"]))
                if self._refused == batch[0]["seq"]:
                    raise
                self._refused = batch[0]["seq"]
            return
        self._most = BATCH_MOST
        stored = answer.get("stored_through")
        last = stored if isinstance(stored, int) else batch[-1]["seq"]
        with self._lock:
            for event in self._waiting:
                if event["seq"] <= last:
                    self._sizes.pop(event["seq"], None)
            self._waiting = [event for event in self._waiting if event["seq"] > last]

    def _batch(self) -> list[dict[str, Any]]:
        """The first events that wait, as many as one request should carry."""
        with self._lock:
            batch: list[dict[str, Any]] = []
            size = 0
            for event in self._waiting[: self._most]:
                size += self._sizes[event["seq"]]
                if batch and size > BATCH_BYTES:
                    break
                batch.append(event)
            return batch

    def _call(self, what: str, body: Mapping[str, Any], patience: float) -> dict[str, Any]:
        if self._lost:
            raise RunLost
        try:
            answer = self._client.call(
                "POST", f"{self._path}/{what}", token=self._token, body=body, patience=patience
            )
        except RuntimeRefused as error:
            if error.status in (401, 403, 404, 409):
                self._lost = True
                self._on_lost()
                raise RunLost from None
            raise
        self._renewed = time.monotonic()
        if answer.get("cancel") and not self._cancelled:
            self._cancelled = True
            self._on_cancel()
        return answer


def _name_masks(
    problem: dict[str, Any], masks: Sequence[PathMask], path: tuple[str, ...]
) -> None:
    """Say in a problem which secrets stood in its message, beside what it says already."""
    places = [
        {"offset": mask.offset, "secret": mask.secret, "version": mask.version}
        for mask in masks if mask.path == path and not mask.key
    ]
    if places:
        problem["masks"] = [*(problem.get("masks") or ()), *places]


def _bare(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"state": data["state"]} if "state" in data else {}


def _shortened(masked: MaskedText) -> MaskedText:
    if len(masked.text) <= TEXT_LIMIT:
        return masked
    cut = TEXT_LIMIT
    for mask in masked.masks:
        if mask.offset < cut < mask.offset + 3:
            cut = mask.offset
    left_out = len(masked.text) - cut
    kept = tuple(mask for mask in masked.masks if mask.offset < cut)
    return MaskedText(f"{masked.text[:cut]}… ({left_out} characters left out)", kept)


def shorten(value: Any) -> Any:
    """Return a masked value, or its beginning and length when it is long.

    It was masked whole, so a cut can't uncover anything.
    """
    text = value if isinstance(value, str) else _json(value)
    if len(text) <= PREVIEW and not is_deep(value, text, DEEPEST):
        return value
    return {"preview": text[:PREVIEW], "characters": len(text), "truncated": True}


def shorten_masked(masked: MaskedObject) -> tuple[Any, list[PathMask]]:
    """Return :func:`shorten` of a masked copy, and the masks whose places are still there."""
    value = shorten(masked.value)
    if value is masked.value:
        return value, list(masked.masks)
    if isinstance(masked.value, str):
        return value, [
            replace(mask, path=("preview",)) for mask in masked.masks if mask.offset < PREVIEW
        ]
    return value, []


def _is_small(written: str) -> bool:
    """Say whether data, by its JSON, surely is within the limits of an event."""
    brackets = written.count("[") + written.count("{")
    return len(written) <= DATA_LIMIT and brackets <= DEEPEST


# Made once: json.dumps makes one for each call with options.
_decode: Final = json.JSONDecoder().decode
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


def _json(value: Any) -> str:
    try:
        return _encode(value)
    except RecursionError:
        return "[" * (DEEPEST + 10) + "…"  # a preview of what can't be written at all
