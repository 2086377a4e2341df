"""What people read of one metric: every label of the mart has its words."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from loader.metric_page import metric_table
from loader.render import render
from loader.tables import Column, Format, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

ROW: Mapping[str, object] = {
    "candidate_group": "code-chef",
    "candidate_version": "1.1.0",
    "metric": "accuracy",
    "kind": "score",
    "direction": "higher",
    "n_pairs": 40,
    "baseline_mean": 0.5,
    "candidate_mean": 0.55,
    "mean_difference": 0.05,
    "ci_low": 0.01,
    "ci_high": 0.09,
    "ratio": None,
    "ratio_low": None,
    "ratio_high": None,
    "p_value": 0.016,
    "p_value_holm": 0.032,
    "is_equivalent": False,
    "is_underpowered": False,
    "flags": [],
}


def cells(*rows: Mapping[str, object]) -> list[tuple[object, ...]]:
    whole = [{**ROW, **row} for row in rows]
    columns = tuple(Column(name) for name in ROW)
    return list(metric_table(Table(columns, [tuple(row.values()) for row in whole])).rows)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "better, more than chance explains (p = 0.016)"),
        ({"direction": "lower"}, "worse, more than chance explains (p = 0.016)"),
        ({"mean_difference": -0.05}, "worse, more than chance explains (p = 0.016)"),
        ({"p_value": 1e-9, "p_value_holm": 1e-8}, "better, more than chance explains (p < 0.0001)"),
        ({"p_value_holm": 0.06}, "better, were it the only metric looked at (p = 0.016)"),
        ({"p_value": 0.4}, "may well be chance (p = 0.4)"),
        ({"p_value": 0.4, "is_underpowered": True}, "cannot tell: too few tasks (p = 0.4)"),
        ({"p_value": 0.4, "is_equivalent": True}, "the same, within its margin (p = 0.4)"),
        ({"p_value": 1.0, "mean_difference": 0.0}, "may well be chance (p = 1)"),
        ({"p_value": None}, "nothing: too few pairs"),
        ({"p_value": None, "flags": ["no_pairs"]}, "nothing: no task has it in both arms"),
        (
            {"p_value": None, "flags": ["few_clusters"]},
            "nothing: too few independent groups of tasks",
        ),
    ],
)
def test_a_test_is_read_in_words(changes: dict[str, object], words: str) -> None:
    assert cells(changes)[0][-1] == words


def test_scores_are_shown_in_points_and_costs_as_the_ratio_of_the_arms() -> None:
    cost = {
        "metric": "cost_usd", "kind": "cost", "direction": "lower", "baseline_mean": 0.02,
        "candidate_mean": 0.018, "mean_difference": -0.002, "ci_low": -0.003, "ci_high": -0.001,
        "ratio": 0.9, "ratio_low": 0.85, "ratio_high": 0.953,
    }  # fmt: skip
    score, saved = cells({}, cost)
    assert score[1:5] == (40, "0.500 → 0.550", "+5.0 points", "+1.0 … +9.0")
    assert saved[1:5] == (40, "$0.02000 → $0.01800", "-10.0 %", "-15.0 … -4.7")


def test_what_is_undefined_is_a_dash_not_a_zero() -> None:
    none = dict.fromkeys(
        ("baseline_mean", "candidate_mean", "mean_difference", "ci_low", "ci_high", "p_value")
    )
    assert cells(none)[0][2:5] == ("–", "–", "–")  # noqa: RUF001  an en dash
    assert cells({"ci_low": None, "ci_high": None})[0][3:5] == ("+5.0 points", "–")  # noqa: RUF001


def test_several_candidates_are_told_apart_and_their_names_cannot_reach_the_terminal() -> None:
    hostile = {"candidate_version": "2.0.0\x1b[31m", "metric": "a\nb"}
    names = [row[0] for row in cells({}, hostile)]
    assert names == ["code-chef 1.1.0: accuracy", r"code-chef 2.0.0\x1b[31m: a\nb"]
    page = io.StringIO()
    columns = tuple(Column(name) for name in ROW)
    rows = [tuple({**ROW, **hostile}.values())]
    render(metric_table(Table(columns, rows)), Format.MARKDOWN, page)
    assert "\x1b" not in page.getvalue()
