"""Files of results as other people have them, and what a record of each row should be."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_START = datetime(2026, 11, 1, 10, tzinfo=UTC)
_TASKS = 12


@dataclass
class Shape:
    """Files, and what should be in raw for each of their rows, in any order."""

    files: dict[str, bytes]
    truth: list[dict[str, Any]]
    """Columns of `evaluation_runs` to their values."""
    scales: dict[str, list[float]] = field(default_factory=dict)
    options: Sequence[str] = ()

    def write(self, folder: Path) -> list[str]:
        """Write the files; return their names."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return list(self.files)


@dataclass
class Run:
    """What happened, before anybody wrote it down."""

    task: int
    arm: str
    correct: bool
    share: float
    seconds: float
    tokens: tuple[int, int]
    cost: float
    at: datetime

    @property
    def base(self) -> dict[str, Any]:
        """What every file tells of it."""
        return {"task_id": f"q{self.task}", "experiment_group": self.arm}


def runs(
    arms: Sequence[str], repetitions: int = 1, seed: int = 1, tasks: int = _TASKS
) -> list[Run]:
    """Make runs of every task in every arm, the second arm better."""
    chance = random.Random(seed)  # noqa: S311  the same files every time
    return [
        Run(
            task,
            arm,
            chance.random() < (0.5 if place == 0 else 0.85),
            round(chance.random(), 2),
            round(chance.uniform(1, 4), 3),
            (chance.randint(100, 900), chance.randint(10, 300)),
            round(chance.uniform(0.001, 0.01), 5),
            _START + timedelta(minutes=7 * task + place),
        )
        for task in range(tasks)
        for place, arm in enumerate(arms)
        for _ in range(repetitions)
    ]


def table(rows: Sequence[dict[str, object]], delimiter: str = ",") -> str:
    """Write rows as a delimited text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def ordinary(tasks: int = _TASKS) -> Shape:
    """Give an ordinary CSV: a line a run, a judge of 1 to 5, seconds, tokens in and out."""
    rows, truth = [], []
    for run in runs(["baseline", "candidate"], tasks=tasks):
        grade = 1 + round(4 * run.share)
        rows.append(
            {
                "id": f"q{run.task}",
                "question": f"What is {run.task}, and why?",
                "model": "gpt-4o",
                "variant": run.arm,
                "correct": int(run.correct),
                "judge_score_1_to_5": grade,
                "latency_s": run.seconds,
                "tokens_in": run.tokens[0],
                "tokens_out": run.tokens[1],
                "cost": run.cost,
                "timestamp": run.at.isoformat(),
            }
        )
        truth.append(
            run.base
            | {
                "model_version": "gpt-4o",
                "scores": {"correct": float(run.correct), "judge_score": float(grade)},
                "latency_ms": round(run.seconds * 1000, 3),
                "prompt_tokens": run.tokens[0],
                "completion_tokens": run.tokens[1],
                "tokens_used": sum(run.tokens),
                "cost_usd": run.cost,
                "recorded_at": run.at,
                "metadata": {},
            }
        )
    return Shape({"results.csv": table(rows).encode()}, truth, {"judge_score": [1, 5]})


def wide() -> Shape:
    """Give many scores, a column each, beside counts and text."""
    rows, truth = [], []
    for run in runs(["control", "new_prompt"]):
        scores = {
            "faithfulness": run.share,
            "answer_relevance": round(1 - run.share, 2),
            "rouge_l": round(run.share / 2, 3),
        }
        rows.append(
            {"task": f"q{run.task}", "arm": run.arm, **scores, "turns": 3 + run.task, "note": "n/t"}
        )
        truth.append(
            run.base
            | {
                "scores": scores,
                "measurements": {"turns": 3.0 + run.task},
                "metadata": {"note": "n/t"},
            }
        )
    return Shape({"wide.csv": table(rows).encode()}, truth)


def nested() -> Shape:
    """Give a JSON document with the records in a list of some name, and values inside objects."""
    rows, truth = [], []
    for run in runs(["old", "new"]):
        rows.append(
            {
                "example_id": f"q{run.task}",
                "config": {"variant": run.arm, "model": "m-1"},
                "metrics": {"correctness": run.share, "latency_seconds": run.seconds},
                "usage": {"total_tokens": sum(run.tokens)},
            }
        )
        truth.append(
            run.base
            | {
                "model_version": "m-1",
                "scores": {"correctness": run.share},
                "latency_ms": round(run.seconds * 1000, 3),
                "tokens_used": sum(run.tokens),
            }
        )
    document = {"suite": "nightly", "runs": rows}
    return Shape({"nested.json": json.dumps(document, indent=1).encode()}, truth)


def file_an_arm() -> Shape:
    """Give a file for each arm, which only its name tells."""
    every = runs(["baseline", "candidate"])
    files = {
        f"{arm}.csv": table(
            [
                {"case_id": f"q{run.task}", "accuracy": run.share, "latency_ms": run.seconds * 1000}
                for run in every
                if run.arm == arm
            ]
        ).encode()
        for arm in ("baseline", "candidate")
    }
    truth = [run.base | {"scores": {"accuracy": run.share}} for run in every]
    return Shape(files, truth)


def percent() -> Shape:
    """Give scores as per cent, with their sign or with their name only."""
    rows, truth = [], []
    for run in runs(["baseline", "candidate"]):
        full = round(100 * run.share)
        rows.append(
            {"id": f"q{run.task}", "variant": run.arm, "quality": f"{full} %", "recall_pct": full}
        )
        truth.append(run.base | {"scores": {"quality": float(full), "recall_pct": float(full)}})
    scales = {"quality": [0.0, 100.0], "recall_pct": [0.0, 100.0]}
    return Shape({"percent.csv": table(rows).encode()}, truth, scales)


def ten() -> Shape:
    """Give judges that grade from 0 to 10, and one from 1 to 5 beside an accuracy."""
    rows, truth = [], []
    for run in runs(["A", "B"]):
        scores = {
            "helpfulness": round(10 * run.share),
            "tone_rating": 1 + round(4 * run.share),
            "accuracy": run.share,
        }
        rows.append({"id": f"q{run.task}", "group": run.arm, **scores})
        truth.append(run.base | {"scores": {key: float(value) for key, value in scores.items()}})
    scales = {"helpfulness": [0, 10], "tone_rating": [1, 5]}
    return Shape({"judges.csv": table(rows).encode()}, truth, scales)


def words() -> Shape:
    """Give truths as words, and an outcome that has words of its own."""
    rows, truth = [], []
    for place, run in enumerate(runs(["baseline", "candidate"])):
        failed = place % 7 == 0
        rows.append(
            {
                "id": f"q{run.task}",
                "variant": run.arm,
                "correct": "NA" if failed else "yes" if run.correct else "no",
                "status": "error" if failed else "ok",
                "error": "timed out" if failed else "",
            }
        )
        truth.append(
            run.base
            | {
                "scores": {} if failed else {"correct": float(run.correct)},
                "success": not failed,
                "error_message": "timed out" if failed else None,
            }
        )
    return Shape({"words.csv": table(rows).encode()}, truth)


def epoch() -> Shape:
    """Give tab-separated lines with times in seconds since 1970, packed."""
    rows, truth = [], []
    for run in runs(["baseline", "candidate"]):
        rows.append(
            {
                "task_id": f"q{run.task}",
                "experiment_group": run.arm,
                "score": run.share,
                "ts": int(run.at.timestamp()),
                "duration_ms": round(run.seconds * 1000, 3),
            }
        )
        truth.append(
            run.base
            | {
                "scores": {"score": run.share},
                "recorded_at": run.at,
                "latency_ms": round(run.seconds * 1000, 3),
            }
        )
    packed = gzip.compress(table(rows, "\t").encode())
    return Shape({"epoch.tsv.gz": packed}, truth)


def without_ids() -> Shape:
    """Give the runs of a question line by line: no id, no number of the run."""
    rows, truth = [], []
    for run in runs(["baseline", "candidate"], repetitions=3):
        question = f"What is {run.task}?"
        rows.append({"question": question, "variant": run.arm, "correct": run.correct})
        truth.append(run.base | {"task_id": question, "scores": {"correct": float(run.correct)}})
    text = "\n".join(map(json.dumps, rows))
    return Shape({"runs.jsonl": text.encode()}, truth)


def semicolons() -> Shape:
    """Give a file of a spreadsheet that writes commas before decimals, and days first."""
    rows, truth = [], []
    for run in runs(["baseline", "candidate"]):
        at = run.at + timedelta(days=run.task * 2)
        comma = {name: f"{value:g}".replace(".", ",") for name, value in
                 (("accuracy", run.share), ("Latency (s)", run.seconds))}  # fmt: skip
        rows.append(
            {
                "id": f"q{run.task}",
                "variant": run.arm,
                **comma,
                "cost_cents": f"{100 * run.cost:.3f}".replace(".", ","),
                "date": f"{at:%d.%m.%Y %H:%M}",
            }
        )
        truth.append(
            run.base
            | {
                "scores": {"accuracy": run.share},
                "latency_ms": round(run.seconds * 1000, 3),
                "cost_usd": run.cost,
                "recorded_at": at,
            }
        )
    return Shape({"sheet.csv": b"\xef\xbb\xbf" + table(rows, ";").encode()}, truth)


def wide_characters() -> Shape:
    """Give UTF-16, as spreadsheets write "Unicode text", with days counted since 1900."""
    rows, truth = [], []
    for run in runs(["baseline", "candidate"]):
        days = (run.at - datetime(1899, 12, 30, tzinfo=UTC)).total_seconds() / 86_400
        rows.append(
            {"id": f"q{run.task}", "variant": run.arm, "accuracy": run.share, "date": days,
             "reviewer": "Zoë 漢字 🙂"}
        )  # fmt: skip
        truth.append(
            run.base
            | {
                "scores": {"accuracy": run.share},
                "recorded_at": run.at,
                "metadata": {"reviewer": "Zoë 漢字 🙂"},
            }
        )
    return Shape({"unicode.txt": table(rows, "\t").encode("utf-16")}, truth)


def columnar() -> Shape:
    """Give Parquet, with typed times and a struct."""
    import pyarrow as pa
    from pyarrow import parquet

    rows, truth = [], []
    for run in runs(["baseline", "candidate"]):
        rows.append(
            {
                "id": run.task,
                "variant": run.arm,
                "result": {"correct": run.correct, "judge": 1 + round(4 * run.share)},
                "created_at": run.at,
                "latency_s": run.seconds,
            }
        )
        truth.append(
            run.base
            | {
                "task_id": str(run.task),
                "scores": {
                    "correct": float(run.correct),
                    "judge": float(1 + round(4 * run.share)),
                },
                "recorded_at": run.at,
                "latency_ms": round(run.seconds * 1000, 3),
            }
        )
    stream = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), stream, row_group_size=5)
    return Shape({"table.parquet": stream.getvalue()}, truth, {"judge": [1, 5]})


def questions() -> Shape:
    """Give a table with the names that files of tools have too."""
    rows, truth = [], []
    for run in runs(["baseline", "candidate"]):
        rows.append(
            {
                "id": f"q{run.task}",
                "question": f"What is {run.task}?",
                "answer": f"It is {run.share}.",
                "variant": run.arm,
                "accuracy": run.share,
            }
        )
        truth.append(run.base | {"scores": {"accuracy": run.share}})
    return Shape({"questions.csv": table(rows).encode()}, truth)


def dotted() -> Shape:
    """Give a table whose scores are named with a dot, two rows of each id."""
    rows, truth = [], []
    for run in runs(["baseline", "candidate"]):
        rows.append(
            {
                "id": f"q{run.task}",
                "input": f"{run.task} + 1",
                "variant": run.arm,
                "scores.correct": run.share,
            }
        )
        truth.append(run.base | {"scores": {"correct": run.share}})
    return Shape({"dotted.csv": table(rows).encode()}, truth)


SHAPES: tuple[Callable[[], Shape], ...] = (
    ordinary, wide, nested, file_an_arm, percent, ten, words, epoch, without_ids, semicolons,
    wide_characters, columnar, questions, dotted,
)  # fmt: skip


_RECORD = {"task_id": "q1", "scores": {"correct": 1}, "latency_ms": 5}
"""The group is told by an option."""


def _lines(row: dict[str, Any]) -> str:
    return "".join(json.dumps(row | {"id": f"q{number}"}) + "\n" for number in range(3))


# Kind of a tool, what the file shares with its files, ending → a file of somebody's own
LIKE_TOOLS: dict[str, str] = {
    "braintrust.scores.csv": "id,input,variant,scores.correct\nq1,1+1,a,1\nq1,1+1,b,0\n",
    "braintrust.output.csv": "id,input,output,expected,variant,scores.correct,created,metrics.s\n",
    "braintrust.lines.jsonl": _lines(
        {"input": "1+1", "scores": {"correct": 1}, "variant": "a", "created": "2026-03-01"}
    ),
    "braintrust.events.json": json.dumps({"events": [{"id": "q1", "input": "1", "scores": {}}]}),
    "deepeval.cases.json": json.dumps(
        {"testCases": [{"name": "q1", "success": True, "variant": "a", "score": 0.5}]}
    ),
    "deepeval.list.json": json.dumps([{"name": "q1", "success": True, "metrics": {"f1": 1}}]),
    "every-eval-ever.sample.jsonl": _lines(
        {"evaluation_id": 1, "evaluation_name": "e", "sample_id": 7, "score": 1, "variant": "a"}
    ),
    "every-eval-ever.schema.json": json.dumps(
        {"schema_version": "1", "evaluation_id": 1, "results": [{"id": "q1", "score": 1}]}
    ),
    "harbor.trial.jsonl": _lines({"task_name": "q", "trial_name": "q__1", "reward": 1, "arm": "a"}),
    "harbor.accuracy.json": json.dumps(
        {"results": [{"id": "q1", "arm": "a", "score": 1}], "n_resolved": 1, "accuracy": 1}
    ),
    "harbor.attempt.jsonl": _lines(_RECORD | {"trial_name": "q1.1-of-2", "is_resolved": True}),
    "harbor.resolved.jsonl": _lines(
        {"trial_name": "q1", "task_id": "q1", "is_resolved": True, "variant": "a"}
    ),
    "harbor.agent.jsonl": _lines(
        {"trial_name": "q1", "task_name": "q", "agent_info": "m", "variant": "a"}
    ),
    "helm.instance.json": json.dumps(
        [{"instance_id": "q1", "stats": {"f1": 1}, "train_trial_index": 0, "variant": "a"}]
    ),
    "helm.statistic.json": json.dumps([{"name": "q1", "count": 3, "sum": 2, "variant": "a"}]),
    "helm.table.json": json.dumps({"title": "t", "header": ["id", "arm"], "rows": [["q1", "a"]]}),
    "inspect.text.json": json.dumps(
        {"version": 2, "status": "success", "eval": "nightly", "results": [_RECORD]}
    ),
    "inspect.lines.jsonl": _lines({"version": "1.2", "status": "ok", "eval": "qa", "score": 1}),
    "inspect.object.jsonl": _lines({"version": 2, "status": "ok", "eval": {"f1": 1}, "arm": "a"}),
    "langfuse.table.csv": "name,source,timestamp,data_type\nq1,web,2026-03-01,text\n",
    "langfuse.value.csv": "name,source,timestamp,value,variant\nq1,web,2026-03-01,1,a\n",
    "langfuse.session.csv": "id,sessionId,name,source,timestamp,value\nq1,s,f1,a,2026-03-01,1\n",
    "langfuse.item.jsonl": _lines({"datasetItemId": "i-1", "variant": "a", "correct": 1}),
    "langfuse.trace.jsonl": _lines(
        {"name": "q", "timestamp": "2026-03-01", "tags": [], "bookmarked": True, "score": 1}
    ),
    "langfuse.link.jsonl": _lines({"htmlPath": "/q1.html", "variant": "a", "score": 1}),
    "lm-eval.doc.jsonl": _lines({"doc_id": 1, "doc": "1+1", "target": "2", "acc": 1, "arm": "a"}),
    "lm-eval.results.json": json.dumps({"results": [_RECORD], "config": {}, "versions": {"a": 1}}),
    "openai-evals.spec.jsonl": _lines({"spec": {"model_name": "m"}, "score": 1, "variant": "a"}),
    "openai-evals.record.jsonl": _lines(_RECORD | {"spec": {"model_name": "m"}}),
    "otel.count.jsonl": _lines({"resourceSpans": 7, "variant": "a", "score": 1}),
    "otel.trace.jsonl": _lines({"resourceSpans": [{"scopeSpans": []}], "arm": "a", "score": 1}),
    "otel.object.jsonl": _lines({"resourceLogs": {"errors": 0}, "variant": "a", "score": 1}),
    "promptfoo.id.json": json.dumps({"evalId": "e1", "results": [_RECORD]}),
    "promptfoo.time.json": json.dumps(
        {"timestamp": "2026-03-01", "evalId": "e", "results": [{"id": "q1", "score": 1}]}
    ),
    "promptfoo.named.json": json.dumps(
        {"createdAt": "2026-03-01", "results": [{"id": "q1", "namedScores": {"f1": 1}}]}
    ),
    "promptfoo.prompts.json": json.dumps(
        {"evalId": "e", "prompts": ["Be brief."], "results": [{"id": "q1", "score": 1}]}
    ),
    **{
        f"ragas.{metric}.csv": f"id,question,answer,variant,{metric}\nq1,1+1,2,a,1\n"
        for metric in (
            "accuracy", "exact_match", "correctness", "answer_length", "context_id",
            "answer_correct", "answer_correctness", "faithfulness",
        )
    },
    "ragas.input.csv": "id,user_input,response,variant,correctness\nq1,1+1,2,a,1\n",
    "ragas.contexts.csv": "id,question,answer,contexts,variant,accuracy\nq1,1+1,2,[],a,1\n",
    "ragas.means.csv": "metric,score\naccuracy,0.5\ncorrectness,0.25\n",
    "swe-bench.outputs.jsonl": _lines(_RECORD | {"outputs": {"model_patch": "diff"}}),
    "swe-bench.patch.jsonl": _lines({"answer": {"model_patch": "diff"}, "variant": "a"}),
    "swe-bench.instance.jsonl": _lines({"instance_id": 1, "model_patch": "diff", "arm": "a"}),
    "swe-bench.resolved.jsonl": _lines({"resolved": True, "applied": True, "variant": "a"}),
    "tau-bench.reward.json": json.dumps([_RECORD | {"reward": 1, "info": {}, "trial": 0}]),
    "tau-bench.task.json": json.dumps([{"task_id": 1, "reward": 1, "trial": 0, "arm": "a"}]),
    "tau-bench.ended.jsonl": _lines(
        {"task_id": "q1", "termination_reason": "done", "start_time": 1, "variant": "a"}
    ),
    "tau-bench.info.jsonl": _lines({"info": {"arm": "a"}, "agent_info": {}, "reward": 1}),
}  # fmt: skip
