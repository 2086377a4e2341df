"""Hold the marts' comparisons and verdicts against the written rule, column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scipy import stats

import verdict_oracle
import verdict_simulation
from paired_readings import read
from statistics_cases import disagreements, expected_columns
from statistics_oracles import holm
from verdict_members import Case, look
from verdict_simulation import CANDIDATE, Experiment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from paired_readings import Settings
    from verdict_oracle import Verdict

Row = dict[str, Any]
Key = tuple[str, str, str | None]
"""Experiment, version of the candidate, agent (None: all tasks)."""
Wrong = list[tuple[object, ...]]
PATHS = (
    "recommendation", "label", "recommendation_route", "required_additional_tasks",
    "required_for", "required_note",
)  # fmt: skip


class Answers:
    """What the rule says of many experiments, computed once."""

    def __init__(self, experiments: Sequence[Experiment], settings: Settings) -> None:
        self.settings = settings
        self.cases: dict[Key, dict[str, Case]] = {}
        self.planned: dict[Key, int | None] = {}
        """Tasks that either arm was to run, where a plan says so."""
        for experiment in experiments:
            versions = experiment.versions()
            for version in versions:
                agents = {
                    record["agent_name"]
                    for record in experiment.records
                    if record["extension_version"] in {verdict_simulation.CONTROL, version}
                }
                for agent in (None, *sorted(agents)):
                    # a segment of all tasks is the whole
                    part = agent if len(agents) > 1 else None
                    found = verdict_simulation.cases(experiment, version, settings, part)
                    if found:
                        key = experiment.name, version, agent
                        self.cases[key] = found
                        self.planned[key] = experiment.planned_tasks(version)
        self.readings = {
            key: {name: read(case.pairs, case.metric) for name, case in cases.items()}
            for key, cases in self.cases.items()
        }
        self.better_holm = self._better_holm()
        self.worse_bh = self._worse_bh()

    def _better_holm(self) -> dict[tuple[Key, str], float | None]:
        families: dict[tuple[str, str | None, str], list[tuple[Key, float | None]]] = {}
        for key, cases in self.cases.items():
            for name, case in cases.items():
                member = key, look(case, self.settings, self.readings[key][name]).better
                families.setdefault((key[0], key[2], name), []).append(member)
        return {
            (key, family[2]): p_value
            for family, members in families.items()
            for (key, _), p_value in zip(members, holm([p for _, p in members]), strict=True)
        }

    def _worse_bh(self) -> dict[Key, float | None]:
        """Adjust p_worse of what decides for the agents of a comparison."""
        families: dict[tuple[str, str], list[Key]] = {}
        for key in self.cases:
            if key[2] is not None:
                families.setdefault(key[:2], []).append(key)
        return {
            key: p_value
            for keys in families.values()
            for key, p_value in zip(keys, shares(map(self._worse, keys)), strict=True)
        }

    def _worse(self, key: Key) -> float | None:
        name = self.deciding(key)
        if name is None:
            return None
        return look(self.cases[key][name], self.settings, self.readings[key][name]).worse

    def deciding(self, key: Key) -> str | None:
        """Name the metric that decides."""
        cases = self.cases[key]
        return next((name for name, case in cases.items() if case.metric.is_deciding), None)

    def verdict(self, key: Key, settings: Settings) -> Verdict:
        """Apply the rule with these settings to one candidate, or one agent's tasks of it."""
        deciding = self.deciding(key)
        return verdict_oracle.judge(
            self.cases[key],
            settings,
            candidates=self.candidates(key, deciding),
            better_holm=self.better_holm.get((key, deciding)) if deciding else None,
            readings=self.readings[key],
        )

    def candidates(self, key: Key, metric: str | None) -> int:
        """Count the candidates that have a metric."""
        return sum(
            other[0] == key[0] and other[2] == key[2] and metric in cases
            for other, cases in self.cases.items()
        )


def comparison_mismatches(answers: Answers, key: Key, rows: Mapping[str, Row]) -> Iterator[Wrong]:
    """Compare the rows of one comparison by metric."""
    verdict = answers.verdict(key, answers.settings)
    names = {name for name, row in rows.items() if row["kind"] != "reliability"}
    if names != set(answers.cases[key]):
        yield [(key, "metrics", sorted(answers.cases[key]), sorted(names))]
        return
    ordered = sorted(rows)
    if key[2] is None:
        p_values = [rows[name]["p_value"] for name in ordered]
        families = zip(ordered, holm(p_values), shares(p_values), strict=True)
        for name, by_holm, by_bh in families:
            columns = {"p_value_holm": by_holm, "p_value_bh": by_bh}
            yield disagreements(f"{key} {name}", columns, rows[name], 1.0)
    for name in sorted(names):
        columns = comparison_columns(answers, key, name, verdict)
        scale = _scale(answers.cases[key][name])
        yield disagreements(f"{key} {name}", columns, rows[name], scale)


def comparison_columns(answers: Answers, key: Key, name: str, verdict: Verdict) -> dict[str, Any]:
    """Give what the marts say of one metric of one comparison."""
    case, judged = answers.cases[key][name], verdict.metrics[name]
    metric = case.metric
    family = verdict.trip_family if judged.role == "tripwire" else verdict.guard_family
    return expected_columns(case) | {
        "kind": metric.kind,
        "direction": metric.direction,
        "direction_source": _source(case),
        "is_declared": metric.is_declared and metric.kind != "success",
        "role": judged.role,
        "role_note": judged.note,
        "finding": judged.finding(),
        "improvement_margin": judged.reading.margin,
        "p_worse_holm": family.get(name),
        "p_better_holm_candidates": answers.better_holm[key, name],
        "n_candidates": answers.candidates(key, name),
        "n_planned_tasks": answers.planned[key],
    }


def shares(p_values: Iterable[float | None]) -> list[float | None]:
    """Adjust the p-values of one family by Benjamini and Hochberg 1995; null is no test."""
    values = list(p_values)
    known = [value for value in values if value is not None]
    adjusted = iter(stats.false_discovery_control(known) if known else [])
    return [None if value is None else float(next(adjusted)) for value in values]


def _source(case: Case) -> str:
    if case.metric.direction == "unknown":
        return "unknown"
    is_assumed = case.metric.kind == "score" and not case.metric.is_declared
    return "assumed" if is_assumed else "declared"


def _scale(case: Case) -> float:
    values = [value for pair in case.pairs for value in (pair.baseline, pair.candidate)]
    return max((abs(value) for value in values if value is not None), default=1.0)


def verdict_mismatches(
    answers: Answers, key: Key, row: Mapping[str, Any], settings: Settings
) -> Wrong:
    """Compare one verdict: what it is, why, and what would decide it."""
    verdict = answers.verdict(key, settings)
    expected = dict(
        zip(
            PATHS,
            (
                verdict.recommendation, verdict.label, verdict.route, verdict.required,
                verdict.required_for, verdict.required_note,
            ),
            strict=True,
        )
    )  # fmt: skip
    label = f"{key} {settings}"
    wrong = disagreements(label, expected, row, 1.0)
    reasons = [(one["code"], one.get("metric")) for one in row["recommendation_reasons"]]
    if reasons != verdict.reasons:
        wrong.append((label, "reasons", verdict.reasons, reasons))
    return wrong


def composite_columns(answers: Answers, key: Key) -> dict[str, Any]:
    """Give what the summary says of all metrics together, and of the old rule."""
    composite = answers.verdict(key, answers.settings).composite
    change, recommendation = verdict_oracle.legacy(answers.cases[key])
    return {
        "composite_improvement": composite.mean,
        "composite_error": composite.error,
        "composite_degrees_of_freedom": composite.freedom,
        "composite_low": composite.low,
        "composite_high": composite.high,
        "p_composite_better": composite.better,
        "p_composite_worse": composite.worse,
        "p_composite_better_anytime": composite.better_anytime,
        "p_composite_worse_anytime": composite.worse_anytime,
        "weighted_improvement_pct": change,
        "legacy_recommendation": recommendation,
    }


def segment_columns(answers: Answers, key: Key) -> dict[str, Any]:
    """Give what the verdict on an agent says of all metrics together, and beside other agents."""
    worse, deciding = answers.worse_bh[key], answers.deciding(key)
    mean = answers.readings[key][deciding].recorded.mean if deciding else None
    return composite_columns(answers, key) | {
        "p_worse_bh": worse,
        "is_proven_worse": worse is not None
        and worse <= answers.settings.level
        and mean is not None
        and mean < 0,
    }


def key_of(row: Mapping[str, Any], agent: str | None = None) -> Key:
    """Give the key of a row of the marts."""
    assert row["candidate_group"] == CANDIDATE
    return row["experiment_id"], row["candidate_version"], agent
