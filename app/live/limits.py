"""How long, how often, how many: everything about live streams that is a number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers; times in seconds.

    :param recheck: how often a stream's credential and rights are checked anew.
    :param heartbeat: the silence after which a comment is sent, so that nobody in between hangs up.
    :param poll: how often a run is looked at without any notice, so that a lost one hangs no page.
    :param settle: the pause after a look, which gathers events that come close together.
    :param send: how long one write may take before the viewer counts as gone.
    :param held_bytes: what may wait for one viewer before it is cut.
    :param piece: bytes after which a write is made, however many events wait.
    :param page: most events read at once.
    """

    recheck: float = 15.0
    heartbeat: float = 10.0
    poll: float = 2.0
    settle: float = 0.02
    send: float = 10.0
    held_bytes: int = 1024 * 1024
    piece: int = 64 * 1024
    page: int = 500
    streams_of_a_person: int = 32
    streams: int = 1000
    threads: int = 4
