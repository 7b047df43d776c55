"""People, roles and who may give what to whom."""

from __future__ import annotations

import pytest

from app.accounts import bootstrap
from app.accounts import service as accounts
from app.accounts.actor import Actor
from app.accounts.scopes import ALL_SCOPES, ROLE_SCOPES, Role, Scope
from app.errors import Conflict, Denied, Invalid, NotFound
from app.ids import utcnow
from tests.support.installation import PASSWORD, Installation


def _actor_of(installation: Installation, user_id: str, environment_id: str | None = None) -> Actor:
    where = environment_id or installation.environment_id
    with installation.services.db.read() as session:
        scopes = accounts.scopes_of(session, user_id, where)
    return Actor(
        kind="session", name="someone", environment_id=where, scopes=scopes, user_id=user_id,
        authenticated_at=utcnow(),
    )


def test_an_address_is_found_in_any_spelling_and_taken_once(installation: Installation) -> None:
    user_id, email = installation.person(email="  Ada@Example.COM ")
    assert email == "ada@example.com"
    with installation.services.db.begin() as session:
        found = accounts.find_user_by_email(session, "ADA@example.com")
        assert found is not None
        assert found.id == user_id
        with pytest.raises(Conflict) as caught:
            accounts.create_user(
                session, installation.operator(), email="ada@EXAMPLE.com", password=PASSWORD
            )
    assert caught.value.code == "email_taken"


@pytest.mark.parametrize("email", ["", "ada", "ada@", "@example.com", "a b@example.com",
                                   "a@b@c", "ada@example.com\u202e", "x" * 250 + "@e.com"])
def test_what_is_no_address_is_refused(installation: Installation, email: str) -> None:
    with pytest.raises(Invalid) as caught:
        installation.person(email=email or " ")
    assert caught.value.code == "email_invalid"


def test_roles_hold_where_they_were_granted(installation: Installation) -> None:
    staging = installation.environment("staging")
    user_id, _ = installation.person(Role.VIEWER, environment_id=staging)
    with installation.services.db.read() as session:
        assert accounts.scopes_of(session, user_id, staging) == ROLE_SCOPES[Role.VIEWER]
        assert accounts.scopes_of(session, user_id, installation.environment_id) == frozenset()


def test_a_grant_for_the_installation_holds_everywhere(installation: Installation) -> None:
    staging = installation.environment("staging")
    user_id, _ = installation.person(Role.ADMIN)
    with installation.services.db.read() as session:
        assert accounts.scopes_of(session, user_id, staging) == ALL_SCOPES


def test_a_disabled_person_may_nothing(installation: Installation) -> None:
    installation.person(Role.ADMIN)  # the last one can't be disabled
    user_id, _ = installation.person(Role.ADMIN)
    with installation.services.db.begin() as session:
        accounts.set_disabled(session, installation.operator(), user_id, True)
    with installation.services.db.begin() as session:
        assert accounts.scopes_of(session, user_id, installation.environment_id) == frozenset()
        accounts.set_disabled(session, installation.operator(), user_id, False)
    with installation.services.db.read() as session:
        assert accounts.scopes_of(session, user_id, installation.environment_id) == ALL_SCOPES


def test_nobody_grants_what_they_lack(installation: Installation) -> None:
    here = installation.environment_id
    staging = installation.environment("staging")
    boss, _ = installation.person(Role.ADMIN, environment_id=here)
    other, _ = installation.person(None)
    actor = _actor_of(installation, boss)
    with installation.services.db.begin() as session:
        accounts.grant_role(session, actor, user_id=other, role="admin", environment_id=here)
    for environment_id in (staging, None):
        with installation.services.db.begin() as session, pytest.raises(Denied) as caught:
            accounts.grant_role(
                session, actor, user_id=other, role="viewer", environment_id=environment_id
            )
        assert caught.value.code == "grant_exceeds_own"


def test_a_viewer_grants_nothing(installation: Installation) -> None:
    viewer, _ = installation.person(Role.VIEWER)
    with installation.services.db.begin() as session, pytest.raises(Denied) as caught:
        accounts.grant_role(
            session, _actor_of(installation, viewer), user_id=viewer, role="admin",
            environment_id=None,
        )
    assert caught.value.code == "scope_missing"


def test_an_unknown_environment_takes_no_grant(installation: Installation) -> None:
    user_id, _ = installation.person(None)
    with installation.services.db.begin() as session, pytest.raises(NotFound):
        accounts.grant_role(
            session, installation.operator(), user_id=user_id, role="viewer",
            environment_id="nowhere",
        )


def test_the_first_administrator_by_link(installation: Installation) -> None:
    db = installation.services.db
    with db.begin() as session:
        old = bootstrap.make_setup_link(session)
        token = bootstrap.make_setup_link(session)
    with db.begin() as session:
        # Making a link ends the one before.
        with pytest.raises(NotFound):
            bootstrap.check_setup_link(session, old)
        with pytest.raises(NotFound):
            bootstrap.check_setup_link(session, "x" * 43)
        bootstrap.check_setup_link(session, token)
    with db.begin() as session, pytest.raises(Invalid):
        bootstrap.redeem_setup_link(session, token, "ada@example.com", "short")
    with db.begin() as session:
        user = bootstrap.redeem_setup_link(session, token, "ada@example.com", PASSWORD)
        assert accounts.scopes_of(session, user.id, installation.environment_id) == ALL_SCOPES
    with db.begin() as session:
        with pytest.raises(NotFound):
            bootstrap.redeem_setup_link(session, token, "eve@example.com", PASSWORD)
        with pytest.raises(Conflict):
            bootstrap.make_setup_link(session)
        assert bootstrap.ensure_first_admin(session, "eve@example.com", PASSWORD) is None
        assert accounts.find_user_by_email(session, "eve@example.com") is None


def test_current_scopes_follow_person_and_token(installation: Installation) -> None:
    here = installation.environment_id
    user_id, _ = installation.person(Role.OPERATOR)
    with installation.services.db.begin() as session:
        row, _text = accounts.create_token(
            session, installation.operator(), user=accounts.get_user(session, user_id),
            name="ci", scopes=[Scope.SECRETS_USE], environment_id=here,
        )
        token_id = row.id
        assert accounts.current_scopes(session, user_id, here) == ROLE_SCOPES[Role.OPERATOR]
        assert accounts.current_scopes(session, user_id, here, token_id) == {Scope.SECRETS_USE}
        assert accounts.current_scopes(session, user_id, here, "gone") == frozenset()
        accounts.revoke_token(session, installation.operator(), token_id)
        assert accounts.current_scopes(session, user_id, here, token_id) == frozenset()
