"""One task: both arms' runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ...marts import browsing
from ...show.render import NULL, cell, printable, with_unit
from ...tools.tables import Kind
from ..grids import Cell, Grid, Heading, difference, kind_of, word
from ..view import Page, Rows, of_records
from . import texts
from .repeated import quarantine, repeated
from .tasks import address, candidate_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..view import View

    Record = Mapping[str, object]

_ARMS: Final = ("baseline", "candidate")


class Run(NamedTuple):
    """One run of an arm."""

    number: int
    facts: Sequence[tuple[str, str]]
    ended: str
    style: str
    error: str | None
    trace: str | None
    output: texts.Text | None
    comments: Sequence[tuple[str, str]]


class Pair(NamedTuple):
    """The runs of both arms with the same number."""

    number: int
    runs: Sequence[Run | None]
    """Of the baseline and of the candidate."""
    note: str


def task(view: View) -> Page:
    """Return the page of one task."""
    candidate = candidate_of(view)
    task_id = view.asked.name("task")
    found = browsing.task(view.connection, candidate, task_id)
    row = found.row
    history = browsing.history(view.connection, row) if found.has_history else None
    by_result: dict[object, list[Record]] = {}
    for run in found.runs:
        by_result.setdefault(run["result_id"], []).append(run)
    contents = {
        (content["result_id"], content["trial_number"]): content for content in found.contents or []
    }
    sides = [by_result.get(row[f"{arm}_result_id"], []) for arm in _ARMS]
    return Page(
        "task.html.j2",
        printable(task_id),
        {
            "row": row,
            "candidate": candidate,
            "arms": [_arm(view, row, arm) for arm in _ARMS],
            "result": word(_flip(row) or row["winner"]),
            "why_not": None
            if row["not_comparable_reason"] is None
            else word(row["not_comparable_reason"]).text,
            "quarantine": quarantine(row),
            "numbers": _numbers(row),
            "repeated": repeated(view.connection, candidate, task_id),
            "inputs": _shared(sides, contents, "inputs"),
            "references": _shared(sides, contents, "reference_outputs"),
            "pairs": _pairs(sides, contents),
            "has_contents": bool(contents),
            "may_see_contents": found.contents is not None,
            "scores": _scores(found, sides, view),
            "history": _history(history, view) if history else None,
            "history_link": view.link("/task/history", **view.given),
            "is_history_shown": found.has_history,
            "experiment": view.link(
                "/experiment",
                id=candidate.experiment_id,
                group=candidate.group,
                version=candidate.version,
            ),
            "tasks": view.link("/tasks", **address(candidate)),
        },
        "experiments",
    )


def history(view: View) -> Page:
    """Return every version of every score of one task, which may take a while."""
    candidate = candidate_of(view)
    task_id = view.asked.name("task")
    found = browsing.task(view.connection, candidate, task_id)
    rows = browsing.history(view.connection, found.row)
    return Page(
        "history.html.j2",
        f"Scores of {printable(task_id)} over time",
        {
            "candidate": candidate,
            "task_id": task_id,
            "task": view.link("/task", **view.given),
            "may_see": rows is not None,
            "history": _history(rows or [], view, is_whole=True),
        },
        "experiments",
    )


def score_rows(view: View) -> Rows:
    """Return the scores of a task's results, for programs."""
    found = browsing.task(view.connection, candidate_of(view), view.asked.name("task"))
    return Rows("scores", of_records(found.scores))


def run_rows(view: View) -> Rows:
    """Return the runs of a task, for programs."""
    found = browsing.task(view.connection, candidate_of(view), view.asked.name("task"))
    return Rows("runs", of_records(found.runs))


def history_rows(view: View) -> Rows:
    """Return what was believed of a task's runs, for programs."""
    found = browsing.task(view.connection, candidate_of(view), view.asked.name("task"))
    return Rows("history", of_records(browsing.history(view.connection, found.row) or []))


def _flip(row: Record) -> str | None:
    passed = row["baseline_passed"], row["candidate_passed"]
    if passed == (True, False):
        return "broke"
    return "mended" if passed == (False, True) else None


def _arm(view: View, row: Record, arm: str) -> dict[str, object]:
    """Return what an arm is."""
    of_control = arm == "baseline"
    experiment = row["baseline_experiment_id"] if of_control else row["experiment_id"]
    return {
        "name": arm,
        "is_there": row[f"{arm}_result_id"] is not None,
        "what": printable(f"{row[f'{arm}_group']} {row[f'{arm}_version']}")
        if row[f"{arm}_group"] is not None
        else NULL,
        "model": cell(row[f"{arm}_model_version"], Kind.TEXT),
        "experiment": printable(str(experiment))
        if of_control and experiment not in (None, row["experiment_id"])
        else None,
        "href": view.link("/experiment", id=experiment),
        "recorded": cell(row[f"{arm}_recorded_at"], Kind.TIMESTAMP),
    }


def _numbers(row: Record) -> list[tuple[str, str, str, Cell]]:
    """Return the task's means: name, baseline, candidate, improvement."""
    metric = row["primary_metric"]
    kind = kind_of(metric or "", "score" if kind_of(metric or "") is Kind.NUMBER else None)
    told = []
    if metric is not None:
        told.append(
            (
                f"{printable(str(metric))} (decides)",
                with_unit(row["baseline_primary_value"], kind),
                with_unit(row["candidate_primary_value"], kind),
                difference(row["primary_difference"], Kind.CHANGE),
            )
        )
    for name, change, of in (
        ("accuracy", "accuracy_improvement_pct", Kind.POINTS),
        ("completeness", "completeness_improvement_pct", Kind.POINTS),
        ("efficiency", "efficiency_improvement_pct", Kind.POINTS),
        ("integration_quality", "integration_quality_improvement_pct", Kind.POINTS),
        ("latency_ms", "latency_reduction_pct", Kind.PERCENT),
        ("tokens_used", "tokens_reduction_pct", Kind.PERCENT),
        ("cost_usd", "cost_reduction_pct", Kind.PERCENT),
    ):
        values = [row[f"{arm}_{name}"] for arm in _ARMS]
        if name == metric or values == [None, None]:
            continue
        shown = difference(row[change], of)
        unit = " points" if of is Kind.POINTS else " % saved"
        text = shown.text if shown.text == NULL else shown.text + unit
        told.append(
            (
                name.replace("_", " ").removesuffix(" ms").removesuffix(" usd"),
                with_unit(values[0], kind_of(name)),
                with_unit(values[1], kind_of(name)),
                shown._replace(text=text),
            )
        )
    return told


def _pairs(
    sides: Sequence[Sequence[Record]], contents: Mapping[tuple[object, object], Record]
) -> list[Pair]:
    """Return the runs of both arms, those of the same number side by side."""
    numbers = sorted({int(str(run["trial_number"])) for side in sides for run in side})
    pairs = []
    for number in numbers:
        runs = [
            next((run for run in side if run["trial_number"] == number), None) for side in sides
        ]
        answers = [
            None
            if run is None
            else texts.text_of((contents.get((run["result_id"], number)) or {}).get("outputs"))
            for run in runs
        ]
        shown, note = texts.side_by_side(answers)
        pairs.append(
            Pair(
                number,
                [
                    None if run is None else _run(run, text)
                    for run, text in zip(runs, shown, strict=True)
                ],
                note,
            )
        )
    return pairs


def _run(run: Record, output: texts.Text | None) -> Run:
    success = run["success"]
    ended = {True: "ended well", False: "ended badly"}.get(success, "does not say how it ended")  # type: ignore[call-overload]
    comments = run["comments"] if isinstance(run["comments"], dict) else {}
    trace = run["trace_url"]
    is_web = isinstance(trace, str) and trace.lower().startswith(("https://", "http://"))
    facts = [
        (name, with_unit(run[column], kind))
        for name, column, kind in (
            ("latency", "latency_ms", Kind.MILLISECONDS),
            ("tokens", "tokens_used", Kind.TOKENS),
            ("cost", "cost_usd", Kind.USD),
            ("model", "model_version", Kind.TEXT),
            ("recorded (UTC)", "recorded_at", Kind.TIMESTAMP),
        )
        if run[column] is not None
    ]
    if int(str(run["run_version"] or 1)) > 1:
        facts.append(("scored", f"{run['run_version']} times"))
    return Run(
        int(str(run["trial_number"])),
        facts,
        ended,
        {True: "good", False: "bad"}.get(success, ""),  # type: ignore[call-overload]
        None if run["error_message"] is None else str(run["error_message"])[: texts.LONGEST],
        str(trace) if is_web else None,
        output,
        [(printable(str(key)), texts.string(value)) for key, value in sorted(comments.items())],
    )


def _shared(
    sides: Sequence[Sequence[Record]],
    contents: Mapping[tuple[object, object], Record],
    name: str,
) -> list[tuple[str, texts.Text]]:
    """Return what both arms were given: once where it is the same, else of each."""
    found: dict[str, list[str]] = {}
    for arm, side in zip(_ARMS, sides, strict=True):
        for run in side:
            content = contents.get((run["result_id"], run["trial_number"]))
            text = None if content is None else texts.text_of(content[name])
            if text is not None and arm not in found.setdefault(text, []):
                found[text].append(arm)
    if len(found) == 1:
        return [("", texts.cut(text)) for text in found]
    return [(", ".join(arms), texts.cut(text)) for text, arms in list(found.items())[:10]]


def _scores(found: browsing.Task, sides: Sequence[Sequence[Record]], view: View) -> Grid | None:
    """Return every score: a line per key of the records, and per metric that counts."""
    of_arms = [found.row[f"{arm}_result_id"] for arm in _ARMS]
    kinds = {str(row["metric"]): row["kind"] for row in found.scores}
    means = {(row["metric"], row["result_id"]): row for row in found.scores}
    keys = dict.fromkeys(kinds)
    runs = [(arm, run) for arm, side in zip(_ARMS, sides, strict=True) for run in side]
    for _, run in runs:
        for column in ("scores", "measurements", "labels"):
            values = run[column]
            if isinstance(values, dict):
                keys.update(dict.fromkeys(map(str, values)))
    if not keys:
        return None
    return Grid(
        "Every score",
        [
            Heading("metric, or key of a record"),
            *(Heading(f"{arm}: counts", is_numeric=True) for arm in _ARMS),
            *(Heading(f"{arm}, run {run['trial_number']}", is_numeric=True) for arm, run in runs),
        ],
        [
            [
                Cell(printable(key)),
                *(
                    _mean(means.get((key, result)), kind_of(key, kinds.get(key)))
                    for result in of_arms
                ),
                *(Cell(_recorded(run, key, kind_of(key, kinds.get(key)))) for _, run in runs),
            ]
            for key in keys
        ],
        view.link("/task/runs.csv", **view.given),
    )


def _mean(row: Record | None, kind: Kind) -> Cell:
    if row is None:
        return Cell(NULL)
    runs = int(str(row["repetitions"]))
    return Cell(with_unit(row["value"], kind), small=f"{runs} run{'s' if runs != 1 else ''}")


def _recorded(run: Record, key: str, kind: Kind) -> str:
    """Return what the record of a run says of a key, as it says it."""
    for column in ("scores", "measurements", "labels"):
        values = run[column]
        if isinstance(values, dict) and key in values:
            value = values[key]
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return f"{value:.6g}" if is_number else cell(value, Kind.TEXT)
    if key in {"latency_ms", "tokens_used", "cost_usd"}:
        return with_unit(run[key], kind)
    return cell(run["success"], Kind.BOOLEAN) if key == "success" else NULL


def _history(rows: Sequence[Record], view: View, *, is_whole: bool = False) -> Grid | None:
    """Return what was believed; where it changed or a person said it, unless all is wanted."""
    runs: dict[tuple[object, object], int] = {}
    for row in rows:
        place = (row["metric"], row["source_run_id"])
        runs[place] = runs.get(place, 0) + 1
    told = [
        row
        for row in rows
        if is_whole or runs[row["metric"], row["source_run_id"]] > 1 or row["author"]
    ]
    if not told:
        return None
    return Grid(
        "What was believed, and when",
        [
            Heading("metric"), Heading("arm"), Heading("run"), Heading("value", is_numeric=True),
            Heading("by"), Heading("why"), Heading("from (UTC)"), Heading("until (UTC)"),
        ],
        [
            [
                Cell(printable(str(row["metric"]))),
                Cell(printable(f"{row['experiment_group']} {row['extension_version']}")),
                Cell(printable(str(row["source_run_id"]))),
                Cell(with_unit(row["value"], kind_of(row["metric"], "score"))),
                Cell(cell(row["author"] or f"the {row['value_source']}", Kind.TEXT)),
                Cell(cell(row["reason"], Kind.TEXT)),
                Cell(cell(row["valid_from"], Kind.TIMESTAMP)),
                Cell(
                    "now" if row["is_current"] else cell(row["valid_to"], Kind.TIMESTAMP)
                ),
            ]
            for row in told
        ],
        view.link("/task/history.csv", **view.given),
    )  # fmt: skip
