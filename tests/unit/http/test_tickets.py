"""Tickets for live streams: ours, fresh, for one run."""

from __future__ import annotations

import time

import pytest

from app.accounts.actor import Actor
from app.errors import Unauthenticated
from app.http.tickets import LIFETIME, read_ticket, write_ticket
from app.ids import new_id
from app.keys.seals import Seals

SEALS = Seals(b"r" * 32, b"a" * 32)
ACTOR = Actor(
    kind="token", name="ünï@example.org", environment_id=new_id(), scopes=frozenset(),
    user_id=new_id(), token_id=new_id(),
)


def test_a_ticket_tells_whose_token_it_was() -> None:
    run = new_id()
    ticket = read_ticket(SEALS, write_ticket(SEALS, ACTOR, run), run)
    assert (ticket.run, ticket.environment, ticket.user, ticket.token, ticket.name) == (
        run, ACTOR.environment_id, ACTOR.user_id, ACTOR.token_id, ACTOR.name,
    )


def test_a_ticket_opens_one_run_with_one_key() -> None:
    run = new_id()
    text = write_ticket(SEALS, ACTOR, run)
    for seals, wanted in ((SEALS, new_id()), (Seals(b"s" * 32, b"a" * 32), run)):
        with pytest.raises(Unauthenticated):
            read_ticket(seals, text, wanted)


def test_a_ticket_is_old_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_id()
    text = write_ticket(SEALS, ACTOR, run)
    later = time.time() + LIFETIME + 1
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(Unauthenticated):
        read_ticket(SEALS, text, run)
    assert read_ticket(SEALS, text, run, opening=False).run == run


def test_no_changed_or_made_up_text_is_a_ticket() -> None:
    run = new_id()
    text = write_ticket(SEALS, ACTOR, run)
    body, key_id, mac = text.split(".")
    changed = [text[:n] + ("A" if text[n] != "A" else "B") + text[n + 1:]
               for n in range(0, len(text) - 1, 7)]
    for wrong in (
        "", ".", "..", "...", "a.b.c", body, f"{body}.{key_id}", f"{body}.{key_id}.",
        f"{body}..{mac}", f"bnVsbA.{key_id}.{mac}", f"W10.{key_id}.{mac}", "ü.ü.ü", *changed,
    ):
        with pytest.raises(Unauthenticated):
            read_ticket(SEALS, wrong, run)
