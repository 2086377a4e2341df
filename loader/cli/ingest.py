"""`ingest` and `schema`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, cast

import click

from ..errors import ConfigurationError
from ..sources.tools.registry import KINDS
from .building import build_at_once
from .environment import (
    from_environment,
    project_of_environment,
    takes_environment,
    with_environment,
)
from .group_options import group_options, roles_of, with_groups
from .ingest_options import Reading, Scales, reading_options
from .langsmith import build_sources, langsmith_options
from .loads import Manner, load_all
from .mapping_options import MappingOptions, mapping_options
from .options import database_option
from .progress import is_shown, progress
from .say import say, say_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime, timedelta

    from ..ingest.summary import LoadSummary
    from ..records.checker import Defaults
    from ..records.vocabulary import Vocabulary
    from ..sources import Source
    from ..sources.files import Format
    from ..sources.mapping import Mapping
    from ..warehouse.connection import Connection

_MOST_LEFT_OUT: Final = 10


@takes_environment
@click.command()
@click.option(
    "--file",
    "files",
    metavar="PATH",
    multiple=True,
    help="A file, a pattern in quotes, or - for standard input; plain or gzip; repeatable.",
)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--format",
    "input_format",
    metavar="FORMAT",
    type=click.Choice(["jsonl", "json", "csv", "parquet", "baseline", "legacy", *KINDS]),
    help="Format of the files; else told from name and content. jsonl, json, csv, parquet: "
    "records. baseline: a baseline runner's result files. legacy: a dump of the old system's "
    f"table of results. Of other tools: {', '.join(KINDS)}.",
)
@mapping_options
@click.option("--experiment-id", metavar="ID", help="Experiment of every record.")
@click.option("--experiment-group", metavar="GROUP", help="baseline, code-chef, …")
@click.option("--extension-version", metavar="VERSION", help="Version of what is evaluated.")
@click.option("--agent", "agent_name", metavar="NAME", help="Agent of every record.")
@click.option("--model-version", metavar="NAME", help="Model of every record.")
@click.option(
    "--baseline-experiment",
    "baseline_experiment_id",
    metavar="ID",
    help="Experiment whose control group to compare with.",
)
@group_options
@langsmith_options
@reading_options
@click.option(
    "--strict",
    is_flag=True,
    help="Load nothing if any record is rejected or has a value set aside (exit code 3). The "
    "ledger still keeps the rejected records, and counts the sound ones as rejected with the "
    "reason `withheld`.",
)
@click.option(
    "--again",
    is_flag=True,
    help="Load files that were loaded before, and records older than what is loaded of their "
    "runs, as if they were not.",
)
@click.option("--dry-run", is_flag=True, help="Check and decide everything, write nothing.")
@click.option("--build", is_flag=True, help="Build afterwards, so that the marts have it.")
@click.option(
    "--summary-format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How to print what became of the records.",
)
@database_option
def ingest(  # noqa: PLR0913  one for each option
    *,
    files: tuple[str, ...],
    paths: tuple[str, ...],
    input_format: str | None,
    mapping_options: MappingOptions,
    experiment_id: str | None,
    experiment_group: str | None,
    extension_version: str | None,
    agent_name: str | None,
    model_version: str | None,
    baseline_experiment_id: str | None,
    controls: Sequence[str],
    treatments: Sequence[str],
    projects: Sequence[str],
    dataset: str | None,
    all_experiments: bool,
    since: datetime | None,
    until: datetime | None,
    last: timedelta | None,
    is_full: bool,
    is_sync: bool,
    evaluators: Sequence[str],
    keys: dict[str, str],
    price: bool,
    scales: Scales,
    measures: Sequence[str],
    first_repetition: int,
    with_io: bool,
    max_rejected: float,
    keep_rejects: int,
    strict: bool,
    again: bool,
    dry_run: bool,
    build: bool,
    summary_format: str,
    database_url: str | None,
) -> None:
    """Load results from files or LangSmith into the raw schema.

    A file is one of records, or what another tool wrote: it is told by its content, folders and
    patterns may hold files of several kinds, and each is said with the runs it has. What a
    tool's file does not say of its arm, options say, or --map by the file's own names.
    Options fill what the records lack; a record that contradicts an option is rejected.
    Loading the same records again changes nothing; a changed record becomes a new version.
    A file that was loaded before takes nothing back, and no record supersedes a later one of its
    run (recorded_at); --again loads them anyway.
    Records that name neither source_run_id nor repetition are the first, second … run of
    their task, group and version, in the order of the input. Rejected records are counted,
    and the first of each reason kept in raw_evals.rejected_rows; a value that is off its
    scale, or negative where that cannot be, is set aside, and the rest of its record is loaded.

    \b
    Example:
      evalmart ingest --file results.jsonl --experiment-id exp-1
      evalmart ingest --file 'runs/*.csv.gz' --experiment-group code-chef
      evalmart ingest --file results.jsonl --scale helpfulness=1:5 --measure turns
      zcat results.gz | evalmart ingest --file - --format jsonl
      evalmart ingest --guess results.csv
      evalmart ingest --file results.csv --map task_id=id --map latency_ms=seconds:s
      evalmart ingest --project code-chef-evaluation --experiment-group code-chef
      evalmart ingest --project production --last 24h
      evalmart ingest --file ab.csv --experiment-id ab-1 --control a --treatment b
      evalmart ingest logs/ --map experiment_group=model --control gpt-5 --treatment o4

    Of a LangSmith project that was loaded before, only what can have changed is asked for.

    Exit code 3: with --strict, a record was rejected or had a value set aside; else, nothing
    could be loaded, more than --max-rejected had that trouble, or an --evaluator gave no score
    of any run; with --all-experiments, an experiment failed (the others are loaded).
    """
    # imported here: `--help` must not wait for the database driver
    from ..ingest.known_runs import KnownRuns
    from ..records.checker import Defaults
    from ..warehouse.seeds import read_vocabulary
    from ..warehouse.variables import keeps_contents

    with_io = keeps_contents(asked=with_io)
    vocabulary = read_vocabulary()
    named: dict[str, Any] = {
        "experiment_id": experiment_id, "experiment_group": experiment_group,
        "extension_version": extension_version, "agent_name": agent_name,
        "model_version": model_version, "baseline_experiment_id": baseline_experiment_id,
    }  # fmt: skip
    filled = from_environment()
    given = Defaults(**{name: value for name, value in named.items() if name not in filled})
    is_silent = not (files or paths or projects or all_experiments or mapping_options.says_anything)
    of_environment = project_of_environment() if is_silent else {}
    projects = projects or tuple(of_environment.values())
    if (projects or dataset) and mapping_options.says_anything:
        raise ConfigurationError("--map, --mapping and --guess are for files, not for LangSmith")
    if (files or paths) and (keys or price):
        raise ConfigurationError(
            "--key is for LangSmith; for files, give --map FIELD=COLUMN"
            if keys
            else "--price is for LangSmith; a file says what its runs cost (cost_usd)"
        )
    if mapping_options.guess:
        from .guessing import agreed_mapping  # only where it is asked for

        mapping = agreed_mapping(
            (*files, *paths), _format_of_records((*files, *paths), input_format, mapping_options),
            mapping_options, given=given, vocabulary=vocabulary, stated=Reading(scales, measures),
            roles=roles_of(controls, treatments),
        )  # fmt: skip
        if mapping is None:
            return
    else:
        mapping = mapping_options.mapping()
    defaults = with_environment(
        {**mapping.defaults, **given.given()},
        of_environment,
        is_one_experiment=not all_experiments and len(projects) <= 1,
    )
    roles = {**mapping.groups, **roles_of(controls, treatments)}
    stated = Reading({**mapping.scales, **scales}, {*mapping.measures, *measures})
    vocabulary = with_groups(stated.vocabulary(vocabulary), roles)
    declared = {key: (scale.low, scale.high) for key, scale in vocabulary.scales.items()}
    mapping = replace(mapping, scales=declared)
    sources: list[Source] = []
    if files or paths:
        if projects or dataset:
            raise ConfigurationError("give files or a LangSmith project, not both")
        sources += _file_sources((*files, *paths), input_format, vocabulary, defaults, mapping)
    elif projects or dataset:
        sources += build_sources(
            projects=projects,
            dataset=dataset,
            all_experiments=all_experiments,
            since=since,
            until=until,
            last=last,
            is_full=is_full,
            is_sync=is_sync,
            evaluators=evaluators,
            keys=keys,
            price=price,
            with_io=with_io,
            defaults=defaults,
            known=KnownRuns(
                database_url,
                vocabulary,
                keep_contents=with_io,
                first_repetition=first_repetition,
                roles=roles,
            ),
            vocabulary=vocabulary,
        )
    else:
        raise ConfigurationError(
            "nothing to ingest; give --file PATH or --project NAME, or set LANGSMITH_PROJECT"
        )
    load_all(
        sources,
        lambda source, *, is_trial: _load(
            source, vocabulary, defaults, database_url,
            strict=strict, again=again, dry_run=is_trial, accept_feedback=not (files or paths),
            roles=roles, keep_contents=with_io, first_repetition=first_repetition,
            keep_rejects=keep_rejects,
        ),
        Manner(
            summary_format, max_rejected, database_url,
            dry_run=dry_run, goes_on=all_experiments, is_sync=is_sync, again=again,
            vocabulary=vocabulary, strict=strict,
        ),
    )  # fmt: skip
    if build and not dry_run:
        build_at_once(database_url)


@click.command()
def schema() -> None:
    """Print the JSON Schema of a record.

    \b
    Example:
      evalmart schema > record.schema.json
    """
    from ..records.form import json_schema  # keep --help quick

    say_json(json_schema(), indent=2)


def _format_of_records(
    paths: Sequence[str], input_format: str | None, options: MappingOptions
) -> Format | None:
    from ..sources.chosen import refuse_guess  # keep --help quick

    if input_format is None and paths:
        refuse_guess(paths, options._replace(path=None).mapping())  # --mapping is refused later
    if input_format in KINDS:
        raise ConfigurationError(
            f"--guess is for records; what {input_format} files say is known, leave it out"
        )
    return cast("Format | None", input_format)


def _file_sources(
    paths: Sequence[str],
    input_format: str | None,
    vocabulary: Vocabulary,
    defaults: Defaults,
    mapping: Mapping,
) -> Sequence[Source]:
    from ..sources.chosen import file_sources  # keep --help quick
    from ..sources.mapping import refuse_percent

    refuse_percent(mapping)
    chosen = file_sources(
        paths,
        input_format,
        groups=vocabulary.groups,
        supplied=defaults.given(),
        mapping=mapping,
        scratch=_scratch,
    )
    _say_left_out(chosen.left_out, "no results, as far as its name and content tell")
    _say_left_out(chosen.dangling, "a link to a file that is not there")
    if not chosen.sources:
        raise ConfigurationError("none of the files holds results; name them one by one")
    return chosen.sources


def _say_left_out(paths: Sequence[str], why: str) -> None:
    for path in paths[:_MOST_LEFT_OUT]:
        say(f"left out: {path}: {why}", err=True)
    if len(paths) > _MOST_LEFT_OUT:
        say(f"left out: {len(paths) - _MOST_LEFT_OUT} more files", err=True)


def _scratch() -> str:
    """Return a folder that is gone when the command ends."""
    folder = TemporaryDirectory(prefix="evalmart-input-")
    return click.get_current_context().with_resource(folder)


def _load(
    source: Source,
    vocabulary: Vocabulary,
    defaults: Defaults,
    database_url: str | None,
    **options: Any,  # noqa: ANN401  of `load`
) -> LoadSummary:
    from ..ingest.load import load
    from ..ingest.parallel import MOST_PROCESSES
    from ..warehouse.connection import connect  # keep --help quick

    with connect(database_url) as connection, _progress(source) as on_progress:
        _begin_warehouse(connection, database_url)
        return load(
            connection,
            source,
            vocabulary,
            defaults,
            most_processes=MOST_PROCESSES,
            on_progress=on_progress,
            **options,
        )


def _begin_warehouse(connection: Connection, database_url: str | None) -> None:
    """Make the raw schema of an embedded server that has none: it is nobody else's."""
    from ..warehouse.connection import is_embedded
    from ..warehouse.migrate import current_version, migrate  # keep --help quick

    if is_embedded(database_url) and current_version(connection) == 0:
        migrate(connection)
        say("made a warehouse on the embedded server, as `init` does", err=True)
    connection.rollback()


@contextmanager
def _progress(source: Source) -> Iterator[Callable[[int], None] | None]:
    """Show how far a load is, on a terminal only; None elsewhere, so that no row pays for it."""
    if not is_shown():
        yield None
        return
    with progress("reading", getattr(source, "total_bytes", None) or None) as advance:
        yield lambda rows: advance(getattr(source, "position", 0), f"{rows:,} rows")
