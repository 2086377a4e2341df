"""Evaluators applied at ingest: old experiments scored anew."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from loader.sources.langsmith.examples import read_examples
from loader.sources.langsmith.times import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from langsmith.schemas import Example, Run

    from loader.evaluators.evaluation import Evaluation, Evaluator
    from loader.sources.langsmith.client import LangSmith
    from loader.sources.langsmith.projects import Dataset, Project
    from loader.sources.langsmith.spool import Spool, SpooledRun


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
            self.has_splits = self.has_splits or _splits_of(row) != ["base"]

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
            not splits or not set(splits).isdisjoint(_splits_of(msgspec.json.decode(body)))
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


def _splits_of(example: dict[str, object]) -> list[str]:
    """Name the splits that an example is in; without a word it is the one called base."""
    metadata = example.get("metadata")
    said = metadata.get("dataset_split") if isinstance(metadata, dict) else None
    return [str(one) for one in (said if isinstance(said, list) else [said or "base"])]


def score(
    spool: Spool,
    examples: Examples,
    evaluators: Sequence[Evaluator],
    redact: Callable[[str], str],
) -> None:
    """Apply every evaluator to every finished run; keep the results beside the runs."""
    for spooled in spool.runs():
        if spooled.is_pending:
            continue
        run = run_of(spooled)
        example = examples.get(spooled.run["example_id"])
        spool.add_evaluation(
            spooled.id,
            [
                _row(evaluator, evaluation, redact)
                for evaluator in evaluators
                for evaluation in evaluator.apply(run, example)
            ],
        )
    spool.seal_evaluations()


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


def run_of(spooled: SpooledRun) -> Run:
    """Build the SDK's run, as evaluators know it."""
    from langsmith.schemas import Run  # slow to import

    run = spooled.run
    started = moment(run["started_at"]) or datetime.fromtimestamp(0, UTC)
    latency = run["latency_ms"]
    ended = started + timedelta(milliseconds=latency) if isinstance(latency, int | float) else None
    return Run.model_validate(
        {
            "id": spooled.id,
            "name": run["name"] or "",
            "run_type": "chain",
            "trace_id": spooled.id,
            "dotted_order": "",
            "start_time": started,
            "end_time": ended,
            "status": run["status"],
            "error": None if run["error"] is None else str(run["error"]),
            "extra": {"metadata": run["metadata"]},
            "tags": run["tags"],
            "reference_example_id": run["example_id"],
            "total_tokens": run["tokens"],
            "prompt_tokens": run["prompt_tokens"],
            "completion_tokens": run["completion_tokens"],
            "total_cost": run["cost_usd"],
            "inputs": spooled.inputs_outputs.get("inputs") or {},
            "outputs": spooled.inputs_outputs.get("outputs"),
        }
    )


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
        "source": "ingest",
        "evaluator": evaluator.name,
        "evaluator_version": evaluator.version,
        "error": True if error else None,
    }
    return {name: value for name, value in shaped.items() if value is not None or name == "score"}
