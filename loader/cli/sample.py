"""`sample`: write a sample experiment to try things on."""

from __future__ import annotations

from pathlib import Path

import click

from ..sources.judged_sample import write_judged_sample
from ..sources.sample import DEFAULT_SEED, write_sample
from ..tools.files import cannot_write
from .say import say


@click.command()
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--seed", default=DEFAULT_SEED, show_default=True, help="Same seed, same bytes.")
@click.option("--judged", is_flag=True, help="One whose judge has a known bias, and labels of it.")
def sample(directory: Path | None, seed: int, *, judged: bool) -> None:
    """Write a sample experiment and its history as files to ingest.

    Into DIRECTORY, else `.evalmart/sample`. Prints the paths written: the two arms of
    exp-2025-01-001, four earlier releases, and a timing run in the baseline format. With
    --judged: exp-judged-001, whose arms are alike and whose judge likes one better, and what a
    person said of some of its runs.

    \b
    Example:
      evalmart sample
      evalmart ingest --file .evalmart/sample/baseline.jsonl
    """
    if directory is None:
        # imported here: a directory named outright needs no project around it
        from ..warehouse.project import home_directory

        directory = home_directory() / "sample"
    try:
        paths = (write_judged_sample if judged else write_sample)(directory, seed)
    except OSError as error:
        raise cannot_write(f"the sample to {directory}", error) from error
    for path in paths:
        say(path)
