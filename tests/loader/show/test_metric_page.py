"""What people read of one metric: every role, finding and label of the marts has its words."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest

import servers
from loader.show import wording
from loader.show.metric_page import metric_table
from loader.show.render import render
from loader.tools.tables import Column, Format, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

ROW: Mapping[str, object] = {
    "candidate_group": "code-chef",
    "candidate_version": "1.1.0",
    "metric": "accuracy",
    "kind": "score",
    "direction": "higher",
    "role": "deciding",
    "role_note": None,
    "n_pairs": 40,
    "baseline_mean": 0.5,
    "candidate_mean": 0.55,
    "mean_difference": 0.05,
    "ci_low": 0.01,
    "ci_high": 0.09,
    "improvement_pct": 5.0,
    "improvement_low_pct": 1.0,
    "improvement_high_pct": 9.0,
    "margin_pct": 5.0,
    "p_value": 0.016,
    "finding": "better",
    "flags": [],
}
COST: Mapping[str, object] = {
    "metric": "cost_usd", "kind": "cost", "direction": "lower", "role": "guardrail",
    "baseline_mean": 0.02, "candidate_mean": 0.018, "mean_difference": -0.002, "ci_low": -0.003,
    "ci_high": -0.001, "improvement_pct": 10.0, "improvement_low_pct": 4.7,
    "improvement_high_pct": 15.0, "margin_pct": 20.0,
}  # fmt: skip


def cells(*rows: Mapping[str, object]) -> list[tuple[object, ...]]:
    whole = [{**ROW, **row} for row in rows]
    columns = tuple(Column(name) for name in ROW)
    return list(metric_table(Table(columns, [tuple(row.values()) for row in whole])).rows)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "better, more than chance explains (p = 0.016)"),
        ({"p_value": 1e-9}, "better, more than chance explains (p < 0.0001)"),
        ({"finding": "harmed"}, "worse, its margin not kept (p = 0.016)"),
        ({"finding": "worse"}, "worse, but within its margin (p = 0.016)"),
        (
            {"finding": "proven_kept", "p_value": 0.4},
            "as good as before, within its margin (p = 0.4)",
        ),
        (
            {"finding": "kept", "p_value": 0.4},
            "no change shown, its margin probably kept (p = 0.4)",
        ),
        (
            {"finding": "open", "p_value": 0.4},
            "open: neither a change nor its margin is shown (p = 0.4)",
        ),
        (
            {"finding": "open", "p_value": 0.01},
            (
                "open: neither a change nor its margin is shown"
                " (p = 0.01, but not with what is missing counted as the worst)"
            ),
        ),
        ({"finding": "changed"}, "changed; which way is better is not known (p = 0.016)"),
        (
            {"finding": "unchanged", "p_value": 0.4},
            "no change shown; which way is better is not known (p = 0.4)",
        ),
        ({"finding": None, "p_value": None}, "nothing: too few pairs"),
        (
            {"finding": "open", "p_value": None, "flags": ["no_pairs"]},
            "nothing: no task has it in both arms",
        ),
        (
            {"finding": None, "p_value": None, "flags": ["few_clusters"]},
            "nothing: too few independent groups of tasks",
        ),
    ],
)
def test_a_finding_is_read_in_words(changes: dict[str, object], words: str) -> None:
    assert cells(changes)[0][-1] == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "decides"),
        ({"role": "guardrail"}, "guards"),
        ({"role": "success"}, "stops, rejects"),
        ({"role": "tripwire"}, "trips"),
        ({"role": "none", "role_note": "one_arm_only"}, "no say: only one arm has it"),
        ({"role": "none", "role_note": "no_margin"}, "no say: it has no margin"),
        ({"role": "none", "role_note": "reliability"}, "no say: no policy guards it"),
        (
            {"role": "deciding", "role_note": "direction_unknown"},
            "decides: which way is better is not known",
        ),
    ],
)
def test_a_role_is_read_in_words(changes: dict[str, object], words: str) -> None:
    assert cells(changes)[0][1] == words


def test_scores_are_shown_in_points_and_costs_as_per_cent_saved() -> None:
    score, saved = cells({}, COST)
    assert score[2:7] == (40, "0.500 → 0.550", "+5.0 points", "+1.0 … +9.0", "5 points")
    assert saved[2:7] == (40, "$0.02000 → $0.01800", "+10.0 %", "+4.7 … +15.0", "20 %")


def test_a_measurement_is_shown_in_its_own_unit_turned_so_that_more_is_better() -> None:
    own = {
        "metric": "retries", "kind": "measurement", "direction": "lower", "improvement_pct": None,
        "improvement_low_pct": None, "improvement_high_pct": None, "mean_difference": -2.5,
        "ci_low": -4.0, "ci_high": -1.0, "margin_pct": None,
    }  # fmt: skip
    assert cells(own)[0][4:7] == ("+2.500", "+1.000 … +4.000", "–")  # noqa: RUF001  an en dash


def test_a_metric_whose_better_side_nobody_knows_changed() -> None:
    unknown = {"direction": "unknown", "finding": "changed", "role": "none"}
    rates, times = cells(
        unknown, {**unknown, "kind": "measurement", "metric": "ttft_ms", "mean_difference": 594.0}
    )
    assert rates[4:6] == ("changed by +5.0 points", "+1.0 … +9.0")
    assert str(times[4]) == "changed by +594.000"
    told = " ".join(map(str, (*rates, *times)))
    assert not re.search(r"\b(better|worse)\b", told.replace("which way is better", ""))


def test_what_is_undefined_is_a_dash_not_a_zero() -> None:
    names = (
        "baseline_mean", "candidate_mean", "improvement_pct", "improvement_low_pct", "p_value",
    )  # fmt: skip
    assert cells(dict.fromkeys(names))[0][3:6] == ("–", "–", "–")  # noqa: RUF001  an en dash
    none = {"improvement_low_pct": None, "margin_pct": None}
    assert cells(none)[0][4:7] == ("+5.0 points", "–", "–")  # noqa: RUF001


def test_several_candidates_are_told_apart_and_their_names_cannot_reach_the_terminal() -> None:
    hostile = {
        "candidate_version": "2.0.0\x1b[31m", "metric": "a\nb", "finding": "\x1b", "role": "\x1b",
    }  # fmt: skip
    names = [row[0] for row in cells({}, hostile)]
    assert names == ["code-chef 1.1.0: accuracy", r"code-chef 2.0.0\x1b[31m: a\nb"]
    page = io.StringIO()
    columns = tuple(Column(name) for name in ROW)
    rows = [tuple({**ROW, **hostile}.values())]
    render(metric_table(Table(columns, rows)), Format.MARKDOWN, page)
    assert "\x1b" not in page.getvalue()


SUMMARY: Mapping[str, object] = {
    "experiment_id": "exp",
    "primary_metric": "accuracy",
    "total_tasks": 40,
    "recommendation": "needs_review",
    "recommendation_labels": [],
    "recommendation_reasons": [],
    "required_additional_tasks": None,
    "required_repetitions": None,
    "required_for": None,
    "required_note": None,
}


def _because(*codes: str, **more: object) -> dict[str, object]:
    return {"recommendation_reasons": [{"code": code, "sentence": "."} for code in codes], **more}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"required_note": "decided"}, None),
        ({"recommendation": "deploy", "required_additional_tasks": 5}, None),
        (
            {"required_additional_tasks": 1200, "required_for": "not_worse"},
            "about 1,200 more tasks, to show that it is not worse by more than the margin",
        ),
        (
            {"required_additional_tasks": 1, "required_for": "reject"},
            "about 1 more task, to show that it is worse",
        ),
        (
            {
                "required_additional_tasks": 9,
                "required_for": "deploy",
                "required_repetitions": 3,
            },
            "about 9 more tasks, to show that it is better; or 3 repetitions of these 40",
        ),
        (
            _because("direction_unknown", required_additional_tasks=5),
            (
                "the direction of accuracy: evalmart declare metric accuracy --direction "
                "lower (or higher), then evalmart build"
            ),
        ),
        (
            _because("direction_unknown", primary_metric="$(id)'; id"),
            (
                "the direction of $(id)'; id: evalmart declare metric '$(id)'\"'\"'; id' "
                "--direction lower (or higher), then evalmart build"
            ),
        ),
        (
            _because("incomparable_versions", required_additional_tasks=5),
            (
                "one version of dataset and evaluators for both arms: run or evaluate the older"
                " arm again"
            ),
        ),
        (
            _because("no_baseline", total_tasks=0, required_note="no_pairs"),
            (
                "a baseline: load its results into exp as a control group, or ingest the candidate"
                " with --baseline-experiment ID, then run evalmart build"
            ),
        ),
        (
            {"recommendation_labels": ["trade_off"], "required_note": "harm"},
            (
                "a person, who weighs what was gained against what was lost; more tasks do not"
                " change it"
            ),
        ),
        (
            {
                "required_note": "harm",
                "recommendation_reasons": [{"code": "tripwire_harmed", "metric": "politeness"}],
            },
            "a person, who looks at politeness; more tasks do not make it better",
        ),
        *(
            ({"required_note": note}, text.partition("{")[0])
            for note, text in wording.OBSTACLES.items()
        ),
    ],
)
def test_what_would_decide_it_is_a_number_only_where_tasks_decide(
    changes: dict[str, object], words: str | None
) -> None:
    told = wording.would_decide({**SUMMARY, **changes})
    assert told == words if words is None else str(told).startswith(words)
    assert told is None or "{" not in told


def test_a_verdict_is_a_word_with_its_label() -> None:
    assert wording.word(SUMMARY) == "needs review"
    told = wording.word({**SUMMARY, "recommendation_labels": ["trade_off"]})
    assert told == "needs review: a trade-off"


def test_every_code_of_the_marts_has_words() -> None:
    for mart, column, known in (
        ("experiment_metric_comparisons", "role", wording.ROLES),
        ("experiment_metric_comparisons", "role_note", wording.ROLE_NOTES),
        ("experiment_metric_comparisons", "finding", wording.FINDINGS),
        ("experiment_summaries", "required_note", {**wording.OBSTACLES, "decided": ""}),
        ("experiment_summaries", "recommendation", wording.VERDICTS),
    ):
        (path,) = (servers.REPOSITORY / "models" / "marts").rglob(f"{mart}.yml")
        described = path.read_text(encoding="utf-8").partition(f"- name: {column}\n")[2]
        codes = re.search(r"\b(?:in|values:)\s*[\[(](.*?)[\])]", described, re.DOTALL)
        assert codes is not None, column
        assert set(re.findall(r"\w+", codes[1])) == set(known), column
    macro = (servers.REPOSITORY / "macros" / "verdict" / "comparison_flags.sql").read_text("utf-8")
    assert set(re.findall(r"then\s+'(\w+)'", macro)) == set(wording.FLAGS)


def test_what_is_shown_does_not_want_more_tasks() -> None:
    flags = ["low_coverage", "underpowered"]
    missing, tasks = wording.FLAGS["low_coverage"], wording.FLAGS["underpowered"]
    for finding in ("open", "kept", "unchanged", None):
        assert wording.notes(flags, finding) == [missing, tasks]
    for finding in ("better", "worse", "harmed", "changed", "proven_kept"):
        assert wording.notes(flags, finding) == [missing]
