"""`datasets`: what LangSmith has to evaluate on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .options import format_option

if TYPE_CHECKING:
    from ..tools.tables import Format


@click.command()
@click.option("--name", "part", metavar="PART", help="Only those whose name has this part.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="At most N datasets, that of the latest experiment first.",
)
@format_option
def datasets(*, part: str | None, limit: int, output: Format) -> None:
    """List the datasets of LangSmith: their examples, experiments and last change.

    \b
    Example:
      evalmart datasets
      evalmart datasets --name scenarios --format json
    """
    from ..show.render import render
    from ..sources.langsmith import LangSmith
    from ..sources.langsmith.datasets import list_datasets
    from ..tools.tables import Column, Kind, Table

    rows = [
        (each.name, each.example_count, each.experiment_count, each.last_experiment_at,
         each.changed_at)
        for each in list_datasets(LangSmith(), part, limit=limit)
    ]  # fmt: skip
    columns = (
        Column("dataset"),
        Column("examples", Kind.INTEGER),
        Column("experiments", Kind.INTEGER),
        Column("last_experiment_at", Kind.TIMESTAMP, "last experiment (UTC)"),
        Column("changed_at", Kind.TIMESTAMP, "changed"),
    )
    render(Table(columns, rows), output, sys.stdout, empty="LangSmith has no such dataset.")
