"""``tacit flow``: export flows into a bundle, import a bundle; made for pipelines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.cli.installed import load_config, opened
from app.cli.operator import operator_in
from app.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from app.flows.bundles import MAX_BYTES
from app.flows.exporting import export_flows
from app.flows.importing import ImportReport, OnConflict, import_flows
from app.flows.names import list_flow_names
from app.http.requests import read_json_object
from app.ids import is_id

_environment = click.option("--environment", default="default", show_default=True)


@click.group()
def flow() -> None:
    """Export flows as bundles and import them, from dev to prod."""


@flow.command("list")
@_environment
def list_flows(environment: str) -> None:
    """List the flows of an environment."""
    with opened(load_config()) as services, services.db.read() as session:
        for one in list_flow_names(session, operator_in(session, environment), limit=100_000):
            state = f"v{one.active_version} active" if one.active_version else "draft"
            click.echo(f"{one.id}  {one.name}  {state}")


@flow.command("export")
@click.argument("flows", nargs=-1, required=True, metavar="NAME_OR_ID...")
@click.option("--version", "version", help="active, draft or a number (active, else draft).")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path),
              help="The file to write; standard output, if not given.")
@click.option("--pretty", is_flag=True, help="Indented, for files that are compared line by line.")
@_environment
def export(
    flows: Sequence[str], version: str | None, output: Path | None, pretty: bool, environment: str
) -> None:
    """Write flows into a bundle: names of secrets, never a value.

    Two exports of one version are equal byte by byte.
    """
    with opened(load_config()) as services, services.db.begin() as session:
        actor = operator_in(session, environment)
        made = export_flows(
            session, actor, [_id_of(session, actor, one) for one in flows],
            version=_version(version),
        )
    text = made.text
    if pretty:
        text = json.dumps(json.loads(text), ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    if output is None:
        sys.stdout.buffer.write(text.encode())
        return
    try:
        output.write_bytes(text.encode())
    except OSError as error:
        raise Unavailable(
            "file_unwritable", f"{output} can't be written: {error.strerror}."
        ) from None
    click.echo(f"Wrote {output} ({made.digest}).", err=True)


@flow.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--map", "maps", multiple=True, metavar="OLD=NEW",
              help="A secret of the bundle and its name here; repeatable.")
@click.option("--mappings", "mappings_file", type=click.Path(exists=True, dir_okay=False),
              help="A file with {\"secrets\": {\"OLD\": \"NEW\"}}, as --json answers it.")
@click.option("--on-conflict", type=click.Choice(["replace", "new"]), default="replace",
              show_default=True, help="What becomes of a flow with the same name.")
@click.option("--dry-run", is_flag=True, help="Plan and report; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Answer as the API does.")
@_environment
def import_(
    file: str, maps: Sequence[str], mappings_file: str | None, on_conflict: OnConflict,
    dry_run: bool, as_json: bool, environment: str,
) -> None:
    """Import a bundle's flows as drafts.

    Exits with 0 when it was written, or, with --dry-run, when nothing is in the way of importing
    and activating it; with 1 otherwise.
    """
    names = _mappings(maps, mappings_file)
    document = read_json_object(_read(file), "The bundle")
    with opened(load_config()) as services, services.db.begin() as session:
        actor = operator_in(session, environment)
        report = import_flows(
            session, actor, document, mappings=names, on_conflict=on_conflict, dry_run=True
        )
        if not dry_run and not report.blocked:
            report = import_flows(
                session, actor, document, mappings=names, on_conflict=on_conflict
            )
    click.echo(json.dumps(_as_json(report), ensure_ascii=False) if as_json else _table(report))
    if report.blocked or (dry_run and not report.ready):
        sys.exit(1)


def _read(file: str) -> bytes:
    if file == "-":
        raw = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        with Path(file).open("rb") as opened_file:
            raw = opened_file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise TooLarge("bundle_too_large",
                       f"The bundle is over {MAX_BYTES // 1024 // 1024} MiB. Split it.")
    return raw


def _mappings(maps: Sequence[str], file: str | None) -> dict[str, str]:
    names: dict[str, str] = {}
    if file is not None:
        found = read_json_object(_read(file), "The file of mappings").get("secrets", {})
        if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
            raise Invalid(
                "mappings_invalid", 'The file of mappings is {"secrets": {"OLD": "NEW"}}.'
            )
        names |= found
    for one in maps:
        old, equals, new = one.partition("=")
        if not equals or not old or not new:
            raise Invalid("mapping_invalid", "--map takes OLD=NEW: the name in the bundle and the "
                          "name here.")
        names[old] = new
    return names


def _id_of(session: Session, actor: Actor, wanted: str) -> str:
    if is_id(wanted):
        return wanted
    found = [one.id for one in list_flow_names(session, actor, limit=100_000)
             if one.name == wanted]
    if not found:
        raise NotFound("flow_not_found", f"There is no flow “{wanted}” in this environment; "
                       "“tacit flow list” shows them.")
    if len(found) > 1:
        raise Conflict("flow_name_ambiguous", f"{len(found)} flows are called “{wanted}”; give "
                       "the id of one, as “tacit flow list” shows it.")
    return found[0]


def _version(text: str | None) -> int | str | None:
    if text in (None, "active", "draft"):
        return text
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text)
    raise Invalid("version_invalid", "--version takes active, draft or a number.")


def _as_json(report: ImportReport) -> Mapping[str, Any]:
    return {
        "applied": report.applied,
        "blocked": report.blocked,
        "secrets": [
            {"name": one.name, "target": one.target, "status": one.status,
             "closest": one.closest, "uses": list(one.uses)}
            for one in report.secrets
        ],
        "problems": list(report.problems),
        "flows": [
            {"id": one.id, "name": one.name, "action": one.action, "nodes": one.nodes}
            for one in report.flows
        ],
        "mappings": report.mappings,
    }


def _table(report: ImportReport) -> str:
    lines = [f"flow    {_plain(one.name)}  {one.action}  "
             f"{one.nodes} node{'' if one.nodes == 1 else 's'}"
             for one in report.flows]
    for secret in report.secrets:
        target = "" if secret.target == secret.name else f" -> {_plain(secret.target)}"
        near = f"  (close: {_plain(secret.closest)})" if secret.closest else ""
        places = ", ".join(dict.fromkeys(_plain(f"{use['flow']}.{use['node']}")
                                         for use in secret.uses))
        lines.append(f"secret  {_plain(secret.name)}{target}  {secret.status}{near}  in {places}")
    for problem in report.problems:
        blocks = f"blocks {problem['blocks']}" if problem["blocks"] else "warning"
        where = _plain(".".join(str(problem[key]) for key in ("flow", "node") if problem[key]))
        lines.append(f"problem {problem['code']}  {blocks}  {where}{': ' if where else ''}"
                     f"{_plain(str(problem['message']))}")
    if report.blocked:
        return "\n".join([*lines, "Blocked; nothing was written."])
    lines.append("Imported as drafts." if report.applied else "Nothing was written (dry run).")
    return "\n".join(lines) + _lacks(report)


def _lacks(report: ImportReport) -> str:
    """Say in a sentence what is in the way of activation."""
    missing = sum(one.status != "found" for one in report.secrets)
    if missing:
        return (f" {missing} secret{'s are' if missing > 1 else ' is'} missing or can't be used "
                "here, so not all of it can be activated yet.")
    if not report.ready:
        return " Every secret is here; what blocks activation is to be solved first."
    return "" if report.applied else " Every secret is here."


def _plain(text: str) -> str:
    """Take control characters out of what came in the file: a terminal acts on them."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)
