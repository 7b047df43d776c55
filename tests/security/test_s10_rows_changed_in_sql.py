"""Statement 10 of SECURITY.md: rows that decide who gets what, edited or inserted in SQL, are
refused when they are read; an old row put back whole is named by ``tacit audit verify``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from app.accounts import service as accounts
from app.accounts.models import RoleGrant
from app.accounts.scopes import Role
from app.config import Config
from app.ids import new_id
from app.keys.sealed import Tampered
from app.runs.enrolment import revoke_key, revoke_worker
from app.vault import service as secrets
from tests.support.database import Raw, raw_database
from tests.support.installation import canary
from tests.support.runs import HeldRun, SigningWorker, Workshop, fetching
from tests.support.vaults import Installed
from tests.support.verified import verify


def sql(workshop: Workshop) -> AbstractContextManager[Raw]:
    """Open the database as any program could."""
    return raw_database(workshop.installation.config)


@contextmanager
def edited(workshop: Workshop, table: str, where: str, **columns: object) -> Iterator[None]:
    """Edit the columns of one row in SQL for a while."""
    names = list(columns)
    with sql(workshop) as connection:
        before = connection.execute(
            f"select {', '.join(names)} from {table} where {where}"
        ).fetchall()
        assert len(before) == 1, before
        assert dict(zip(names, before[0], strict=True)) != columns
    change = f"update {table} set {', '.join(f'{name} = ?' for name in names)} where {where}"
    with sql(workshop) as connection:
        connection.execute(change, list(columns.values()))
    try:
        yield
    finally:
        with sql(workshop) as connection:
            connection.execute(change, before[0])


@dataclass
class Answered:
    """A place where a row is read: the answer of a listener."""

    ask: Callable[[], Any]
    value: str

    def refuses(self) -> None:
        """Check that the answer is the refusal of a row that was changed."""
        answer = self.ask()
        assert (answer.status_code, answer.json["code"]) == (503, "row_tampered"), answer.json
        assert self.value not in answer.get_data(as_text=True)

    def hands_out(self) -> None:
        """Check that it is answered as ever."""
        assert self.ask().json["value"] == self.value


@pytest.fixture
def fetched(workshop: Workshop) -> tuple[HeldRun, Answered]:
    """A run with a grant, asking for its value."""
    value = canary()
    secret = workshop.secret(canary())
    workshop.rotate(secret.id, value)
    held = workshop.claimed(secret)
    return held, Answered(lambda: workshop.runtime.value(held), value)


def test_s10_active_version_set_back(workshop: Workshop) -> None:
    value = canary()
    secret = workshop.secret(canary())
    workshop.rotate(secret.id, value)
    api = workshop.installation.api(workshop.installation.token(user_id=workshop.user_id))
    read = Answered(lambda: api.get(f"/secrets/{secret.id}"), value)
    run = workshop.run(workshop.flow(fetching(secret.name)))
    with edited(workshop, "secrets", f"id = '{secret.id}'", active_version=1):
        read.refuses()
        # Nor does a run get it: the check before the run doesn't know what to take.
        plan = workshop.runtime.claim(workshop.worker, run.id).plan
        assert plan["state"] == "rejected"
    read.hands_out()


@pytest.mark.parametrize(
    "columns",
    [{"allowed_hosts": '["evil.example.com"]'}, {"allowed_flows": '["x"]'}, {"revision": 1},
     {"name": "other"}, {"state": "deleted"}],
    ids=lambda columns: next(iter(columns)),
)
def test_s10_rules_and_state_of_a_secret(
    workshop: Workshop, fetched: tuple[HeldRun, Answered], columns: dict[str, object]
) -> None:
    held, asked = fetched
    secret_id = held.plan["grants"][0]["secret_id"]
    with edited(workshop, "secrets", f"id = '{secret_id}'", **columns):
        asked.refuses()
    asked.hands_out()


def test_s10_a_state_set_back(workshop: Workshop, fetched: tuple[HeldRun, Answered]) -> None:
    held, asked = fetched
    secret_id = held.plan["grants"][0]["secret_id"]
    with workshop.installation.services.db.begin() as session:
        secrets.disable_version(session, workshop.actor(), secret_id, 2)
    where = f"secret_id = '{secret_id}' and number = 2"
    with edited(workshop, "secret_versions", where, state="enabled"):
        asked.refuses()
    with edited(workshop, "secrets", f"id = '{secret_id}'", state="purged"):
        asked.refuses()


def test_s10_grants(workshop: Workshop, fetched: tuple[HeldRun, Answered]) -> None:
    held, asked = fetched
    other = workshop.secret(canary())
    with edited(
        workshop, "grants", f"run_id = '{held.id}'", secret_id=other.id, version=1
    ):
        grant = {**held.plan["grants"][0], "secret_id": other.id, "version": 1}
        answer = workshop.runtime.value(held, held.value_token(grant), grant)
        assert (answer.status_code, answer.json["code"]) == (503, "row_tampered")
    with edited(workshop, "grants", f"run_id = '{held.id}'", version=1):
        # Asked for what the grant said before, there is none.
        assert asked.ask().json["code"] in ("grant_missing", "row_tampered")
    asked.hands_out()


def test_s10_an_inserted_grant(workshop: Workshop, fetched: tuple[HeldRun, Answered]) -> None:
    """Copied from a true one, its MAC with it, for another node or secret."""
    held, asked = fetched
    other = workshop.secret(canary())
    with sql(workshop) as connection:
        connection.execute(
            "insert into grants (run_id, claim, node, secret_id, version, environment_id, "
            "created_at, mac_key_id, row_mac) select run_id, claim, 'log', ?, 1, environment_id, "
            "created_at, mac_key_id, row_mac from grants where run_id = ?", (other.id, held.id),
        )
    grant = {**held.plan["grants"][0], "node": "log", "secret_id": other.id, "version": 1}
    answer = workshop.runtime.value(held, held.value_token(grant), grant)
    assert (answer.status_code, answer.json["code"]) == (503, "row_tampered")
    asked.hands_out()


def test_s10_worker_keys(workshop: Workshop, fetched: tuple[HeldRun, Answered]) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    worker = SigningWorker.enrol(workshop.installation, f"w-{new_id()}")
    stranger = Ed25519PrivateKey.generate()
    public = stranger.public_key().public_bytes_raw()
    impostor = SigningWorker(worker.id, worker.key_id, worker.name, stranger)
    where = f"id = '{worker.key_id}'"
    with edited(workshop, "worker_keys", where, public_key=public):
        answer = workshop.runtime.post("/workers/heartbeat", impostor.token(), {"version": "1"})
        assert (answer.status_code, answer.json["code"]) == (503, "row_tampered")
    # A key of the thief's own, beside the worker's.
    planted = SigningWorker(worker.id, new_id(), worker.name, stranger)
    with sql(workshop) as connection:
        connection.execute(
            "insert into worker_keys (id, worker_id, public_key, revoked_at, created_at, "
            "mac_key_id, row_mac) select ?, worker_id, ?, revoked_at, created_at, mac_key_id, "
            "row_mac from worker_keys where id = ?", (planted.key_id, public, worker.key_id),
        )
    answer = workshop.runtime.post("/workers/heartbeat", planted.token(), {"version": "1"})
    assert (answer.status_code, answer.json["code"]) == (503, "row_tampered")
    with workshop.installation.services.db.begin() as session:
        session.connection().exec_driver_sql(
            f"delete from worker_keys where id = '{planted.key_id}'"
        )
        revoke_worker(session, workshop.actor(), worker.id)
    with edited(workshop, "worker_keys", where, revoked_at=None):
        answer = workshop.runtime.post("/workers/heartbeat", worker.token(), {"version": "1"})
        assert (answer.status_code, answer.json["code"]) == (503, "row_tampered")

    held, asked = fetched
    with edited(workshop, "run_claims", f"run_id = '{held.id}'", public_key=public):
        asked.refuses()
    asked.hands_out()


@pytest.mark.parametrize(
    ("table", "columns"),
    [("role_grants", {"role": "admin"}), ("role_grants", {"environment_id": None}),
     ("api_tokens", {"scopes": '["secrets:read", "secrets:read:value"]'}),
     ("api_tokens", {"expires_at": "2999-01-01 00:00:00.000000"}),
     ("users", {"password_hash": "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA"})],
    ids=["role", "everywhere", "scopes", "expiry", "password"],
)
def test_s10_role_grants_and_tokens(
    workshop: Workshop, table: str, columns: dict[str, object]
) -> None:
    installation = workshop.installation
    person, _ = installation.person(Role.VIEWER, environment_id=installation.environment_id)
    api = installation.api(installation.token("secrets:read", user_id=person))
    assert api.get("/secrets").status_code == 200
    where = f"{'id' if table == 'users' else 'user_id'} = '{person}'"
    with edited(workshop, table, where, **columns):
        answer = api.get("/secrets")
        assert (answer.status_code, answer.json["code"]) == (503, "row_tampered"), answer.json
    assert api.get("/secrets").status_code == 200


def test_s10_an_inserted_role_grant_and_token(workshop: Workshop) -> None:
    installation = workshop.installation
    admin, _ = installation.person(Role.ADMIN)
    thief, _ = installation.person(Role.VIEWER, environment_id=installation.environment_id)
    text = installation.token("secrets:read", user_id=thief)
    api = installation.api(text)
    with sql(workshop) as connection:
        connection.execute(
            "insert into role_grants (id, user_id, environment_id, role, granted_by, created_at, "
            "mac_key_id, row_mac) select ?, ?, environment_id, role, granted_by, created_at, "
            "mac_key_id, row_mac from role_grants where user_id = ?", (new_id(), thief, admin),
        )
    answer = api.get("/secrets")
    assert (answer.status_code, answer.json["code"]) == (503, "row_tampered")

    from app.accounts.tokens import digest, new_api_token

    planted = new_api_token()
    with sql(workshop) as connection:
        connection.execute(
            "insert into api_tokens (id, user_id, environment_id, name, token_hash, scopes, "
            "created_at, expires_at, revoked_at, mac_key_id, row_mac) select ?, ?, "
            "environment_id, name, ?, scopes, created_at, expires_at, revoked_at, mac_key_id, "
            "row_mac from api_tokens where user_id = ?",
            (new_id(), admin, digest(planted), thief),
        )
    answer = installation.api(planted).get("/secrets")
    assert (answer.status_code, answer.json["code"]) == (503, "row_tampered")


# -- old rows put back whole -----------------------------------------------------------------


def copies(config: Config, table: str, where: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return a row as it stands, MAC and all."""
    with raw_database(config) as connection:
        cursor = connection.execute(f"select * from {table} where {where}")
        return [column[0] for column in cursor.description], cursor.fetchall()


@dataclass
class Past:
    """An installation and rows of its past."""

    installed: Installed

    def replay(self, table: str, where: str, then: Callable[[], object]) -> str:
        """Copy rows, do something, put the rows back; returns what ``tacit audit verify`` says."""
        names, rows = copies(self.installed.config, table, where)
        assert len(rows) == 1
        then()
        _, newer = copies(self.installed.config, table, where)
        assert verify(self.installed) == (0, ANY)
        self._put(table, where, names, rows)
        code, said = verify(self.installed)
        self._put(table, where, names, newer)
        assert (code, "replayed" in said) == (1, True), said
        return said

    def _put(
        self, table: str, where: str, names: list[str], rows: list[tuple[Any, ...]]
    ) -> None:
        with raw_database(self.installed.config) as connection:
            connection.hold_references()
            connection.execute(f"delete from {table} where {where}")
            marks = ", ".join("?" * len(names))
            columns = ", ".join(f'"{name}"' for name in names)
            for row in rows:
                connection.execute(f"insert into {table} ({columns}) values ({marks})", row)


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    """A fresh installation."""
    installed = Installed.make(tmp_path / "home")
    yield Past(installed)
    installed.services.close()


def test_s10_an_old_secret_or_version_put_back(past: Past) -> None:
    installed, actor = past.installed, past.installed.actor
    db = installed.services.db
    (one,), (two,), (three,) = (installed.store() for _ in range(3))
    said = past.replay("secrets", f"id = '{one}'", lambda: installed.replace(one))
    assert one in said

    installed.replace(two)

    def destroy() -> None:
        with db.begin() as session:
            secrets.destroy_version(session, actor, two, 1)

    said = past.replay("secret_versions", f"secret_id = '{two}' and number = 1", destroy)
    assert f"Version 1 of secret {two}" in said

    def purge() -> None:
        with db.begin() as session:
            secrets.delete_secret(session, actor, three)
        from app.vault.purge import purge_secret

        with db.begin() as session:
            purge_secret(session, actor, three)

    said = past.replay("secrets", f"id = '{three}'", purge)
    assert f"({three}) was purged" in said


def test_s10_old_tokens_roles_and_people_put_back(past: Past) -> None:
    installed, actor = past.installed, past.installed.actor
    db = installed.services.db
    password = "correct horse battery"
    with db.begin() as session:
        for name in ("boss", "other"):
            accounts.create_user(
                session, actor, email=f"{name}@example.com", password=password, role=Role.ADMIN
            )
        user = accounts.find_user_by_email(session, "other@example.com")
        assert user is not None
        token, _ = accounts.create_token(
            session, actor, user=user, name="t", scopes=("secrets:read",),
            environment_id=actor.environment_id,
        )
        grant = session.query(RoleGrant).filter_by(user_id=user.id).one()
        user_id, token_id, grant_id = user.id, token.id, grant.id

    def in_session(do: Callable[[Any], object]) -> Callable[[], None]:
        def run() -> None:
            with db.begin() as session:
                do(session)

        return run

    said = past.replay(
        "api_tokens", f"id = '{token_id}'",
        in_session(lambda session: accounts.revoke_token(session, actor, token_id)),
    )
    assert f"API token {token_id}" in said
    past.replay(
        "users", f"id = '{user_id}'",
        in_session(lambda session: accounts.set_disabled(session, actor, user_id, True)),
    )
    with db.begin() as session:
        accounts.set_disabled(session, actor, user_id, False)
    said = past.replay(
        "role_grants", f"id = '{grant_id}'",
        in_session(lambda session: accounts.revoke_role(session, actor, grant_id=grant_id)),
    )
    assert f"Person {user_id} holds the role admin" in said


def test_s10_old_workers_and_keys_put_back(past: Past) -> None:
    from app.runs.workers import enroll_local

    installed, actor = past.installed, past.installed.actor
    db = installed.services.db
    with db.begin() as session:
        one, two = enroll_local(session, "one"), enroll_local(session, "two")

    def revoke_one_key() -> None:
        with db.begin() as session:
            revoke_key(session, actor, one["key_id"])

    said = past.replay("worker_keys", f"id = '{one['key_id']}'", revoke_one_key)
    assert f"Worker key {one['key_id']}" in said

    def revoke() -> None:
        with db.begin() as session:
            revoke_worker(session, actor, two["worker_id"])

    said = past.replay("workers", f"id = '{two['worker_id']}'", revoke)
    assert "Worker two is alive" in said


def test_s10_a_row_that_was_edited_stops_verification_too(past: Past) -> None:
    (one,) = past.installed.store()
    with raw_database(past.installed.config) as raw:
        raw.execute("update secrets set active_version = 7 where id = ?", (one,))
    with pytest.raises(Tampered):
        past.installed.read(one)
