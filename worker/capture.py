"""Where text comes from in a run's process: all of it goes through the masker.

Logging (libraries' DEBUG lines too), warnings, structlog, exceptions that nobody caught, and the
file descriptors of stdout and stderr themselves, so that C libraries and child processes are
covered. structlog's own printer writes to stdout and is caught there.
"""

from __future__ import annotations

import codecs
import contextlib
import faulthandler
import io
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, TextIO

from worker.masking import WITHHELD, Mask, MaskedText, Masker

LINE_LIMIT: Final = 16_384
"""Characters of one captured line; a longer one is cut into several after masking."""
DRAIN_SECONDS: Final = 1.0

Sink = Callable[[str, str, MaskedText, str | None], None]
"""Takes ``(source, level, masked text, node)``; must not print."""

current_node: ContextVar[str | None] = ContextVar("current_node", default=None)
"""The node whose code is running, for lines that it logs."""


def describe_exception(masker: Masker, error: BaseException) -> MaskedText:
    """Return the masked traceback: message, notes, causes and contexts, and no local variables."""
    try:
        told = traceback.TracebackException.from_exception(error, capture_locals=False)
        text = "".join(told.format())
    except Exception:  # an exception whose own text can't be made
        text = f"{type(error).__name__}: its message can't be shown"
    return masker.mask_text(text)


def describe_message(masker: Masker, error: BaseException, longest: int = 500) -> MaskedText:
    """Return ``Type: message``, masked, in one line, and cut after that."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = f"{type(error).__name__}: its message can't be shown"
    masked = masker.mask_text(text)
    line = " ".join(masked.text.split())[:longest]
    moved = (
        Mask(_in_one_line(masked.text[: mask.offset]), mask.secret, mask.version)
        for mask in masked.masks
    )
    return MaskedText(line, tuple(mask for mask in moved if mask.offset + 3 <= len(line)))


def _in_one_line(before: str) -> int:
    """Return how long a text is with its white space drawn together, where more follows."""
    drawn = " ".join(before.split())
    return len(drawn) + bool(drawn and before[-1].isspace())


class MaskingHandler(logging.Handler):
    """Hands log records to the sink, formatted whole and then masked."""

    def __init__(self, masker: Masker, sink: Sink) -> None:
        super().__init__(logging.DEBUG)
        self._masker = masker
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        """Mask and hand over one record; whatever fails on the way is withheld."""
        try:
            text = record.getMessage()
            if record.exc_info and record.exc_info[1] is not None:
                told = traceback.TracebackException.from_exception(record.exc_info[1])
                text = f"{text}\n{''.join(told.format())}"
            elif record.exc_text:
                text = f"{text}\n{record.exc_text}"
            if record.stack_info:
                text = f"{text}\n{record.stack_info}"
            masked = self._masker.mask_text(text.rstrip("\n"))
        except Exception:
            masked = MaskedText(WITHHELD)
        source = self._masker.mask_text(record.name).text
        with contextlib.suppress(Exception):
            self._sink(source, _level(record.levelno), masked, current_node.get())


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


class Lines:
    """Cuts a masked stream into masked lines, each with its own offsets."""

    def __init__(self) -> None:
        self._text = ""
        self._masks: list[Mask] = []

    def feed(self, piece: MaskedText) -> list[MaskedText]:
        """Take a piece and return the lines that are whole now."""
        base = len(self._text)
        self._text += piece.text
        self._masks += (Mask(m.offset + base, m.secret, m.version) for m in piece.masks)
        lines: list[MaskedText] = []
        while True:
            end = self._text.find("\n")
            skip = 1
            if end < 0:
                if len(self._text) <= LINE_LIMIT:
                    return lines
                end, skip = self._cut(LINE_LIMIT), 0
            lines.append(self._split(end, skip))

    def close(self) -> list[MaskedText]:
        """Return the unfinished last line, if there is one."""
        return [self._split(len(self._text), 0)] if self._text else []

    def _cut(self, at: int) -> int:
        """Move a cut before a ``***`` that it would divide."""
        for mask in self._masks:
            if mask.offset < at < mask.offset + 3:
                return mask.offset
        return at

    def _split(self, end: int, skip: int) -> MaskedText:
        text = self._text[:end].rstrip("\r")
        masks = tuple(mask for mask in self._masks if mask.offset < end)
        self._masks = [
            Mask(mask.offset - end - skip, mask.secret, mask.version)
            for mask in self._masks
            if mask.offset >= end
        ]
        self._text = self._text[end + skip :]
        return MaskedText(text, masks)


class _Channel:
    """One file descriptor led through a pipe and the masker."""

    def __init__(self, number: int, source: str, level: str, masker: Masker) -> None:
        self._number = number
        self._source, self._level = source, level
        self._stream = masker.stream()
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._lines: Lines | None = Lines()
        self.read, self._write = os.pipe2(os.O_CLOEXEC)
        self.saved = -1
        self.sink: Sink = _say_nothing

    def take(self, sink: Sink) -> None:
        """Lead what is written to the descriptor to ``sink`` from now on."""
        self.sink = sink
        self.saved = os.dup(self._number)
        os.dup2(self._write, self._number)
        self.close()

    def close(self) -> None:
        """Close this end of the pipe."""
        if self._write >= 0:
            os.close(self._write)
            self._write = -1

    def restore(self, *, silent: bool) -> None:
        """Put the old descriptor or nothing in place."""
        if silent:
            nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nothing, self._number)
            os.close(nothing)
        else:
            os.dup2(self.saved, self._number)
        os.close(self.saved)

    def receive(self) -> bool:
        """Hand over what has come; says whether there can be more."""
        data = os.read(self.read, 65_536)
        if self._lines is not None:
            try:
                text = self._stream.feed(self._decoder.decode(data, not data))
                self._hand_over(self._lines.feed(text))
            except Exception:
                # Out of memory, say. Whoever prints would hang without a reader; but what
                # comes now may be the rest of a value that began in what was lost.
                self._lines = None
                self._hand_over([MaskedText(WITHHELD)])
        return bool(data)

    def finish(self) -> None:
        """Hand over the rest."""
        os.close(self.read)
        if self._lines is not None:
            try:
                self._hand_over(self._lines.feed(self._stream.close()) + self._lines.close())
            except Exception:
                self._hand_over([MaskedText(WITHHELD)])

    def _hand_over(self, lines: list[MaskedText]) -> None:
        for line in lines:
            if line.text:
                with contextlib.suppress(Exception):
                    self.sink(self._source, self._level, line, None)


class _Reader:
    """The thread that reads what the channels bring."""

    def __init__(self, channels: Sequence[_Channel]) -> None:
        self._channels = channels
        self._wake, self._stop = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Return when all is read that was written, or when that takes too long."""
        # Child processes may keep a pipe open for longer than anybody wants to wait.
        self._thread.join(DRAIN_SECONDS)
        os.close(self._stop)
        self._thread.join(DRAIN_SECONDS)

    def _run(self) -> None:
        import select

        reading = {channel.read: channel for channel in self._channels}
        while reading:
            ready, _, _ = select.select([*reading, self._wake], [], [])
            if ready == [self._wake]:
                break
            for descriptor in ready:
                if descriptor != self._wake and not reading[descriptor].receive():
                    del reading[descriptor]
        for channel in self._channels:
            channel.finish()
        os.close(self._wake)


class Capture:
    """Takes over every source of text of this process, until :meth:`stop`.

    :param level: the lowest level of log records that are kept.
    """

    def __init__(self, masker: Masker, *, level: int = logging.INFO) -> None:
        self.masker = masker
        self._level = level
        self._channels: list[_Channel] = []
        self._reader: _Reader | None = None
        self._undo: list[Callable[[], Any]] = []
        self._old_streams: list[TextIO] = []  # libraries may have kept them

    def prepare(self) -> None:
        """Make ready what takes its time; nothing is taken over yet."""
        if self._reader is not None:
            return
        self._channels = [
            _Channel(1, "stdout", "info", self.masker),
            _Channel(2, "stderr", "warning", self.masker),
        ]
        self._reader = _Reader(self._channels)

    def discard(self) -> None:
        """Undo :meth:`prepare`, where there is nothing to capture after all."""
        for channel in self._channels:
            channel.close()
        self._end_reader()

    def start(self, sink: Sink) -> None:
        """Take over."""
        self.prepare()
        _flush(sys.stdout, sys.stderr)
        for channel in self._channels:
            channel.take(sink)
        self._replace_streams()
        self._replace_logging(sink)
        self._replace_hooks(sink)

    def stop(self, *, silent: bool = False) -> None:
        """Hand over what was still on its way, and give everything back.

        :param silent: for a process that is about to end. Nothing is given back, since a node that
            was given up, or a thread of a library, may still print what it knows.
        """
        _flush(sys.stdout, sys.stderr, *self._old_streams)
        if silent:
            logging.getLogger().handlers[:] = [logging.NullHandler()]
            for module, hook in _HOOKS:
                setattr(module, hook, _say_nothing)
            faulthandler.disable()
        else:
            for undo in reversed(self._undo):
                undo()
        self._undo.clear()
        for channel in self._channels:
            channel.restore(silent=silent)
        self._end_reader()
        self._old_streams.clear()

    def _end_reader(self) -> None:
        if self._reader is not None:
            self._reader.stop()
        self._channels, self._reader = [], None

    def _replace_streams(self) -> None:
        """Python's own streams, whatever they were, write to the captured descriptors."""
        for name, number in (("stdout", 1), ("stderr", 2)):
            old: TextIO = getattr(sys, name)
            self._old_streams.append(old)
            raw = io.FileIO(number, "w", closefd=False)
            setattr(sys, name, io.TextIOWrapper(
                io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True,
            ))
            self._undo.append(lambda name=name, old=old: setattr(sys, name, old))  # type: ignore[misc]

    def _replace_logging(self, sink: Sink) -> None:
        root = logging.getLogger()
        handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
        handler = MaskingHandler(self.masker, sink)
        root.handlers[:] = [handler]
        root.setLevel(self._level)
        logging.raiseExceptions = False
        logging.captureWarnings(True)

        def undo() -> None:
            root.handlers[:] = handlers
            root.setLevel(level)
            logging.raiseExceptions = raising
            logging.captureWarnings(False)

        self._undo.append(undo)

    def _replace_hooks(self, sink: Sink) -> None:
        old = sys.excepthook, threading.excepthook, sys.unraisablehook

        def tell(source: str, error: BaseException | None) -> None:
            if error is not None and not isinstance(error, SystemExit):
                text = describe_exception(self.masker, error)
                sink(source, "error", text, current_node.get())

        def uncaught(
            _kind: type[BaseException], error: BaseException, _where: TracebackType | None
        ) -> None:
            tell("python", error)

        sys.excepthook = uncaught
        threading.excepthook = lambda args: tell("thread", args.exc_value)
        sys.unraisablehook = lambda args: tell("python", args.exc_value)

        def undo() -> None:
            sys.excepthook, threading.excepthook, sys.unraisablehook = old

        self._undo.append(undo)
        # It writes names of functions and files only, and it writes when this process dies: what
        # it put into the pipe, nobody would read any more. So it goes where stderr went before.
        was_on = faulthandler.is_enabled()
        faulthandler.enable(file=self._channels[1].saved, all_threads=True)
        self._undo.append(
            (lambda: faulthandler.enable(file=2)) if was_on else faulthandler.disable
        )


_HOOKS = ((sys, "excepthook"), (threading, "excepthook"), (sys, "unraisablehook"))


def _say_nothing(*_: object) -> None: ...


def _flush(*streams: TextIO) -> None:
    for stream in streams:
        with contextlib.suppress(Exception):
            stream.flush()
