"""Statement 10 for the rules of an environment: turned off in SQL, they stop what asks for them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest
from alembic import command
from click.testing import CliRunner
from sqlalchemy import Table, select, text, update

from app import migrate
from app.accounts.environments import policies_of, rules_of
from app.accounts.models import Environment, EnvironmentReach
from app.accounts.policies import Policies
from app.accounts.replay import find_replayed_environments
from app.accounts.rules import find_changed_rules
from app.audit.verify import Finding
from app.cli import tacit
from app.cli.prepare import prepare
from app.config import Config
from app.db import build_engine
from app.factory import open_services
from app.keys.sealed import Tampered
from app.runs.reach import reach_of
from tests.support.database import home_variables
from tests.support.installation import Api, canary
from tests.support.runs import Workshop, fetching


@pytest.fixture
def protected(workshop: Workshop) -> Any:
    """Return the workshop's environment, protected and strict; it is open again afterwards."""
    api = _api(workshop)
    here = workshop.installation.environment_id
    strict = {"protected": True, "policies": {"hardcoded_credentials": "refuse"}}
    assert api.call("PATCH", f"/environments/{here}", json=strict).status_code == 200
    yield here
    opened = {"protected": False, "policies": Policies().model_dump()}
    assert api.call("PATCH", f"/environments/{here}", json=opened).status_code == 200


def _api(workshop: Workshop) -> Api:
    return workshop.installation.api(workshop.installation.token(user_id=workshop.user_id))


def _edit(workshop: Workshop, assignment: str, **values: Any) -> None:
    here = {"id": workshop.installation.environment_id}
    with workshop.installation.services.db.begin() as session:
        session.execute(
            text(f"update environments set {assignment} where id = :id"), {**here, **values}
        )


def _code(answer: Any) -> tuple[int, str]:
    return answer.status_code, dict(answer.json or {}).get("code", "")


@pytest.mark.parametrize(
    ("assignment", "values"),
    [("protected = :to", {"to": False}), ("policies = :to", {"to": "{}"}),
     ("policies = :to", {"to": json.dumps({"hardcoded_credentials": "warn"})})],
    ids=["protection", "policies", "one of them"],
)
def test_s10_rules_turned_off_in_sql(
    workshop: Workshop, protected: str, assignment: str, values: dict[str, Any]
) -> None:
    """Neither protection nor policy is what an UPDATE says: nothing that asks for them goes on."""
    api, flow = _api(workshop), workshop.flow(fetching(workshop.secret().name)).id
    assert _code(api.post(f"/flows/{flow}/runs", json={}))[1] == "environment_protected"
    _edit(workshop, assignment, **values)
    assert _code(api.post(f"/flows/{flow}/runs", json={})) == (503, "row_tampered")
    with workshop.installation.services.db.read() as session:
        with pytest.raises(Tampered):
            policies_of(session, protected)
        (finding,) = find_changed_rules(session)
    assert (finding.chain, finding.kind) == (protected, "edited")
    assert "tacit environment protect" in finding.message


def test_s10_what_is_not_set_anew_is_the_strictest(workshop: Workshop, protected: str) -> None:
    """Mending one rule gives the others no way to stay turned off."""
    api = _api(workshop)
    _edit(workshop, "protected = :no, policies = :none", no=False, none="{}")
    # What pages call it has nothing to do with that, and mends nothing.
    assert api.call("PATCH", f"/environments/{protected}", json={"title": "X"}).status_code == 200
    with workshop.installation.services.db.read() as session, pytest.raises(Tampered):
        policies_of(session, protected)
    mended = api.call(
        "PATCH", f"/environments/{protected}", json={"policies": {"value_reading": True}}
    )
    shown = dict(mended.json or {})
    assert shown["protected"] is True
    assert shown["policies"] == {
        "hardcoded_credentials": "refuse", "require_allowed_hosts": True
    }
    with workshop.installation.services.db.read() as session:
        assert list(find_changed_rules(session)) == []
        assert policies_of(session, protected).hardcoded_credentials == "refuse"


def test_s10_the_page_offers_no_rule_of_somebody_else(workshop: Workshop, protected: str) -> None:
    """Saving a page for another reason seals nothing that was put there, and the audit says it."""
    house = workshop.installation
    browser, address = house.signed_in(), "/settings/environments"
    _edit(workshop, "protected = :no, policies = :none", no=False, none="{}")
    shown = browser.send("GET", address).text
    assert "changed outside Tacit" in shown
    for name in ("protected", "hardcoded_credentials", "require_allowed_hosts"):
        assert re.search(f'name="{name}" value="[a-z1]+" checked', shown), name
    assert not re.search('name="value_reading" value="1" checked', shown)
    listed = CliRunner().invoke(
        tacit, ["environment", "list"], env=home_variables(house.config.home)
    )
    assert "changed outside Tacit" in listed.output
    # As it stands there, somebody says so: it is theirs, and in the audit as a change.
    as_it_is = {"title": "X", "value_reading": "1", "csrf_token": browser.csrf_token()}
    assert browser.send("POST", f"{address}/{protected}", data=as_it_is).status_code == 303
    with house.services.db.read() as session:
        assert list(find_changed_rules(session)) == []
    (event, *_) = _api(workshop).get("/audit?action=environment.change").json["items"]
    assert event["data"]["protected"] is False


def test_s10_the_page_mends_a_deleted_row_too(workshop: Workshop, protected: str) -> None:
    """It says “Save to set it anew”."""
    house = workshop.installation
    browser, address = house.signed_in(), "/settings/environments"
    with house.services.db.begin() as session:
        session.execute(
            text("delete from environment_reach where environment_id = :id"), {"id": protected}
        )
    assert "Save to set it anew" in browser.send("GET", address).text
    saved = {"title": "X", "protected": "1", "worker_secrets": "", "allow_private": "1",
             "csrf_token": browser.csrf_token()}
    assert browser.send("POST", f"{address}/{protected}", data=saved).status_code == 303
    with house.services.db.read() as session:
        assert list(find_changed_rules(session)) == []
        assert rules_of(session, protected).protected
        assert reach_of(session, protected).allow_private


def test_s10_old_rules_and_reach_put_back_whole(workshop: Workshop) -> None:
    """With their seals they hold again; the audit knows what was set last."""
    api, here = _api(workshop), workshop.installation.environment_id
    db = workshop.installation.services.db
    tables = [cast(Table, one.__table__) for one in (Environment, EnvironmentReach)]

    def key(table: Table) -> Any:
        return table.primary_key.columns[0] == here

    def rows() -> list[dict[str, Any]]:
        with db.read() as session:
            return [
                dict(session.execute(select(table).where(key(table))).mappings().one())
                for table in tables
            ]

    def put(kept: list[dict[str, Any]]) -> None:
        with db.begin() as session:
            for table, row in zip(tables, kept, strict=True):
                session.execute(update(table).where(key(table)).values(row))

    def found() -> list[str]:
        with db.read() as session:
            return [one.message for one in find_replayed_environments(session)
                    if one.kind == "replayed"]

    assert found() == []
    before = rows()
    strict = {"protected": True, "policies": {"hardcoded_credentials": "refuse"}}
    assert api.call("PATCH", f"/environments/{here}", json=strict).status_code == 200
    assert api.call("PATCH", "/reach", json={"allow_private": False}).status_code == 200
    assert found() == []
    after = rows()
    put(before)
    with db.read() as session:
        assert not rules_of(session, here).protected
        assert list(find_changed_rules(session)) == []
    protection, policies, private = found()
    assert "another protection" in protection
    assert "other policies" in policies
    assert "private networks" in private
    put(after)
    assert found() == []
    opened = {"protected": False, "policies": Policies().model_dump()}
    assert api.call("PATCH", f"/environments/{here}", json=opened).status_code == 200
    assert api.call("PATCH", "/reach", json={"allow_private": True}).status_code == 200
    assert found() == []


def test_s10_a_hash_put_there_or_taken_away(workshop: Workshop, protected: str) -> None:
    """The hash stands under a seal itself."""
    api, flow = _api(workshop), workshop.flow(fetching(workshop.secret().name)).id
    here = {"id": protected}
    db = workshop.installation.services.db
    with db.read() as session:
        before = session.execute(
            text("select rules_hash from environment_reach where environment_id = :id"), here
        ).scalar_one()
    for value in (None, canary()[:64].ljust(64, "0")):
        with db.begin() as session:
            session.execute(
                text("update environment_reach set rules_hash = :to where environment_id = :id"),
                {**here, "to": value},
            )
        assert _code(api.post(f"/flows/{flow}/runs", json={})) == (503, "row_tampered")
    with db.begin() as session:
        session.execute(
            text("update environment_reach set rules_hash = :to where environment_id = :id"),
            {**here, "to": before},
        )
    assert _code(api.post(f"/flows/{flow}/runs", json={}))[1] == "environment_protected"


def test_s10_rules_of_older_releases_are_sealed_once(tmp_path: Path) -> None:
    """The upgrade seals the rules as they are, and starting again seals nothing."""
    config = Config.load(home_variables(tmp_path / "home", empty=True))
    assert prepare(config, None).error is None
    engine = build_engine(config.database_url)
    try:
        _forget_hashes(config)
        with engine.begin() as connection:
            alembic = migrate._alembic()
            alembic.attributes["connection"] = connection
            command.downgrade(alembic, "0013_last_change_of_flows")
            connection.execute(text("update environments set protected = :yes"), {"yes": True})
        assert prepare(config, None).error is None
        assert _findings(config) == []
        with engine.begin() as connection:
            connection.execute(text("update environments set protected = :no"), {"no": False})
        assert prepare(config, None).error is None
        assert [one.kind for one in _findings(config)] == ["edited"]
    finally:
        engine.dispose()


def _forget_hashes(config: Config) -> None:
    """Leave the rows sealed as the release before sealed them."""
    services = open_services(config, with_vault=False)
    try:
        with services.db.begin() as session:
            for row in session.scalars(select(EnvironmentReach)):
                row.rules_hash = None
    finally:
        services.close()


def _findings(config: Config) -> list[Finding]:
    services = open_services(config, with_vault=False)
    try:
        with services.db.read() as session:
            return list(find_changed_rules(session))
    finally:
        services.close()
