"""``tacit``: what an operator can do."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from app import lean
from app.errors import TacitError

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("app.cli.commands.run:up", "Start everything on this machine."),
    "web": ("app.cli.commands.run:web", "Serve the pages and the JSON API."),
    "runtime": ("app.cli.commands.run:runtime", "Serve the workers' listener."),
    "live": ("app.cli.commands.run:live", "Serve the live streams of runs."),
    "worker": ("app.cli.commands.workers:worker", "Run a worker; enrol, list, revoke them."),
    "scheduler": ("app.cli.commands.run:scheduler", "Run triggers, the reaper and the purge."),
    "migrate": ("app.cli.commands.run:migrate", "Bring the database up to date."),
    "flow": ("app.cli.commands.flows:flow", "Export flows as bundles, import bundles."),
    "environment": ("app.cli.commands.environments:environment", "Create, list, protect them."),
    "user": ("app.cli.commands.accounts:user", "Manage people and roles."),
    "token": ("app.cli.commands.accounts:token", "Create, list, revoke API tokens."),
    "session": ("app.cli.commands.accounts:session", "End people's logins."),
    "freeze": ("app.cli.commands.freeze:freeze", "Stop grants, runs and triggers at once."),
    "unfreeze": ("app.cli.commands.freeze:unfreeze", "Lift a freeze."),
    "component": ("app.cli.commands.components:component", "List components, begin a package."),
    "reach": ("app.cli.commands.reach:reach", "Say what an environment's runs may reach."),
    "leak-drill": ("app.cli.commands.drill:leak_drill", "Hunt for secrets that got out."),
    "audit": ("app.cli.commands.audit:audit", "Verify and export who did what."),
    "keys": ("app.cli.commands.keys:keys", "Look at the keys, replace them, check all values."),
    "backup": ("app.cli.commands.backup:backup", "Write a backup, without any key."),
    "restore": ("app.cli.commands.backup:restore", "Put a backup in place; opens paused."),
    "doctor": ("app.cli.commands.doctor:doctor", "Say what is wrong and how to mend it."),
}
"""Each command: where it is defined, and its line in the list."""


class _Commands(click.Group):
    """Loads the module of a command when it is asked for: start-up stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tacit", message="tacit %(version)s")
def tacit() -> None:
    """A flow builder whose secrets are never spoken.

    Settings come from the environment (TACIT_HOME, TACIT_PORT, …); docs/settings.md lists them.
    """


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run a command; a failure is one sentence and its code on standard error, and exit 1."""
    lean.leave_out(lean.HTTPX_COMMAND, lean.TELEMETRY)
    try:
        return tacit.main(args=arguments, prog_name="tacit")
    except TacitError as error:
        _complain(error.detail, error.code)
    except BrokenPipeError:
        # Whoever reads the output has had enough of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if os.environ.get("TACIT_LOG_LEVEL", "").upper() == "DEBUG":
            traceback.print_exc()
        # Its text may quote what it choked on, so only its kind is named.
        _complain(
            f"This failed inside Tacit ({type(error).__name__}). TACIT_LOG_LEVEL=DEBUG shows "
            "where; “tacit doctor” checks the installation.",
            "internal_error",
        )
    sys.exit(1)


def _complain(sentence: str, code: str) -> None:
    click.echo(f"tacit: {sentence} [{code}]", err=True)
