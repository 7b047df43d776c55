"""API tokens against the database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, update

from app.accounts import service as accounts
from app.accounts.actor import Actor
from app.accounts.models import ApiToken
from app.accounts.scopes import ROLE_SCOPES, Role, Scope
from app.accounts.tokens import new_api_token
from app.errors import Denied, Invalid, NotFound, Unauthenticated
from app.ids import utcnow
from tests.support.database import dump_rows
from tests.support.installation import Installation


def _actor(installation: Installation, text: str) -> Actor:
    with installation.services.db.read() as session:
        return accounts.actor_for_token(session, text)


def test_a_token_stands_for_its_owner_in_one_environment(installation: Installation) -> None:
    user_id, email = installation.person(Role.OPERATOR)
    actor = _actor(installation, installation.token("flows:read", user_id=user_id))
    assert actor.kind == "token"
    assert actor.user_id == user_id
    assert actor.name == email
    assert actor.environment_id == installation.environment_id
    assert actor.scopes == {Scope.FLOWS_READ}


def test_the_text_is_nowhere_in_the_database(installation: Installation) -> None:
    text = installation.token("flows:read")
    installation.services.close()
    assert text[4:].encode() not in dump_rows(installation.config)


def test_scopes_are_never_more_than_the_owners_at_the_time_of_use(
    installation: Installation,
) -> None:
    user_id, _ = installation.person(Role.OPERATOR)
    text = installation.token("flows:manage", "secrets:use", user_id=user_id)
    with installation.services.db.begin() as session:
        from sqlalchemy import select

        from app.accounts.models import RoleGrant

        grant = session.scalars(select(RoleGrant).where(RoleGrant.user_id == user_id)).one()
        accounts.grant_role(
            session, installation.operator(), user_id=user_id, role=Role.AUTHOR,
            environment_id=None,
        )
        accounts.revoke_role(session, installation.operator(), grant_id=grant.id)
    assert _actor(installation, text).scopes == {Scope.FLOWS_MANAGE}


def test_no_token_has_a_scope_that_its_owner_lacks(installation: Installation) -> None:
    user_id, _ = installation.person(Role.VIEWER)
    with pytest.raises(Denied) as caught:
        installation.token("secrets:manage", user_id=user_id)
    assert caught.value.code == "grant_exceeds_own"
    assert "secrets:manage" in caught.value.detail


@pytest.mark.parametrize("how", ["revoked", "expired", "disabled", "unknown", "malformed"])
def test_what_no_longer_holds_is_refused_in_the_same_words(
    installation: Installation, how: str
) -> None:
    user_id, _ = installation.person(Role.VIEWER)
    text = installation.token("flows:read", user_id=user_id,
                              expires_at=utcnow() + timedelta(hours=1))
    actor = _actor(installation, text)
    with installation.services.db.begin() as session:
        row = session.get(ApiToken, actor.token_id)
        assert row is not None
        if how == "revoked":
            accounts.revoke_token(session, installation.operator(), row.id)
        elif how == "expired":
            row.expires_at = utcnow() - timedelta(seconds=1)
        elif how == "disabled":
            accounts.set_disabled(session, installation.operator(), user_id, True)
    text = {"unknown": new_api_token(), "malformed": text[:-1] + "~"}.get(how, text)
    with pytest.raises(Unauthenticated) as caught:
        _actor(installation, text)
    assert caught.value.code == "token_invalid"
    assert text not in caught.value.detail


def test_a_row_edited_in_sql_opens_nothing(installation: Installation) -> None:
    user_id, _ = installation.person(Role.ADMIN)
    text = installation.token("flows:read", user_id=user_id)
    with installation.services.db.engine.begin() as connection:
        connection.execute(update(ApiToken).values(scopes=["flows:read", "secrets:read:value"]))
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever way the seal refuses
        _actor(installation, text)
    assert "secrets:read:value" not in str(caught.value)


def test_finding_a_token_is_one_query(installation: Installation) -> None:
    text = installation.token("flows:read")
    statements = []
    engine = installation.services.db.engine

    def note(_c: object, _cur: object, statement: str, *_: object) -> None:
        if statement.lower().startswith("select"):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    _actor(installation, text)
    assert len(statements) == 1


def test_the_last_use_is_written_once_a_minute(installation: Installation) -> None:
    text = installation.token("flows:read")
    api = installation.api(text)
    assert api.get("/me").status_code == 200
    token_id = _actor(installation, text).token_id

    def last_use() -> object:
        with installation.services.db.read() as session:
            row = session.get(ApiToken, token_id)
            assert row is not None
            return row.last_used_at

    first = last_use()
    assert first is not None
    api.get("/me")
    assert last_use() == first


def test_a_token_makes_no_tokens(installation: Installation) -> None:
    user_id, _ = installation.person(Role.ADMIN)
    actor = _actor(installation, installation.token(user_id=user_id))
    with installation.services.db.begin() as session, pytest.raises(Denied) as caught:
        accounts.create_token(
            session, actor, user=accounts.get_user(session, user_id), name="x",
            scopes=["flows:read"], environment_id=installation.environment_id,
        )
    assert caught.value.code == "session_required"


def test_reading_values_needs_a_fresh_password(installation: Installation) -> None:
    user_id, _ = installation.person(Role.ADMIN)
    actor = Actor(
        kind="session", name="ada", environment_id=installation.environment_id,
        scopes=ROLE_SCOPES[Role.ADMIN], user_id=user_id,
        authenticated_at=utcnow() - timedelta(hours=1),
    )

    def make(who: Actor) -> None:
        with installation.services.db.begin() as session:
            accounts.create_token(
                session, who, user=accounts.get_user(session, user_id), name="x",
                scopes=["secrets:read:value"], environment_id=installation.environment_id,
            )

    with pytest.raises(Denied) as caught:
        make(actor)
    assert caught.value.code == "reauthentication_required"
    make(replace(actor, authenticated_at=utcnow()))


def test_what_a_token_needs(installation: Installation) -> None:
    for scopes, more, code in (
        (["everything"], {}, "scope_unknown"),
        (["flows:read"], {"expires_at": utcnow() - timedelta(days=1)}, "expiry_past"),
    ):
        with pytest.raises(Invalid) as caught:
            installation.token(*scopes, **more)
        assert caught.value.code == code


def test_other_peoples_tokens_do_not_exist(installation: Installation) -> None:
    text = installation.token("flows:read")
    token_id = _actor(installation, text).token_id or ""
    viewer, _ = installation.person(Role.VIEWER)
    actor = Actor(
        kind="session", name="eve", environment_id=installation.environment_id,
        scopes=ROLE_SCOPES[Role.VIEWER], user_id=viewer,
    )
    with installation.services.db.begin() as session, pytest.raises(NotFound) as caught:
        accounts.revoke_token(session, actor, token_id)
    assert caught.value.code == "token_not_found"
    with installation.services.db.read() as session:
        assert accounts.list_tokens(session, actor) == []
