"""What counts of each run, what does not, and what was believed when, in plain Python from raw.

Shares nothing with the SQL but contract.md: what held at a load is found by asking again at
every load, one after the other, instead of by windows over versions.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from independent_marts import EVALUATORS, FIELDS, METRICS, ROLES, exact, has_scale, trial_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raw_rows import Record

Row = dict[str, Any]
_PARTS = ("annotation_id", "experiment_group", "extension_version", "task_id")


class Raw(NamedTuple):
    """Rows of raw by table, as they are stored."""

    runs: list[Record]
    annotations: list[Record]
    withdrawals: list[Record]
    roles: list[Record]
    loads: list[Record]


def current(raw: Raw, at: int | None = None) -> list[Record]:
    """Return the latest version of every run that no withdrawal covers, as of a load."""
    latest: dict[tuple[str, ...], Record] = {}
    for run in sorted(_standing(raw, raw.runs, at), key=lambda run: int(run["run_version"])):
        latest[_run(run)] = run
    return list(latest.values())


def said(raw: Raw, at: int | None = None) -> list[Record]:
    """Return the latest that each author said of a run and metric, as of a load."""
    latest: dict[tuple[str, ...], Record] = {}
    rows = [row for row in raw.annotations if _is_score(_metric(row["evaluator_key"]))]
    for row in sorted(_standing(raw, rows, at), key=lambda row: int(row["annotation_id"])):
        latest[*_run(row), _metric(row["evaluator_key"]), row["author"]] = row
    return list(latest.values())


def roles(raw: Raw) -> dict[tuple[str, str], str]:
    """Return the role of every group of an experiment: as the last load said, else the seed."""
    runs = current(raw)
    found = {
        (run["experiment_id"], run["experiment_group"]): ROLES[run["experiment_group"]]
        for run in runs
        if run["experiment_group"] in ROLES
    }
    for row in sorted(_standing(raw, raw.roles, None), key=lambda row: int(row["load_id"])):
        found[row["experiment_id"], row["experiment_group"]] = row["role"]
    return found


def undeclared(runs: Sequence[Record]) -> set[tuple[str, str]]:
    """Return experiments and the keys in them of which one value says that it is off 0 to 1."""
    return {
        (run["experiment_id"], key)
        for run in runs
        for key, score in run["scores"].items()
        if not has_scale(run, key)
        and (
            _is_number(score) and not 0 <= score <= 1
            if run["score_scales"] is None
            else key in run["score_scales"]
        )
    }


def set_aside(runs: Sequence[Record]) -> list[Row]:
    """Return set_aside_scores."""
    values: dict[tuple[str, ...], list[Fraction]] = defaultdict(list)
    keys = undeclared(runs)
    for run in runs:
        arm = (run["experiment_id"], run["experiment_group"], run["extension_version"])
        for field, value in (run["set_aside"] or {}).items():
            reason = "off_scale" if field.startswith("scores.") else "negative"
            values[*arm, field, reason].append(exact(value))
        for key, score in run["scores"].items():
            if (arm[0], key) in keys and not has_scale(run, key) and _is_number(score):
                values[*arm, f"scores.{key}", "undeclared_scale"].append(exact(score))
    return [
        {
            "experiment_id": experiment,
            "experiment_group": group,
            "extension_version": version,
            "field": field,
            "evaluator_key": field.removeprefix("scores.") if "scores." in field else None,
            "reason": reason,
            "runs": len(found),
            "lowest": min(found),
            "highest": max(found),
        }
        for (experiment, group, version, field, reason), found in values.items()
    ]


def run_scores(raw: Raw) -> list[Row]:
    """Return run_scores."""
    runs = current(raw)
    keys = undeclared(runs)
    people: dict[tuple[str, ...], dict[str, list[Fraction]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in said(raw):
        people[_run(row)][_metric(row["evaluator_key"])].append(_said_value(row))
    found = []
    for run in runs:
        judged, scored = trial_values(run, keys), people[_run(run)]
        for metric in judged.keys() | scored.keys():
            kind, value = judged.get(metric, ("score", None))
            humans = scored.get(metric)
            human = sum(humans, Fraction(0)) / len(humans) if humans else None
            found.append(
                {
                    **_of_run(run),
                    "metric": metric,
                    "kind": "score" if humans else kind,
                    "value": value if human is None else human,
                    "judge_value": value if kind == "score" else None,
                    "human_value": human,
                    "annotators": len(humans or ()),
                    "annotation_spread": max(humans) - min(humans) if humans else None,
                    "cost_usd": run["cost_usd"],
                    "success": run["success"],
                }
            )
    return found


def history(raw: Raw) -> list[Row]:
    """Return score_history: one row for each span of loads in which a version counted."""
    finished = {row["load_id"]: row["finished_at"] for row in raw.loads}
    keys = undeclared(current(raw))
    spans: list[Row] = []
    running: dict[tuple[Any, ...], Row] = {}
    for load_id in sorted(finished):
        counted = {
            (*_run(run), run["run_version"], None): (run, False) for run in current(raw, load_id)
        } | {(*_run(row), None, row["annotation_id"]): (row, True) for row in said(raw, load_id)}
        for key in running.keys() - counted.keys():
            ended = running.pop(key)
            ended.update(next_load_id=load_id, valid_to=finished[load_id], is_current=False)
        for key in counted.keys() - running.keys():
            row, is_said = counted[key]
            running[key] = {
                "row": row,
                "is_said": is_said,
                "load_id": row["load_id"],
                "valid_from": finished[load_id],
                "valid_to": None,
                "next_load_id": None,
                "is_current": True,
            }
            spans.append(running[key])
    return [row for span in spans for row in _values_of_span(raw, span, keys)]


def _values_of_span(raw: Raw, span: Row, keys: set[tuple[str, str]]) -> list[Row]:
    row, is_said = span.pop("row"), span.pop("is_said")
    if is_said:
        versions = [run for run in raw.runs if _run(run) == _run(row)]
        latest = max(versions, key=lambda run: int(run["run_version"]))
        more = {
            "agent_name": latest["agent_name"] or "unknown",
            "run_version": None,
            **{name: row[name] for name in ("author", "reason", "annotation_id")},
        }
        metric = _metric(row["evaluator_key"])
        values = {metric: ("score", _said_value(row))}
    else:
        more = {
            "agent_name": row["agent_name"] or "unknown",
            "run_version": row["run_version"],
            **dict.fromkeys(("author", "reason", "annotation_id")),
        }
        values = trial_values(row, keys)
    return [
        {
            **_of_run(row),
            **more,
            **span,
            "metric": metric,
            "kind": kind,
            "value_source": "annotation" if is_said else _source_of(metric, kind),
            "value": value,
        }
        for metric, (kind, value) in values.items()
    ]


def _standing(raw: Raw, rows: Sequence[Record], at: int | None) -> list[Record]:
    """Return rows that were there at a load and that no withdrawal covered then; None is now."""
    entries = [entry for entry in raw.withdrawals if at is None or entry["load_id"] <= at]
    undone = {entry["undone_load_id"] for entry in entries}
    in_force = [
        entry
        for entry in entries
        if entry["undone_load_id"] is None and entry["load_id"] not in undone
    ]
    return [
        row
        for row in rows
        if (at is None or row["load_id"] <= at)
        and not any(_covers(entry, row) for entry in in_force)
    ]


def _covers(entry: Record, row: Record) -> bool:
    return (
        entry["experiment_id"] == row["experiment_id"]
        and entry["load_id"] > row["load_id"]
        and entry["withdrawn_load_id"] in (None, row["load_id"])
        and all(entry[part] is None or entry[part] == row.get(part) for part in _PARTS)
        and (entry["source_run_ids"] is None or row.get("source_run_id") in entry["source_run_ids"])
    )


def _metric(key: str) -> str:
    return EVALUATORS[key]["metric"] if key in EVALUATORS else key


def _is_score(metric: str) -> bool:
    return metric not in METRICS or METRICS[metric]["kind"] == "score"


def _said_value(row: Record) -> Fraction:
    low, high = exact(row["scale_min"]), exact(row["scale_max"])
    return (exact(row["score"]) - low) / (high - low)


def _source_of(metric: str, kind: str) -> str:
    return "field" if metric in FIELDS else "score" if kind == "score" else "measurement"


def _is_number(score: object) -> bool:
    return isinstance(score, int | float) and not isinstance(score, bool)


def _run(row: Record) -> tuple[str, str, str]:
    return row["experiment_id"], row["source"], row["source_run_id"]


def _of_run(row: Record) -> Row:
    names = (
        "experiment_id",
        "source",
        "source_run_id",
        "task_id",
        "experiment_group",
        "extension_version",
    )
    return {name: row[name] for name in names}
