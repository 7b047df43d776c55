"""What is done to a secret and its versions, from rotating to restoring."""

from __future__ import annotations

from flask import Response as FlaskResponse
from flask import flash, render_template, request, url_for
from werkzeug.wrappers import Response

from app.errors import Conflict, Invalid, Locked, NotFound, Stale
from app.vault import purge, service
from app.vault.service import SecretView
from app.vault.writing import DEFAULT_RECOVERY_DAYS
from app.web.forms import FieldError, errors_of
from app.web.hx import go, wants_partial
from app.web.pages import pages
from app.web.secret_page import Moment, Undo, show, show_whole
from app.web.stale import revision_of, stale_form
from app.web.work import vault, work

Answer = Response | FlaskResponse | tuple[str, int]

_DEEDS = {
    "activate": service.activate_version,
    "disable": service.disable_version,
    "enable": service.enable_version,
}
_DONE = {
    "activate": "Version {number} is active. The next runs take it.",
    "disable": "Version {number} is disabled. Its value is denied at once.",
    "enable": "Version {number} is enabled.",
}


@pages.post("/secrets/<secret_id>/rotate")
def rotate_secret(secret_id: str) -> Answer:
    """Seal a new value as the next version and activate it."""
    form = request.form
    try:
        with work() as (session, actor):
            changed = service.rotate_secret(
                session, actor, vault(), secret_id,
                value=form.get("value", "").replace("\r\n", "\n"),
                allow_weak=form.get("allow_weak") == "1",
                if_match=revision_of(form.get("revision")),
            )
    except (Invalid, Conflict) as error:
        errors = errors_of(error, "value")
        if isinstance(error, Stale):
            # The value stays in the browser's field; the form now carries the new revision.
            errors[""] = FieldError(f"{error.detail} Rotating again keeps both.", error.code)
        if not wants_partial():
            return show(secret_id, Moment(errors=errors)), error.status
        with work() as (session, actor):
            found = service.get_secret(session, actor, secret_id)
        return render_template(
            "secrets/_rotate_form.html", secret=found, errors=errors
        ), error.status
    flash(f"Rotated {changed.name}: v{changed.active_version} is active.")
    return go(url_for("pages.secret", secret_id=secret_id))


@pages.post("/secrets/<secret_id>/versions/<int:number>/<deed>")
def change_version(secret_id: str, number: int, deed: str) -> Answer:
    """Activate, disable or enable a version."""
    if deed not in _DEEDS:
        raise NotFound("page_not_found", "There is no such page.")
    try:
        with work() as (session, actor):
            before = service.get_secret(session, actor, secret_id)
            changed = _DEEDS[deed](
                session, actor, secret_id, number,
                if_match=revision_of(request.form.get("revision")),
            )
    except (Conflict, Locked) as error:
        return _refused(secret_id, error, f"{deed.capitalize()} v{number} all the same")
    done = _DONE[deed].format(number=number)
    if not wants_partial():
        flash(done)
        return go(url_for("pages.secret", secret_id=secret_id))
    return show_whole(secret_id, Moment(undo=_undo(deed, number, before, changed, done)))


@pages.post("/secrets/<secret_id>/versions/<int:number>/destroy")
def destroy_version(secret_id: str, number: int) -> Answer:
    """Destroy a version for good, after the secret's name was typed."""
    try:
        with work() as (session, actor):
            name = service.get_secret(session, actor, secret_id).name
            _confirm(name, f"destroy version {number}")
            service.destroy_version(
                session, actor, secret_id, number,
                if_match=revision_of(request.form.get("revision")),
            )
    except (Conflict, Locked) as error:
        return _refused(secret_id, error, f"Destroy v{number} all the same")
    except Invalid as error:
        moment = Moment(errors=errors_of(error, "confirm"), opened=f"destroy-{number}")
        return show_whole(secret_id, moment, error.status)
    flash(f"Version {number} of {name} is destroyed. Nothing of its value is left.")
    if wants_partial():
        return show_whole(secret_id, Moment())
    return go(url_for("pages.secret", secret_id=secret_id))


@pages.post("/secrets/<secret_id>/delete")
def delete_secret(secret_id: str) -> Answer:
    """Delete a secret whose name was typed to confirm."""
    form = request.form
    try:
        with work() as (session, actor):
            name = service.get_secret(session, actor, secret_id).name
            _confirm(name, "delete it")
            days = form.get("recovery_days", str(DEFAULT_RECOVERY_DAYS))
            service.delete_secret(
                session, actor, secret_id, if_match=revision_of(form.get("revision")),
                recovery_days=int(days) if days.isascii() and days.isdigit() and len(days) < 4
                else 0,
            )
    except Stale as error:
        return _refused(secret_id, error, "Delete it all the same")
    except (Invalid, Conflict) as error:
        moment = Moment(delete_errors=errors_of(error, "confirm", "recovery_days"))
        return show_whole(secret_id, moment, error.status)
    flash(f"Deleted {name}. Under Deleted it can be restored; its name stays reserved.")
    return go(url_for("pages.secrets"))


@pages.post("/secrets/<secret_id>/restore")
def restore_secret(secret_id: str) -> Response:
    """Bring a deleted secret back."""
    with work() as (session, actor):
        found = service.restore_secret(session, actor, secret_id)
    flash(f"Restored {found.name}. Flows that name it can use it again.")
    return go(url_for("pages.secret", secret_id=secret_id))


@pages.post("/secrets/<secret_id>/purge")
def purge_secret(secret_id: str) -> Response:
    """Purge a deleted secret before its time, after its name was typed."""
    deleted = url_for("pages.secrets", show="deleted")
    try:
        with work() as (session, actor):
            name = service.get_secret(session, actor, secret_id, deleted=True).name
            _confirm(name, "purge it")
            purge.purge_secret(session, actor, secret_id)
    except (Invalid, Conflict, Locked) as error:
        flash(error.detail, "error")
        return go(deleted)
    flash(f"Purged {name}. Nothing of its values is left, and its name is free.")
    return go(deleted)


def _confirm(name: str, deed: str) -> None:
    if request.form.get("confirm", "") != name:
        raise Invalid(
            "confirmation_differs", f"Type {name} exactly to {deed}.", field="confirm"
        )


def _refused(secret_id: str, error: Conflict | Locked, again: str) -> Answer:
    """Say at the top why it was not done; what came too late can be sent again."""
    moment = (
        Moment(stale=stale_form(error, again))
        if isinstance(error, Stale)
        else Moment(refused=FieldError(error.detail, error.code))
    )
    return show_whole(secret_id, moment, error.status)


def _undo(deed: str, number: int, before: SecretView, changed: SecretView, done: str) -> Undo:
    back = {
        "activate": ("activate", before.active_version, f"Activate v{before.active_version} again"),
        "disable": ("enable", number, "Undo"),
        "enable": ("disable", number, "Undo"),
    }[deed]
    href = url_for(
        "pages.change_version", secret_id=changed.id, number=back[1], deed=back[0]
    )
    return Undo(done, back[2], href, changed.revision)
