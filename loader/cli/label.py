"""`label`: runs for people to score, so that it is known how far a judge can be trusted."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ConfigurationError
from ..tools.files import cannot_write
from .options import database_option
from .say import say


@click.command()
@click.option("--experiment", metavar="ID", required=True, help="The experiment.")
@click.option(
    "--candidate-group", "group", metavar="G", help="Its candidate, where it has several …"
)
@click.option("--candidate-version", "version", metavar="V", help="… else the latest.")
@click.option("--metric", metavar="M", help="The score; the deciding metric if not given.")
@click.option(
    "--n",
    "tasks",
    metavar="N",
    type=click.IntRange(1, 100_000),
    default=75,  # as the var minimum_labels: fewer prove nothing
    show_default=True,
    help="Tasks to draw; a run of each arm is a line.",
)
@click.option(
    "--seed", metavar="N", type=int, default=1, show_default=True, help="The same draws the same."
)
@click.option(
    "--output",
    "path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    default="labels.csv",
    show_default=True,
    help="Where the lines go.",
)
@database_option
def label(  # noqa: PLR0913  one parameter per option
    *,
    experiment: str,
    group: str | None,
    version: str | None,
    metric: str | None,
    tasks: int,
    seed: int,
    path: Path,
    database_url: str | None,
) -> None:
    """Draw tasks for people to label, and write them to a CSV file, blind to the arm.

    Every task that the judge scored in both arms and that nobody labelled in both has the same
    chance. Fill in the column score, on the key's scale, and give the file to annotate; delete
    lines that you do not score. Questions and answers are in it where loads kept them
    (--with-io). A file that exists is not written over.

    \b
    Example:
      evalmart label --experiment exp-1 --n 75
      evalmart annotate --file labels.csv --author ana
    """
    from ..judges.labelling import as_csv, draw
    from ..marts.candidates import candidates
    from ..marts.labels import labelable
    from ..marts.names import check_experiment
    from ..marts.reading import reading
    from ..tools.metric_names import resolve
    from ..warehouse.connection import connect
    from ..warehouse.seeds import read_vocabulary

    scales = read_vocabulary().scales
    with connect(database_url) as connection, reading(connection, [experiment]):
        found = [
            candidate.summary
            for candidate in candidates(connection, [experiment])
            if group in {None, candidate.summary.candidate_group}
            and version in {None, candidate.summary.candidate_version}
        ]
        if not found:
            check_experiment(connection, experiment)
            raise ConfigurationError(f"{experiment} has no such candidate")
        asked = resolve(metric) if metric else found[0].primary_metric
        if asked is None:
            raise ConfigurationError(f"{experiment} has no score to label; name one by --metric")
        keys = [key for key, scale in scales.items() if scale.metric == asked]
        runs = labelable(connection, found[0], asked, [*keys, asked])
    drawn = draw(runs, tasks, seed)
    if not drawn.runs:
        raise ConfigurationError(
            f"no task of {experiment} has a score of {asked} in both arms that nobody labelled"
        )
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(as_csv(drawn.runs))
    except FileExistsError:
        raise ConfigurationError(
            f"{path} exists; what it says is not written over (--output)"
        ) from None
    except OSError as error:
        raise cannot_write(path, error) from error
    say(
        f"{path}: {len(drawn.runs):,} runs of {drawn.tasks:,} of {drawn.population:,} tasks, "
        f"{asked}; fill in score, then: evalmart annotate --file {path} --author NAME"
    )
