"""Commands about the master keys, and the keys of seals and audit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from app import models  # noqa: F401 - which rows are sealed is known once every model is
from app.accounts.actor import Actor
from app.cli.children import become_undumpable, forbid_core_dumps
from app.cli.installed import load_config, opened, operator
from app.config import Config
from app.errors import Conflict
from app.flows.credential_marks import reseal_marks
from app.keys import resealing
from app.keys.seals import Seals
from app.vault import rotation


@click.group()
def keys() -> None:
    """Look at the master keys, replace them, check that every value opens."""


@keys.command()
def status() -> None:
    """List the keys: what opens them, and how many values and rows need each."""
    with _opened() as (config, services, actor):
        with services.db.read() as session:
            keks = rotation.list_keks(session, actor)
            rows = resealing.count_sealed(session)
        for kek in keks:
            held = services.vault.find_kek(kek.id) if kek.state != "retired" else None
            where = held.describe() if held else "–" if kek.state == "retired" else "not here"
            click.echo(f"{kek.id}  {kek.state:<8}  {kek.blobs:>7} values  {kek.provider}: {where}")
        seals = _seals(services)
        for key_id in reversed(seals.row_key_ids):
            state = "active" if key_id == seals.row_key_id else "checks"
            click.echo(f"row-mac {key_id}  {state:<8}  {rows.get(key_id, 0):>7} rows")
        for key_id in reversed(seals.audit_key_ids):
            state = "active" if key_id == seals.audit_key_id else "checks"
            click.echo(f"audit   {key_id}  {state}")
        click.echo(f"new keys come from: {config.keys.provider} (TACIT_KEY_PROVIDER)")


@keys.command()
def add() -> None:
    """Take a new master key without using it yet, to bring it to the other machines first."""
    with _opened() as (config, services, actor):
        with services.db.begin() as session:
            kek_id = rotation.stage(session, actor, config)
        click.echo(f"Staged {kek_id}: {services.vault.find_kek(kek_id).describe()}.")
        click.echo("“tacit keys rotate” makes it the active one.")


@keys.command()
@click.option("--new", is_flag=True, help="Begin another rotation though one isn't finished.")
@click.option("--row-mac", is_flag=True, help="Replace the key that seals rows instead.")
@click.option("--audit", "audit_key", is_flag=True, help="Replace the key of the audit instead.")
def rotate(new: bool, row_mac: bool, audit_key: bool) -> None:
    """Replace the master key while everything runs; finishes a rotation that was interrupted.

    Takes a staged key, or a new one from TACIT_KEY_PROVIDER; rewraps every value; retires the
    old key once it wraps nothing.
    """
    with _opened() as (config, services, actor):
        if row_mac:
            _replace_row_key(config, services, actor)
        if audit_key:
            _replace_audit_key(config, services, actor)
        if not row_mac and not audit_key:
            _rotate(config, services, actor, new=new)


@keys.command()
@click.argument("key_id")
def retire(key_id: str) -> None:
    """Retire a master key that wraps nothing, or give up a staged one."""
    with _opened() as (_, services, actor), services.db.begin() as session:
        rotation.retire(session, actor, key_id)
        click.echo(f"{key_id} is retired. Keep it as long as there are backups from before.")


@keys.command()
@click.option("--sample", type=click.IntRange(1), help="Open about this many values, not all.")
def check(sample: int | None) -> None:
    """Open every value and let go of it; exit 1 if one doesn't open."""
    with _opened() as (_, services, actor):
        progress = rotation.check(services.db, actor, services.vault, sample=sample)
        for kek_id, count in sorted(progress.by_kek.items()):
            click.echo(f"{kek_id}  opens {_values(count)}")
        for secret_id, blob_id in progress.failed:
            click.echo(f"does not open: secret {secret_id}, blob {blob_id}", err=True)
        if progress.failed:
            raise SystemExit(1)
        click.echo(f"Everything opens: {_values(progress.done)}.")


def _rotate(config: Config, services: Any, actor: Actor, *, new: bool) -> None:
    db, vault = services.db, services.vault
    with db.read() as session:
        keks = rotation.list_keks(session, actor)
    unfinished = [kek for kek in keks if kek.state == "retiring"]
    if unfinished and not new:
        click.echo("Finishing the rotation that was begun …")
    else:
        staged = [kek.id for kek in keks if kek.state == "staged"]
        with db.begin() as session:
            kek_id = staged[0] if staged else rotation.stage(session, actor, config)
        with db.begin() as session:
            rotation.activate(session, actor, vault, kek_id)
        click.echo(f"{kek_id} is the active master key: {vault.find_kek(kek_id).describe()}")
    progress = rotation.rewrap(db, actor, vault)
    click.echo(f"Rewrapped {_values(progress.done)}.")
    _refuse_unreadable(progress)
    with db.read() as session:
        keks = rotation.list_keks(session, actor)
    for kek in keks:
        if kek.state == "retiring":
            with db.begin() as session:
                rotation.retire(session, actor, kek.id)
            click.echo(f"Retired {kek.id}. Keep it as long as there are backups from before.")


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _refuse_unreadable(progress: rotation.Progress) -> None:
    if progress.failed:
        raise Conflict(
            "values_unreadable",
            f"Not everything opens ({_values(len(progress.failed))}), so the master key stays. "
            "“tacit keys check” names what: restore it from a backup, or destroy its version.",
        )


def _replace_row_key(config: Config, services: Any, actor: Actor) -> None:
    seals = _seals(services)
    with services.db.read() as session:
        left = resealing.count_sealed(session)
    left.pop(seals.row_key_id, None)
    if left:
        click.echo("Finishing the replacement that was begun …")
    else:
        key_id = resealing.replace_seal_key(config.home, "row-mac")
        rotation.record_replaced(services.db, actor, f"row-mac {key_id}")
    count = sum(resealing.reseal(services.db, seals))
    reseal_marks(services.db, seals)
    retired = resealing.retire_row_keys(services.db, config.home)
    click.echo(f"Sealed {count} rows with {seals.row_key_id}.")
    if retired:
        click.echo(
            f"Set {', '.join(retired)} aside (keys/retired-row-mac-…): backups from before need it."
        )


def _replace_audit_key(config: Config, services: Any, actor: Actor) -> None:
    key_id = resealing.replace_seal_key(config.home, "audit")
    rotation.record_replaced(services.db, actor, f"audit {key_id}")
    click.echo(
        f"New events are linked with {key_id}. The older key stays beside it: it checks the "
        "events until now."
    )


def _seals(services: Any) -> Seals:
    with services.db.read() as session:
        seals: Seals = session.info["seals"]
    return seals


@contextmanager
def _opened() -> Iterator[tuple[Config, Any, Actor]]:
    """Open the installation with its keys, for who has a shell on this machine."""
    forbid_core_dumps()
    become_undumpable()
    config = load_config()
    with opened(config, with_vault=True) as services:
        yield config, services, operator()
