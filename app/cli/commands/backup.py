"""``tacit backup`` and ``tacit restore``."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.children import become_undumpable, forbid_core_dumps
from app.cli.installed import load_config

_FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.command()
@_FILE
def backup(file: Path) -> None:
    """Write a backup of the database into a new FILE, while everything runs.

    It holds no key: without the keys that it names, nobody reads a value from it.
    """
    from app.cli.restoring import make_backup

    _close()
    manifest = make_backup(load_config(), file.absolute())
    click.echo(f"Wrote {file}. It holds no key; a restore needs these, kept apart from it:")
    for key in manifest["keys"]:
        click.echo(f"  {key['what']} {key['id']}  {key['file'] or key['where']}")


@click.command()
@_FILE
@click.option("--force", is_flag=True, help="Set aside the database that is there.")
def restore(file: Path, force: bool) -> None:
    """Put a backup in place, with Tacit stopped; it opens paused.

    The key files have to be there first. Sessions, API tokens and worker keys are revoked, runs
    cancelled, everything is frozen.
    """
    from app.cli.prepare import worker_key_file
    from app.cli.restoring import restore as put_back

    _close()
    config = load_config()
    done = put_back(config, file.absolute(), force=force)
    ended = ", ".join(f"{count} {what}" for what, count in done["ended"].items())
    click.echo(f"Restored the backup of {done['made_at']}. Ended: {ended}.")
    click.echo("Everything is frozen: look at it, then “tacit unfreeze”.")
    if worker_key_file(config.home).exists():
        click.echo(
            f"The local worker's key is revoked: remove {worker_key_file(config.home)}, and “tacit "
            "up” enrols it anew."
        )


def _close() -> None:
    forbid_core_dumps()
    become_undumpable()
