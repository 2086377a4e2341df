"""`docs`: the dbt project's documentation as one page."""

from __future__ import annotations

from pathlib import Path

import click

from .options import database_option
from .say import say

_ENDING = ".html"


@click.command()
@click.option(
    "-o",
    "--output",
    "path",
    metavar="PATH",
    default="evalmart-docs.html",
    show_default=True,
    help="A file that ends in .html; one that is there is replaced.",
)
@click.option("--open", "is_opened", is_flag=True, help="Open the page in a browser.")
@database_option
@click.pass_context
def docs(ctx: click.Context, *, path: str, is_opened: bool, database_url: str | None) -> None:
    """Write the documentation of every mart as one page: columns, tests, metrics, lineage.

    What `dbt docs generate` makes of the project, for the database it is to be built in. The
    page opens from disk and fetches nothing.

    \b
    Example:
      evalmart docs
      evalmart docs -o public/index.html
      evalmart docs --open
    """
    from ..errors import UNEXPECTED
    from ..warehouse.dbt_docs import write_page

    if not path.endswith(_ENDING):
        raise click.UsageError(f"-o {path}: write a file that ends in {_ENDING}")
    if not Path(path).absolute().parent.is_dir():
        raise click.UsageError(f"-o {path}: there is no folder {Path(path).parent}; make it first")
    code = write_page(Path(path), database_url)
    if code:
        if code == UNEXPECTED:
            say("no page was written: dbt says why above, and in its log", err=True)
        ctx.exit(code)
    say(path)
    if is_opened:
        click.launch(str(Path(path).absolute()))
