"""`serve`: a local web app to look at the marts."""

from __future__ import annotations

import click

from .options import database_option
from .say import say

_DEFAULT_PORT = 8765  # as loader.serve.settings, which is dear


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=_DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--open", "is_opened", is_flag=True, help="Open a browser.")
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; beyond loopback only with a token or --auth-header.",
)
@click.option(
    "--root-path", metavar="PATH", default="", help="What a proxy puts before every path: /evals."
)
@click.option(
    "--auth-header",
    metavar="NAME",
    help="Answer only with this header, which a proxy sets for those whom it let in, and takes "
    "from all others.",
)
@click.option(
    "--name",
    "names",
    metavar="HOST",
    multiple=True,
    help="Another name it is called by, such as that of the proxy; repeatable.",
)
@database_option
def serve(  # noqa: PLR0913  one parameter per option
    *,
    port: int,
    is_opened: bool,
    host: str,
    root_path: str,
    auth_header: str | None,
    names: tuple[str, ...],
    database_url: str | None,
) -> None:
    """Browse experiments, tasks, runs, agents and verdicts in a browser; nothing is changed.

    Listens on this machine alone until stopped, and needs no network. With
    EVALMART_SERVE_TOKEN it answers only to whoever brings the token: as a bearer's, or as the
    password that a browser asks for, with any name. A role that reads the marts
    (evals_analyst) is enough; what it may not see is left out and told.

    \b
    Example:
      evalmart serve --open
      evalmart serve --port 9000
      EVALMART_SERVE_TOKEN=$(openssl rand -hex 24) evalmart serve --host 0.0.0.0 --name evals.lan
    """
    from ..serve.running import serve as run
    from ..serve.settings import settings

    run(
        settings(host, port, root_path, auth_header, names),
        database_url,
        lambda line: say(line, err=True),
        is_opened=is_opened,
    )
