"""Evaluators applied at ingest: old experiments scored anew."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from ...evaluators.tally import Failures
from ...tools.counts import counted
from .examples import BASE, read_examples, splits_of
from .sdk_runs import root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from langsmith.schemas import Example

    from ...evaluators.evaluation import Evaluator
    from ...evaluators.results import Evaluation
    from .children import Children
    from .client import LangSmith
    from .projects import Dataset, Project
    from .spool import Spool


class Examples:
    """The examples of a dataset, kept in a temporary SQLite database of their own."""

    def __init__(self, client: LangSmith, dataset: Dataset | None, project: Project) -> None:
        """Fetch them, as of the version the experiment ran on; none without a dataset."""
        # an empty name is a private temporary file, which SQLite removes itself
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("create table examples (id text primary key, body blob not null)")
        # looked at several times a run
        self._latest: tuple[object, dict[str, object]] | None = None
        self.has_splits = False
        self.are_read = dataset is not None
        if dataset is None:
            return
        version = project.metadata.get("dataset_version")
        self._database.execute("begin")
        for row in read_examples(client, dataset.id, str(version) if version else None):
            self._database.execute(
                "insert or replace into examples values (?, ?)",
                (row["id"], msgspec.json.encode(row)),
            )
            self.has_splits = self.has_splits or splits_of(row) != [BASE]

    def close(self) -> None:
        """Drop them."""
        self._database.close()

    def count_without(self, used: set[str]) -> int:
        """Count the examples whose id is not among those used."""
        return sum(
            example_id not in used
            for (example_id,) in self._database.execute("select id from examples")
        )

    def count(self, splits: Sequence[str] = ()) -> int:
        """Count the examples, those of some splits only if any are named."""
        bodies = self._database.execute("select body from examples")
        return sum(
            not splits or not set(splits).isdisjoint(splits_of(msgspec.json.decode(body)))
            for (body,) in bodies
        )

    def about(self, example_id: object) -> dict[str, object]:
        """Return one example as the service has it; nothing when it is not there."""
        if self._latest is None or self._latest[0] != example_id:
            found = self._database.execute(
                "select body from examples where id = ?", (example_id,)
            ).fetchone()
            body = b"{}" if found is None else found[0]
            self._latest = example_id, msgspec.json.decode(body, type=dict[str, object])
        return self._latest[1]

    def get(self, example_id: object) -> Example | None:
        """Return one example as the SDK's type; None when it is not there."""
        from langsmith.schemas import Example  # slow to import

        found = self.about(example_id)
        return Example.model_validate(found) if found else None


def score(
    spool: Spool,
    examples: Examples,
    children: Children,
    evaluators: Sequence[Evaluator],
    redact: Callable[[str], str],
) -> dict[str, Failures]:
    """Apply every evaluator to every finished run; keep the results beside the runs.

    Returns:
        Evaluator → how often it raised, or said nothing.

    Raises:
        LoaderError: an evaluator looked at child runs, and LangSmith does not give them.
    """
    tallies = {evaluator.name: Failures() for evaluator in evaluators}
    for spooled in spool.runs():
        if spooled.is_pending:
            continue
        run = root_of(spooled, partial(children.of, spooled.id))
        example = examples.get(spooled.run["example_id"])
        rows = []
        for evaluator in evaluators:
            results = evaluator.apply(run, example)
            if children.failure is not None:
                raise children.failure
            tallies[evaluator.name].note_results(results, redact)
            rows += [_row(evaluator, evaluation, redact) for evaluation in results]
        spool.add_evaluation(spooled.id, rows)
    spool.seal_evaluations()
    return tallies


def failures(tallies: Mapping[str, Failures]) -> list[str]:
    """Return a sentence for each evaluator that said nothing of any run."""
    return [
        f"evaluator {name} gave no score of any of {counted(tally.attempts, 'run')} "
        f"({'; '.join(tally.reasons())})"
        for name, tally in tallies.items()
        if tally.is_all
    ]


def named(
    rows: Iterable[dict[str, object]], evaluators: Sequence[Evaluator]
) -> Iterator[dict[str, object]]:
    """Give a crash, which could not say its key, every key its evaluator is known by.

    To be called when all runs are scored: only then are the keys known.
    """
    by_name = {evaluator.name: evaluator for evaluator in evaluators}
    for row in rows:
        if row["key"]:
            yield row
        else:
            for key in by_name[str(row["evaluator"])].known_keys():
                yield {**row, "key": key}


def _row(
    evaluator: Evaluator, evaluation: Evaluation, redact: Callable[[str], str]
) -> dict[str, object]:
    """Bring an evaluation to the shape of a feedback row."""
    error = evaluation.error
    shaped: dict[str, object] = {
        "key": evaluation.key,
        "score": evaluation.score,
        "value": evaluation.value,
        "comment": redact(error) if error else evaluation.comment,
        "correction": evaluation.correction,
        "source": "ingest",
        "evaluator": evaluator.name,
        "evaluator_version": evaluator.version,
        "error": True if error else None,
    }
    return {name: value for name, value in shaped.items() if value is not None or name == "score"}
