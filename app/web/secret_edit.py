"""Changing what is said of a secret and its use rules; each card turns into its form."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, render_template, request, url_for

from app.errors import Conflict, Invalid, Stale
from app.vault import service
from app.vault.service import SecretChange
from app.web.forms import errors_of, split_tags
from app.web.hx import go, wants_partial
from app.web.pages import pages
from app.web.secret_page import (
    Card,
    Moment,
    rules_of,
    show_card,
    show_whole,
    view_usage,
)
from app.web.stale import revision_of, stale_form
from app.web.work import work

_DETAILS = ("name", "description", "tags", "owner", "rotation_period_days")
_RULES = ("allowed_hosts", "allowed_flows")

Answer = str | Response | tuple[str, int]


@pages.get("/secrets/<secret_id>/details")
def edit_secret(secret_id: str) -> Answer:
    """Show the form of the description; with ``cancel``, the card as it was."""
    return _card(secret_id, "details")


@pages.post("/secrets/<secret_id>/details")
def describe_secret(secret_id: str) -> Answer:
    """Change name, description, tags, owner and rotation period."""
    form = request.form
    try:
        change = SecretChange(
            name=form.get("name", "").strip(),
            description=form.get("description", ""),
            tags=split_tags(form.get("tags", "")),
            owner=form.get("owner", "").strip(),
            rotation_period_days=_days(form.get("rotation_period_days", "")),
        )
        return _change(secret_id, change, "The details are saved.")
    except Stale as error:
        moment = Moment(stale=stale_form(error, "Save mine over it"))
        return show_whole(secret_id, moment, error.status)
    except (Invalid, Conflict) as error:
        moment = Moment("details", form=form, errors=errors_of(error, *_DETAILS))
        return show_card(secret_id, "details", moment), error.status


@pages.get("/secrets/<secret_id>/rules")
def edit_rules(secret_id: str) -> Answer:
    """Show the form of the use rules; with ``cancel``, the card as it was."""
    return _card(secret_id, "rules")


@pages.post("/secrets/<secret_id>/rules")
def change_rules(secret_id: str) -> Answer:
    """Change which flows may use the secret and which hosts it may go to."""
    form = request.form
    try:
        change = SecretChange(allowed_hosts=_hosts(form), allowed_flows=_flows(form))
        return _change(secret_id, change, "The use rules are saved. The next runs follow them.")
    except Stale as error:
        moment = Moment(stale=stale_form(error, "Save mine over it"))
        return show_whole(secret_id, moment, error.status)
    except (Invalid, Conflict) as error:
        moment = Moment("rules", form=form, errors=errors_of(error, *_RULES))
        return show_card(secret_id, "rules", moment), error.status


@pages.post("/secrets/<secret_id>/rules/effect")
def effect_of_rules(secret_id: str) -> str:
    """Say what the rules in the form would stop today; changes nothing."""
    form = request.form
    with work(read=True) as (session, actor):
        usage = view_usage(service.usage_of(session, actor, secret_id))
        rules = rules_of(session, actor, _hosts(form), _flows(form), usage)
    return render_template("secrets/_effect.html", rules=rules, usage=usage)


def _card(secret_id: str, card: Card) -> str:
    editing = None if "cancel" in request.args else card
    return show_card(secret_id, card, Moment(editing))


def _change(secret_id: str, change: SecretChange, done: str) -> Response:
    with work() as (session, actor):
        service.describe_secret(
            session, actor, secret_id, change, if_match=revision_of(request.form.get("revision"))
        )
    flash(done)
    if wants_partial():
        return show_whole(secret_id, Moment())
    return go(url_for("pages.secret", secret_id=secret_id))  # type: ignore[return-value]


def _days(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise Invalid(
            "rotation_period_invalid",
            "Write the rotation period as a number of days, or leave it empty.",
            field="rotation_period_days",
        )
    return int(text)


def _hosts(form: Any) -> list[str] | None:
    if form.get("hosts_rule") != "only":
        return None
    text = form.get("allowed_hosts", "").replace(",", "\n")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _flows(form: Any) -> list[str] | None:
    return list(form.getlist("allowed_flows")) if form.get("flows_rule") == "only" else None
