"""`dashboards`: write what Grafana and Prometheus need, from wherever evalmart is installed."""

from __future__ import annotations

from pathlib import Path

import click

from ..tools.counts import counted
from .say import say

_SERVE = "http://127.0.0.1:8765"  # as loader.warehouse.shipped, which is dear


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--replace", is_flag=True, help="Also write over files that are there and not as shipped."
)
@click.option(
    "--serve-url",
    metavar="URL",
    default=_SERVE,
    show_default=True,
    help="Where evalmart serve answers: links of dashboards and alerts lead there.",
)
def dashboards(directory: Path, *, replace: bool, serve_url: str) -> None:
    """Write Grafana's dashboards and provisioning, and alert rules for Prometheus.

    Into DIRECTORY, as grafana/ and prometheus/. Prints the paths written; what is there and
    differs stops it before it writes, and what is there and the same stays.

    \b
    Example:
      evalmart dashboards monitoring
      evalmart dashboards monitoring --serve-url https://evals.example.org
    """
    from ..warehouse.shipped import write_shipped

    shipped = write_shipped(directory, replace=replace, serve_url=serve_url)
    for path in shipped.written:
        say(path)
    if shipped.kept:
        say(f"{counted(len(shipped.kept), 'file')} as they were", err=True)
