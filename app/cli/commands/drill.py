"""``tacit leak-drill``: does a secret's value come to stand anywhere that it must not?"""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import click

from app.accounts import service as accounts
from app.accounts.environments import DEFAULT
from app.accounts.scopes import Scope
from app.cli.drill import flows
from app.cli.drill.house import House
from app.cli.drill.hunt import Hunt
from app.cli.drill.service import blabbing
from app.cli.installed import load_config, opened
from app.cli.operator import environment_named, operator
from app.cli.places import Running
from app.config import Config
from app.errors import NotFound, TacitError, Unavailable
from app.ids import utcnow
from app.runs.reach import reach_of

SCOPES = [scope for scope in Scope if scope is not Scope.SECRETS_READ_VALUE]
LIFETIME = timedelta(hours=1)
UNSEEN = "Not looked at: a browser's storage, pages behind a login, and where OTLP is sent."


@click.command("leak-drill")
@click.argument("flow", required=False)
@click.option("--user", "email", required=True, help="Address of the person it acts for.")
@click.option("--environment", default=DEFAULT, show_default=True, help="Where it runs.")
@click.option("--patience", type=click.IntRange(5, 3600), default=180, show_default=True,
              help="Seconds after which runs that aren't over count as failed.")
def leak_drill(flow: str | None, email: str, environment: str, patience: int) -> None:
    """Run flows with canaries for secrets, then search every place that this can reach.

    The flows send their secrets to a service of the drill's own, which tells back all that it is
    given in every form, and fails in every way. With FLOW, by name or id, a copy of that flow is
    run too: canaries stand for its secrets, the service for all that it calls.

    Exits with 0 where no canary was found, 1 where one was, and 2 where the drill can't say: runs
    don't end, or the hunt didn't find what it should. What the drill made is removed again.
    """
    try:
        table, found = _drill(load_config(), flow, email, environment, patience)
    except TacitError as error:
        click.echo(f"tacit: {error.detail} [{error.code}]", err=True)
        sys.exit(2)
    click.echo(f"{table}\n\n{UNSEEN}")
    if found:
        click.echo("A canary was found: where, and in which form, is said above.")
        sys.exit(1)
    click.echo("No canary was found, and what is no secret was.")


def verdict(hunt: Hunt, control: Hunt) -> bool:
    """Say whether a canary was found.

    :raises Unavailable: ``drill_blind``: the hunt would not have seen one.
    """
    seen = {hit.place for hit in control.hits}
    missing = {"database rows", "responses"} - seen
    if missing:
        raise Unavailable(
            "drill_blind",
            f"What is no secret was not found in {' and '.join(sorted(missing))}, so this hunt "
            "would not have seen a secret there either.",
        )
    return bool(hunt.hits)


def _drill(
    config: Config, flow: str | None, email: str, environment: str, patience: int
) -> tuple[str, bool]:
    running = Running.find(config.home)
    if running is None:
        raise Unavailable(
            "drill_not_running",
            "Nothing runs on this home. Start “tacit up” first: the drill uses the real workers.",
        )
    canaries = flows.Canaries.make()
    hunt, control = Hunt(canaries.hunted), Hunt({"control": canaries.control})
    with (
        opened(config) as services, _token(services, email, environment) as token,
        blabbing() as service, contextlib.closing(House(config, running.url, token)) as house,
    ):
        with _made(house, canaries, service.url, flow) as ids:
            house.wait(ids["run_id"], patience)
            house.look(hunt, ids, running.pid)
            house.look(control, ids, running.pid)
            return hunt.table(), verdict(hunt, control)


@contextmanager
def _token(services: Any, email: str, environment: str) -> Iterator[str]:
    """Make a token of the person for the time of the drill."""
    with services.db.begin() as session:
        where = environment_named(session, environment)
        if not reach_of(session, where.id).allow_private:
            raise Unavailable(
                "drill_out_of_reach",
                f"Runs of {environment} reach no loopback address, and the drill's service listens "
                "on one. Choose another environment with --environment, or allow it with “tacit "
                "reach --private”.",
            )
        person = accounts.find_user_by_email(session, email)
        if person is None:
            raise NotFound("user_not_found", f"There is no person with the address {email}.")
        may = accounts.scopes_of(session, person.id, where.id)
        row, text = accounts.create_token(
            session, operator(session, where), user=person, name="leak drill",
            scopes=[scope for scope in SCOPES if scope in may], environment_id=where.id,
            expires_at=utcnow() + LIFETIME,
        )
        token_id = row.id
    try:
        yield text
    finally:
        with services.db.begin() as session:
            accounts.revoke_token(session, operator(session, where), token_id)


@contextmanager
def _made(
    house: House, canaries: flows.Canaries, url: str, flow: str | None
) -> Iterator[dict[str, list[str]]]:
    """Store the canaries and start the flows; yields the ids of it all, and removes it after."""
    name = f"leak-drill/{secrets.token_hex(4)}/"
    ids: dict[str, list[str]] = {"secret_id": [], "flow_id": [], "run_id": []}

    def start(title: str, graph: dict[str, Any]) -> None:
        made, run = house.start(name + title, graph)
        ids["flow_id"].append(made)
        ids["run_id"].append(run)

    try:
        for kind, value in canaries.values.items():
            made = house.ask("POST", "/secrets", {"name": name + kind, "value": value})
            ids["secret_id"].append(made["id"])
        start("control", flows.speaking(f"This is typed: {canaries.control}"))
        for kind in canaries.values:
            start(kind, flows.leading_out(name + kind, url))
        if flow is not None:
            start("flow", flows.in_place(_graph_of(house, flow), name, url))
        yield ids
    finally:
        for one in ids["flow_id"]:
            with contextlib.suppress(TacitError):
                house.ask("DELETE", f"/flows/{one}")
        for one in ids["secret_id"]:
            with contextlib.suppress(TacitError):
                house.ask("DELETE", f"/secrets/{one}")
                house.ask("POST", f"/secrets/{one}/purge")


def _graph_of(house: House, flow: str) -> dict[str, Any]:
    """Return the drawing of a flow, by its name or id.

    :raises NotFound: ``flow_not_found``.
    """
    cursor = ""
    while True:
        page = house.ask("GET", f"/flows?limit=200{cursor}")
        for one in page["items"]:
            if flow in (one["id"], one["name"]):
                return dict(house.ask("GET", f"/flows/{one['id']}")["graph"])
        if page["next_cursor"] is None:
            raise NotFound("flow_not_found", f"There is no flow “{flow}” in this environment.")
        cursor = f"&cursor={page['next_cursor']}"
