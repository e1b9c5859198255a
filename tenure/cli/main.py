"""`tenure`: commands by noun, then verb. Each is imported when it is called, so that `tenure --help` is instant."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from tenure.errors import TenureError

COMMANDS = {
    "serve": ("tenure.cli.serve", "Run a server: API, pages, MLflow's protocol, scoring, monitoring."),
    "demo": ("tenure.cli.demo", "Take a model through a year of real flights, from training to retraining."),
    "apply": ("tenure.cli.apply", "Apply a model's file (YAML)."),
    "model": ("tenure.cli.models", "Models: list, show."),
    "version": ("tenure.cli.versions", "Versions: gates, files, evidence; changes: ask, discuss, sign, inbox."),
    "policy": ("tenure.cli.policies", "Policies: check, dry-run, publish, list, exceptions, proxy-test."),
    "vault": ("tenure.cli.vault", "Protected attributes: put, list."),
    "lineage": ("tenure.cli.lineage", "Lineage: show, impact, export."),
    "endpoint": ("tenure.cli.endpoints", "Endpoints: create, list, show, score, report."),
    "outcome": ("tenure.cli.outcomes", "Outcomes and overrides: upload, override."),
    "stream": ("tenure.cli.streams", "Streams: score what flows from a source to a sink: run, prepare."),
    "score": ("tenure.cli.score", "Score a file, a folder or a query with an endpoint's champion."),
    "batch": ("tenure.cli.batches", "Batches: list, show, abandon."),
    "monitor": ("tenure.cli.monitor", "Monitoring: compare, profile; upload, windows, weakest, rows."),
    "alert": ("tenure.cli.alerts", "Alerts: list, incidents, acknowledge, told, mute, unmute, mutes, channels, test."),
    "retrain": ("tenure.cli.retraining", "Retraining runs: list, show."),
    "webhook": ("tenure.cli.webhooks", "Webhooks: list, add, test, log, redeliver, remove."),
    "audit": ("tenure.cli.audit", "The audit log: log, verify, export, checkpoint, as-of; signatures offline."),
    "import": ("tenure.cli.imports", "Move in from an MLflow server or its database."),
    "person": ("tenure.cli.people", "People, services and their roles: list, add, grant, revoke, password."),
    "token": ("tenure.cli.tokens", "Tokens for programs: create, list, revoke."),
    "admin": ("tenure.cli.admin", "Keep a server in order: gc, rotate-key."),
    "doctor": ("tenure.cli.doctor", "Check this machine and a running server."),
}


class LazyCommands(click.Group):
    """A group that knows the names and one-line helps of its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as problem:
            raise click.UsageError(f"{problem.message} `tenure --help` lists the commands.") from None


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tenure")
def tenure() -> None:
    """A model earns its place in production, holds it while it deserves it, and hands it over when it does not."""


def main() -> Any:
    """Run a command; an error of ours becomes one message and exit status 1, never a trace."""
    try:
        return tenure()
    except TenureError as problem:
        click.secho("Error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(problem.message + (f" (at {problem.where})" if problem.where else ""), err=True)
        sys.exit(1)
