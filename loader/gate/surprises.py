"""What a team's files say that is legal, and hardly what was meant.

Nothing here refuses anything: a build and a gate take all of it. What they refuse is told by who
reads the files (`seed_file`, `vars_file`, `policy_file`, `mapping_file`).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import nearest
from ..marts.conditions import PSEUDO
from ..marts.rows import Severity
from ..tools import csv_text
from ..tools.metric_names import declaring, resolve
from ..tools.notices import Gravity, Notice
from ..warehouse.folder import FILES, shown, team_file
from ..warehouse.project import default_variables
from ..warehouse.seeds import read_seed
from ..warehouse.variables import project_variables
from .policy import Inconclusive, Policy, Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_LESS: Final = re.compile(
    r"latency|duration|cost|price|tokens|error|fail|toxic|hallucinat|perplexity|refus|violation"
)
_MORE: Final = re.compile(
    r"accura|correct|success|pass|f1$|recall|precision|quality|complet|helpful|faithful|relevan"
)


class _Range(NamedTuple):
    """What a var may be, as `dbt_project.yml` says of it."""

    low: float
    high: float = math.inf
    is_open: bool = False
    """Whether the ends are no values of it."""

    def holds(self, value: float) -> bool:
        if self.is_open:
            return self.low < value < self.high
        return self.low <= value <= self.high

    def text(self) -> str:
        if self.is_open:
            end = "" if self.high == math.inf else f" and below {self.high:g}"
            return f"above {self.low:g}{end}"
        return (
            f"{self.low:g} or more" if self.high == math.inf else f"{self.low:g} to {self.high:g}"
        )


_SHARE: Final = _Range(0, 1)
_RANGES: Final[Mapping[str, _Range]] = {
    "alpha": _Range(0, 0.5, is_open=True),
    "kept_level": _Range(0, 0.5),
    "default_score_margin": _Range(0, is_open=True),
    "default_ratio_margin": _Range(0, is_open=True),
    "minimum_tasks": _Range(2),
    "minimum_clusters": _Range(2),
    "minimum_coverage": _SHARE,
    "minimum_gain": _Range(0),
    "planned_repetitions": _Range(0),
    "planned_tasks": _Range(1),
    "pass_k": _Range(1),
    "regression_min_shared_tasks": _Range(2),
    "drift_reference_versions": _Range(2),
    "drift_reference_weight": _SHARE,
    "alert_returned_share": _SHARE,
    "outage_probability": _SHARE,
    "trend_window_versions": _Range(4),
}
_RISING: Final = ("regression_medium_pct", "regression_high_pct", "regression_critical_pct")
_NAMED_METRICS: Final = ("primary_metric", "pass_metric")
_SEVERITIES: Final = list(Severity)


def of_seeds() -> Iterator[Notice]:
    """Yield what surprises in the seeds of the team's folder, all of them without a fault."""
    yield from _groups()
    yield from _metrics()
    yield from _keys()
    yield from _prices()
    yield from _changes()
    yield from _quarantine()


def of_variables(
    values: Mapping[str, Any], lines: Mapping[str, int], file: str
) -> Iterator[Notice]:
    """Yield what is wrong with the vars of a team beyond their types.

    Args:
        values: what the team's vars.yml sets, of the right types.
        lines: the line of each.
        file: how messages name it.
    """
    for name, allowed in _RANGES.items():
        if name in values and not allowed.holds(values[name]):
            sentence = f"is {values[name]!r}; it has to be {allowed.text()}"
            yield Notice(Gravity.FAULT, sentence, file, lines.get(name), name)
    whole = {**default_variables(), **values}
    for lower, higher in pairwise(_RISING):
        if {lower, higher} & values.keys() and not 0 < whole[lower] < whole[higher]:
            name = higher if higher in values else lower
            sentence = (
                f"{lower} is {whole[lower]:g} and {higher} {whole[higher]:g}; "
                "each has to be above the one before, and above 0"
            )
            yield Notice(Gravity.FAULT, sentence, file, lines.get(name), name)
    known = _known_metrics()
    for name in _NAMED_METRICS:
        value = values.get(name)
        if value and resolve(value, known) not in known:
            sentence = (
                f"names {value}, which nobody declares{nearest(value, known)}: until results "
                "have it, something else decides"
            )
            yield Notice(Gravity.WARNING, sentence, file, lines.get(name), name)
    if values.get("as_of"):
        sentence = "is set by --as-of for one command; here it hides every later load from all"
        yield Notice(Gravity.WARNING, sentence, file, lines.get("as_of"), "as_of")


def of_policy(
    policy: Policy, line: Callable[[tuple[str, ...]], int | None], file: str
) -> Iterator[Notice]:
    """Yield what surprises in a policy that can be read.

    Args:
        policy: it.
        line: the line of a key in its file.
        file: how messages name it.
    """
    for path, sentence in (*_names(policy), *_amounts(policy), *_settings(policy)):
        yield Notice(Gravity.WARNING, sentence, file, line(path), ".".join(path))


_Said = tuple[tuple[str, ...], str]
"""A key of a policy, and what surprises about it."""


def _names(policy: Policy) -> Iterator[_Said]:
    known = _known_metrics()
    keys = {row["evaluator_key"]: row["metric"] for row in read_seed("evaluator_metrics")}
    for section, named in (("metrics", policy.metrics), ("floors", policy.floors)):
        for name in named:
            if resolve(name, known) in known:
                continue
            if name in keys:
                said = f"is an evaluator's key; its metric is {keys[name]}: write that"
            else:
                said = f"is a metric that nobody declares{nearest(name, known)}"
            yield (section, name), said
    hidden = [
        (name, row["task_id"])
        for name in policy.critical_tasks
        for row in read_seed("quarantine")
        if fnmatchcase(row["task_id"], name)
    ]
    for name, task in hidden:
        said = f"names {name}, and {task} is in quarantine: no candidate passes without a person"
        yield ("critical_tasks",), said


def _amounts(policy: Policy) -> Iterator[_Said]:
    known = _known_metrics()
    margins = {row["metric"]: row["non_inferiority_margin"] for row in read_seed("metrics")}
    kinds = {row["metric"]: row["kind"] for row in read_seed("metrics")}
    for name, asked in policy.metrics.items():
        if asked.margin == 0:
            said = "is 0: only what is proven no worse at all passes; give it a margin"
            yield ("metrics", name, "margin"), said
    for name, bar in policy.floors.items():
        kind = kinds.get(resolve(name, known), "score" if name in PSEUDO else "")
        if kind == "score" and not 0 <= bar <= 1:
            yield ("floors", name), f"is {bar:g}; a score's bar is on 0 to 1"
    holds_all = policy.require is Requirement.NON_INFERIORITY and not policy.metrics
    if holds_all and not any(float(margin or 0) > 0 for margin in margins.values()):
        said = "holds nothing: neither this policy nor metrics.csv gives a metric a margin"
        yield ("require",), said


def _settings(policy: Policy) -> Iterator[_Said]:
    if policy.inconclusive is Inconclusive.PASS:
        yield ("inconclusive",), "is pass: a candidate of which nothing is shown passes"
    review, block = policy.regression_review, policy.regression_block
    if _SEVERITIES.index(review) > _SEVERITIES.index(block):
        said = f"asks for a person from {review} on, and {block} blocks already; lower it"
        yield ("regression_review",), said
    fewest = int(project_variables()["minimum_tasks"])
    if 0 < policy.minimum_pairs < fewest:
        said = f"is {policy.minimum_pairs}; a verdict takes {fewest} by the var minimum_tasks"
        yield ("minimum_pairs",), said


def of_names(folder: Path) -> Iterator[Notice]:
    """Yield the files of the folder that nothing reads."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".csv" and path.name not in FILES:
            sentence = f"is read by nothing{nearest(path.name, FILES)}; rename or remove it"
            yield Notice(Gravity.WARNING, sentence, shown(path))


def _known_metrics() -> list[str]:
    declared = [row["metric"] for row in read_seed("metrics")]
    mapped = [row["metric"] for row in read_seed("evaluator_metrics")]
    return list(dict.fromkeys([*declared, *mapped, *PSEUDO]))


def _own(name: str) -> tuple[str, list[tuple[int, dict[str, str]]]]:
    """Return how a team's seed is named, and its rows with their lines; none if it has none."""
    path = team_file(f"{name}.csv")
    if path is None:
        return "", []
    records = [
        record
        for record in csv_text.records(path.read_bytes().decode("utf-8-sig"))
        if record.is_data
    ]
    lines = [record.line for record in records[1:]]
    return shown(path), list(zip(lines, read_seed(name), strict=True))


def _groups() -> Iterator[Notice]:
    file, rows = _own("experiment_groups")
    if not file:
        return
    roles = Counter(row["role"] for _, row in rows)
    if not roles["control"]:
        sentence = (
            "no group is a control: every candidate is without a baseline; give one the role "
            "control"
        )
        yield Notice(Gravity.WARNING, sentence, file, 1, "role")
    if not roles["treatment"]:
        sentence = "no group is a treatment: nothing is a candidate; give one the role treatment"
        yield Notice(Gravity.WARNING, sentence, file, 1, "role")
    yield from _alike(file, rows, "experiment_group")


def _metrics() -> Iterator[Notice]:
    file, rows = _own("metrics")
    keys = read_seed("evaluator_metrics")
    mapped = {row["metric"] for row in keys}
    elsewhere = {row["evaluator_key"]: row["metric"] for row in keys}
    for line, row in rows:
        name, direction = row["metric"], row["direction"]
        if float(row["non_inferiority_margin"] or 0) == 0:
            command = declaring(name, "--margin 0.05")
            sentence = (
                f"{name} has a margin of 0: no verdict minds how much worse it gets; {command}"
            )
            yield Notice(Gravity.WARNING, sentence, file, line, "non_inferiority_margin")
        expected = "lower" if _LESS.search(name) else "higher" if _MORE.search(name) else direction
        if direction != expected and not (_LESS.search(name) and _MORE.search(name)):
            sentence = f"{name} is better {direction}, by its name rather {expected}: which is it?"
            yield Notice(Gravity.WARNING, sentence, file, line, "direction")
        if row["kind"] == "score" and float(row["non_inferiority_margin"] or 0) > 1:
            sentence = "is above 1, and a score goes from 0 to 1: for three points write 0.03"
            yield Notice(Gravity.WARNING, sentence, file, line, "non_inferiority_margin")
        if row["kind"] != "score" or name in mapped:
            continue
        if name in elsewhere:
            sentence = (
                f"the evaluator's key {name} is mapped to {elsewhere[name]}, and no other leads "
                f"to the metric {name}: it stays empty; map one in evaluator_metrics.csv"
            )
            yield Notice(Gravity.WARNING, sentence, file, line, "metric")
        else:
            sentence = (
                f"no evaluator's key is mapped to {name}: only one of that very name becomes it"
            )
            yield Notice(Gravity.NOTE, sentence, file, line, "metric")
    yield from _alike(file, rows, "metric")


def _keys() -> Iterator[Notice]:
    file, rows = _own("evaluator_metrics")
    declared = {row["metric"]: row["kind"] for row in read_seed("metrics")}
    for line, row in rows:
        name = row["metric"]
        if name not in declared:
            sentence = (
                f"leads to {name}, which metrics.csv does not have{nearest(name, declared)}: "
                "its margin is the default one"
            )
            yield Notice(Gravity.WARNING, sentence, file, line, "metric")
        elif declared[name] != "score":
            sentence = f"leads to {name}, which is of the kind {declared[name]} and no score"
            yield Notice(Gravity.WARNING, sentence, file, line, "metric")
    yield from _alike(file, rows, "evaluator_key")


def _prices() -> Iterator[Notice]:
    file, rows = _own("model_prices")
    bare: dict[str, tuple[int, str, str]] = {}
    for line, row in rows:
        cached = row["cached_input_usd_per_million_tokens"]
        if cached and float(cached) > float(row["input_usd_per_million_tokens"]):
            sentence = "is above the price of other input: are the two swapped?"
            yield Notice(
                Gravity.WARNING, sentence, file, line, "cached_input_usd_per_million_tokens"
            )
        name = row["model"].rpartition("/")[2]
        first = bare.setdefault(f"{name}\0{row['valid_from']}", (line, row["model"], name))
        if first[0] != line and first[1] != row["model"]:
            sentence = (
                f"{row['model']} is {first[1]} of line {first[0]} with another provider before "
                "it: only the name that fits best is used"
            )
            yield Notice(Gravity.NOTE, sentence, file, line, "model")


def _changes() -> Iterator[Notice]:
    file, rows = _own("accepted_changes")
    known = _known_metrics()
    groups = [row["experiment_group"] for row in read_seed("experiment_groups")]
    for line, row in rows:
        for column, names in (("metric", known), ("experiment_group", groups)):
            value = row[column]
            if value and resolve(value, names) not in names:
                sentence = (
                    f"is {value}, which nobody declares{nearest(value, names)}: "
                    "it closes no alert of what is declared"
                )
                yield Notice(Gravity.WARNING, sentence, file, line, column)


def _quarantine() -> Iterator[Notice]:
    file, rows = _own("quarantine")
    today = datetime.now(UTC).date()
    for line, row in rows:
        if row["until"] and date.fromisoformat(row["until"]) < today:
            sentence = (
                f"is {row['until']}, which is over: what was recorded of {row['task_id']} since "
                "counts again"
            )
            yield Notice(Gravity.WARNING, sentence, file, line, "until")


def _alike(
    file: str, rows: Sequence[tuple[int, Mapping[str, str]]], column: str
) -> Iterator[Notice]:
    """Yield names that differ in their case alone."""
    seen: dict[str, tuple[int, str]] = {}
    for line, row in rows:
        first = seen.setdefault(row[column].casefold(), (line, row[column]))
        if first[1] != row[column]:
            sentence = (
                f"{row[column]} differs from {first[1]} of line {first[0]} in its case alone: "
                "they are two names"
            )
            yield Notice(Gravity.WARNING, sentence, file, line, column)
