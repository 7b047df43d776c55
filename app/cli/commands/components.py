"""``tacit component``."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.newpackage import write_package
from app.components.registry import registry


@click.group()
def component() -> None:
    """List the components that nodes can be of, and begin a package with one of your own.

    docs/components.md is the guide. Who installs a package trusts it: its code is imported by the
    server and run by workers.
    """


@component.command()
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False),
              help="Where to write it (the name with dashes, if not given).")
def new(name: str, folder: Path | None) -> None:
    """Write a working package with the component NAME (acme.greet), with its tests."""
    written = write_package(name, folder)
    for file in written:
        click.echo(file)
    click.echo(f"Install it where Tacit is: pip install {written[0].parent}")


@component.command("list")
def list_() -> None:
    """List the components with their versions and the packages they came with."""
    found = registry()
    for one in found:
        click.echo(f"{one.name}  {one.version}  {found.origin(one.name) or 'comes with Tacit'}")
    for broken in found.broken():
        click.echo(f"{broken.message} [{broken.code}]", err=True)
