"""``tacit worker``: run one, and enrol, list and revoke them."""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click

from app.cli.commands.run import worker as run_worker
from app.cli.installed import load_config, opened
from app.cli.operator import operator_in
from app.errors import Conflict, NotFound, Unavailable
from app.ids import iso
from app.keys.tokens import encode_public_key, new_signing_key
from app.runs import enrolment

_environment = click.option("--environment", default="default", show_default=True)
_key_file = click.option(
    "--key-file", type=click.Path(dir_okay=False, path_type=Path),
    help="Write the worker's key to this new file (mode 0600).",
)


@click.group(invoke_without_command=True)
@click.pass_context
def worker(context: click.Context) -> None:
    """Run a worker on this machine, with the TACIT_ settings it needs and nothing else.

    The commands below enrol, list and revoke workers.
    """
    if context.invoked_subcommand is None:
        context.invoke(run_worker)


@worker.command()
@click.argument("name")
@_environment
@_key_file
def enroll(name: str, environment: str, key_file: Path | None) -> None:
    """Enrol a worker: print a one-time code for it, or write its key with --key-file.

    A worker that is enrolled again has two keys until the old one is revoked.
    """
    with opened(load_config()) as services, services.db.begin() as session:
        actor = operator_in(session, environment)
        if key_file is None:
            click.echo(enrolment.make_code(session, actor, name))
            return
        # Written inside the transaction: without its file, the key isn't enrolled either.
        _write_key(key_file, enrolment.make_key(session, actor, name))
    click.echo(f"Enrolled {name}; its key is in {key_file}.")


@worker.command()
@click.argument("code")
@click.option("--runtime-url", required=True, help="Such as https://tacit.example.com:8444.")
@click.option(
    "--ca", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The CA that vouches for the listener: the installation's tls/ca.pem.",
)
@click.option("--key-file", required=True, type=click.Path(dir_okay=False, path_type=Path))
def join(code: str, runtime_url: str, ca: Path, key_file: Path) -> None:
    """On the worker's machine: make its key and hand in the public half with a one-time code."""
    private, public = new_signing_key()
    if key_file.exists():
        raise Conflict("key_file_exists", f"{key_file} exists already; choose another file.")
    answer = _post(
        f"{runtime_url.rstrip('/')}/runtime/v1/enroll", ca,
        {"code": code, "public_key": encode_public_key(public)},
    )
    names = ("worker_id", "key_id", "name")
    _write_key(key_file, {**{name: answer[name] for name in names}, "private_key": private})
    click.echo(
        f"Enrolled as {answer['name']}; the key is in {key_file}. Start it with "
        f"TACIT_WORKER_KEY_FILE={key_file} TACIT_QUEUE={answer['queue']} tacit worker"
    )


@worker.command("list")
@_environment
def list_(environment: str) -> None:
    """List workers, their keys, and when they were last seen."""
    with opened(load_config()) as services, services.db.read() as session:
        for row, keys in enrolment.list_workers(session, operator_in(session, environment)):
            state = "revoked" if row.revoked_at else f"seen {iso(row.last_seen_at) or 'never'}"
            click.echo(f"{row.name}  {row.id}  {state}")
            for key in keys:
                ended = f"revoked {iso(key.revoked_at)}" if key.revoked_at else "enrolled"
                click.echo(f"  key {key.id}  {ended}")


@worker.command()
@click.argument("name_or_key")
@_environment
def revoke(name_or_key: str, environment: str) -> None:
    """Revoke a worker with all its keys, by name or id, or one key by its id."""
    with opened(load_config()) as services, services.db.begin() as session:
        actor = operator_in(session, environment)
        rows = enrolment.list_workers(session, actor)
        if any(key.id == name_or_key for _, keys in rows for key in keys):
            enrolment.revoke_key(session, actor, name_or_key)
            click.echo(f"Revoked the key {name_or_key}.")
            return
        found = [row for row, _ in rows if name_or_key in (row.name, row.id)]
        if not found:
            raise NotFound(
                "worker_not_found",
                f"There is no worker or key {name_or_key}; “tacit worker list” shows them.",
            )
        for row in found:
            enrolment.revoke_worker(session, actor, row.id)
    click.echo(f"Revoked {name_or_key}: its claims and values are refused from now on.")


def _write_key(path: Path, content: dict[str, str]) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Conflict(
            "key_file_exists", f"{path} exists already; choose another file."
        ) from None
    except OSError as error:
        raise Unavailable(
            "key_file_unwritable", f"{path} can't be written: {error.strerror}."
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)


def _post(url: str, ca: Path, body: dict[str, str]) -> dict[str, Any]:
    if not url.startswith("https://"):
        raise Unavailable("runtime_unreachable", "--runtime-url has to begin with https://.")
    request = urllib.request.Request(  # noqa: S310 - https only, checked above
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        context = ssl.create_default_context(cafile=str(ca))
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        problem = json.loads(error.read() or b"{}")
        raise NotFound(
            str(problem.get("code", "enrolment_refused")),
            str(problem.get("detail", "The server refused the enrolment.")),
        ) from None
    except (OSError, ValueError) as error:
        raise Unavailable(
            "runtime_unreachable", f"The runtime listener can't be reached: {error}."
        ) from None
