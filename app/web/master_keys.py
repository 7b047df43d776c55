"""The master keys, to look at: what wraps which share of the values. Changed by command only."""

from __future__ import annotations

from flask import render_template

from app.http.services import services
from app.vault import rotation
from app.web.pages import pages
from app.web.work import work


@pages.get("/settings/keys")
def master_keys() -> str:
    """Show the master keys and how many values each wraps."""
    with work(read=True) as (session, actor):
        keks = rotation.list_keks(session, actor)
    return render_template(
        "settings/keys.html", keks=keks[::-1], total=sum(kek.blobs for kek in keks),
        active=next((kek for kek in keks if kek.state == "active"), None),
        opened=services().vault is not None,
    )
