"""`ingest` and `schema`."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from loader.cli.group_options import group_options, roles_of, say_unknown_groups, with_groups
from loader.cli.langsmith import build_sources, langsmith_options
from loader.cli.mapping_options import MappingOptions, mapping_options
from loader.cli.options import database_option
from loader.cli.progress import is_shown, progress
from loader.errors import ConfigurationError, InputRejected
from loader.sources import Noting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Mapping as Keyed
    from datetime import datetime

    from loader.ingest.load import LoadSummary
    from loader.records.checker import Defaults
    from loader.records.vocabulary import Vocabulary
    from loader.sources import Source
    from loader.sources.files import Format
    from loader.sources.mapping import Mapping

_MOST_REASONS = 3


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
    type=click.Choice(["jsonl", "json", "csv", "parquet", "baseline", "legacy"]),
    help="Format of the files; else told from name and content. baseline: a baseline "
    "runner's result files. legacy: a dump of the old system's table of results.",
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
@click.option(
    "--strict",
    is_flag=True,
    help="Load nothing if any record is rejected (exit code 3). The ledger still keeps the "
    "rejected records, and counts the sound ones as rejected with the reason `withheld`.",
)
@click.option("--dry-run", is_flag=True, help="Check and decide everything, write nothing.")
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
    input_format: Format | None,
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
    evaluators: Sequence[str],
    with_io: bool,
    strict: bool,
    dry_run: bool,
    summary_format: str,
    database_url: str | None,
) -> None:
    """Load results from files or LangSmith into the raw schema.

    Options fill what the records lack; a record that contradicts an option is rejected.
    Loading the same records again changes nothing; a changed record becomes a new version.
    Rejected records are kept in raw_evals.rejected_rows with their reason.

    \b
    Example:
      python -m loader ingest --file results.jsonl --experiment-id exp-1
      python -m loader ingest --file 'runs/*.csv.gz' --experiment-group code-chef
      zcat results.gz | python -m loader ingest --file - --format jsonl
      python -m loader ingest --guess results.csv
      python -m loader ingest --file results.csv --map task_id=id --map latency_ms=seconds:s
      python -m loader ingest --project code-chef-evaluation --experiment-group code-chef
      python -m loader ingest --file ab.csv --experiment-id ab-1 --control a --treatment b

    Exit code 3: with --strict, a record was rejected; else, nothing could be loaded.
    """
    # imported here: `--help` must not wait for the database driver
    from loader.records.checker import Defaults
    from loader.warehouse.seeds import read_vocabulary

    vocabulary = read_vocabulary()
    given = Defaults(
        experiment_id=experiment_id,
        experiment_group=experiment_group,
        extension_version=extension_version,
        agent_name=agent_name,
        model_version=model_version,
        baseline_experiment_id=baseline_experiment_id,
    )
    if (projects or dataset) and mapping_options.says_anything:
        raise ConfigurationError("--map, --mapping and --guess are for files, not for LangSmith")
    if mapping_options.guess:
        from loader.cli.guessing import agreed_mapping  # only where it is asked for

        mapping = agreed_mapping(
            (*files, *paths), input_format, mapping_options,
            given=given, vocabulary=vocabulary, roles=roles_of(controls, treatments),
        )  # fmt: skip
        if mapping is None:
            return
    else:
        mapping = mapping_options.mapping()
    defaults = Defaults(**{**mapping.defaults, **given.given()})
    roles = {**mapping.groups, **roles_of(controls, treatments)}
    vocabulary = with_groups(vocabulary.with_options(mapping.scales, mapping.measures), roles)
    sources: list[Source] = []
    if files or paths:
        if projects or dataset:
            raise ConfigurationError("give files or a LangSmith project, not both")
        sources.append(_file_source((*files, *paths), input_format, vocabulary, defaults, mapping))
    elif projects or dataset:
        sources += build_sources(
            projects=projects,
            dataset=dataset,
            all_experiments=all_experiments,
            since=since,
            evaluators=evaluators,
            with_io=with_io,
            defaults=defaults,
        )
    else:
        raise ConfigurationError("nothing to ingest; give --file PATH or --project NAME")
    from_files = bool(files or paths)
    summaries = []
    for source in sources:
        summary = _load(
            source, vocabulary, defaults, database_url,
            strict=strict, dry_run=dry_run, accept_feedback=not from_files, roles=roles,
        )  # fmt: skip
        _print(summary, summary_format, dry_run=dry_run)
        say_unknown_groups(summary)
        for note in source.notes() if isinstance(source, Noting) else ():
            click.echo(f"note: {note}", err=True)
        summaries.append(summary)
    _refuse(summaries)


@click.command()
def schema() -> None:
    """Print the JSON Schema of a record.

    \b
    Example:
      python -m loader schema > record.schema.json
    """
    from loader.records.form import json_schema  # keep --help quick

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _file_source(
    paths: Sequence[str],
    input_format: Format | None,
    vocabulary: Vocabulary,
    defaults: Defaults,
    mapping: Mapping,
) -> Source:
    from loader.sources.files import FileSource  # keep --help quick
    from loader.sources.mapping import refuse_percent

    refuse_percent(mapping)
    supplied = defaults.given().keys()
    return FileSource(
        paths, input_format, groups=vocabulary.groups, supplied=supplied, mapping=mapping
    )


def _load(  # noqa: PLR0913  what a load takes
    source: Source,
    vocabulary: Vocabulary,
    defaults: Defaults,
    database_url: str | None,
    *,
    strict: bool,
    dry_run: bool,
    accept_feedback: bool,
    roles: Keyed[str, str],
) -> LoadSummary:
    from loader.ingest.load import load
    from loader.ingest.parallel import MOST_PROCESSES
    from loader.warehouse.connection import connect  # keep --help quick

    with connect(database_url) as connection, _progress(source) as on_progress:
        return load(
            connection,
            source,
            vocabulary,
            defaults,
            strict=strict,
            dry_run=dry_run,
            accept_feedback=accept_feedback,
            roles=roles,
            most_processes=MOST_PROCESSES,
            on_progress=on_progress,
        )


@contextmanager
def _progress(source: Source) -> Iterator[Callable[[int], None] | None]:
    """Show how far a load is, on a terminal only; None elsewhere, so that no row pays for it."""
    if not is_shown():
        yield None
        return
    with progress("reading", getattr(source, "total_bytes", None) or None) as advance:
        yield lambda rows: advance(getattr(source, "position", 0), f"{rows:,} rows")


def _print(summary: LoadSummary, summary_format: str, *, dry_run: bool) -> None:
    if summary_format == "json":
        click.echo(json.dumps(asdict(summary) | {"dry_run": dry_run}, ensure_ascii=False))
        return
    line = (
        f"read {summary.read} · loaded {summary.loaded} · unchanged {summary.unchanged} · "
        f"rejected {summary.rejected} · {summary.seconds:.1f} s"
    )
    click.echo(f"{line} · dry run, nothing written" if dry_run else line)
    for reason in summary.reasons[:_MOST_REASONS]:
        click.echo(f"  {reason.count} x {reason.reason_code}: {reason.example}")
    if len(summary.reasons) > _MOST_REASONS:
        rest = len(summary.reasons) - _MOST_REASONS
        click.echo(f"  and {rest} more {'reason' if rest == 1 else 'reasons'}")
    if summary.reasons and summary.load_id is not None:
        click.echo(f"  all of them are in raw_evals.rejected_rows, load_id {summary.load_id}")


def _refuse(summaries: Sequence[LoadSummary]) -> None:
    """Raise InputRejected where a load was refused or had nothing to load."""
    if any(summary.is_refused for summary in summaries):
        raise InputRejected("nothing was loaded: --strict, and records were rejected")
    if any(summary.has_nothing for summary in summaries):
        raise InputRejected("there was nothing that could be loaded")
