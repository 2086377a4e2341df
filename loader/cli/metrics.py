"""`metrics`: the marts for Prometheus, as a file or over HTTP."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ConfigurationError
from .options import database_option
from .say import say

_HIGHEST_PORT = 65_535


@click.command()
@click.option(
    "--textfile",
    metavar="PATH",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write them once, for node_exporter's textfile collector; replaced as a whole.",
)
@click.option("--listen", metavar="HOST:PORT", help="Serve them at /metrics until stopped.")
@database_option
def metrics(*, textfile: Path | None, listen: str | None, database_url: str | None) -> None:
    """Expose counts, scores, latency, cost, verdicts and freshness to Prometheus.

    \b
    Example:
      evalmart metrics --textfile evalmart.prom
      evalmart metrics --listen 127.0.0.1:9464
    """
    if (textfile is None) == (listen is None):
        raise click.UsageError("give either --textfile or --listen")
    from ..prometheus import exposition  # an extra, and the driver

    if textfile is not None:
        exposition.write(str(textfile), database_url)
        say(textfile)
    elif listen is not None:
        exposition.serve(
            *_address(listen), database_url, lambda url: say(f"serving {url}", err=True)
        )


def _address(text: str) -> tuple[str, int]:
    """Return host and port; an IPv6 address stands in brackets."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _HIGHEST_PORT:
        raise ConfigurationError(f"--listen takes HOST:PORT, not {text!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)
