"""`report`: a page for people, markdown for a pull request."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..tools.files import cannot_write, whole_file
from .building import build_option
from .options import database_option
from .say import say


@click.command()
@click.option("--experiment", metavar="ID", help="The report of one experiment.")
@click.option("--agent", metavar="AGENT", help="The report of one agent over its versions.")
@click.option(
    "-o",
    "--output",
    "path",
    metavar="PATH",
    required=True,
    help="A file that ends in .html or .md; - writes markdown to standard output.",
)
@database_option
@build_option
def report(
    *, experiment: str | None, agent: str | None, path: str, database_url: str | None
) -> None:
    """Write a report: one self-contained page, or markdown for a pull request.

    The page opens from disk, fetches nothing and needs no script: its own, which searches and
    sorts, is the only one that its policy lets run. Printed it is two pages. An existing file is
    replaced, whole or not at all.

    \b
    Example:
      evalmart report --experiment exp-2025-01-001 -o report.html
      evalmart report --experiment exp-2025-01-001 -o comment.md
      evalmart report --agent feature_dev -o feature_dev.html
    """
    from ..report import drawing, page
    from ..warehouse.connection import connect

    if (experiment is None) == (agent is None):
        raise click.UsageError("give either --experiment or --agent")
    output = "md" if path == "-" else page.format_of(path)
    if output == "html":
        drawing.warm_up()
    with connect(database_url) as connection:
        text = (
            page.agent_report(connection, agent, output)
            if agent is not None
            else page.experiment_report(connection, str(experiment), output)
        )
    if path == "-":
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
        return
    _write(Path(path), text)
    say(path)


def _write(path: Path, text: str) -> None:
    try:
        with whole_file(path) as stream:
            stream.write(text.encode("utf-8", "replace"))
    except OSError as error:
        raise cannot_write(path, error) from error
