"""Every code that the marts may hold is told in words; the marts refuse any other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import report_rows as rows
import servers
from loader.gate import bars as gate_bars
from loader.gate import decision as gate
from loader.gate import guards as gate_guards
from loader.gate import history as gate_history
from loader.gate import obstacles as gate_obstacles
from loader.report import page, tasks
from loader.show import wording

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

_REPOSITORY = servers.REPOSITORY
_CODE = re.compile(r"""['"]([a-z]+(?:_[a-z]+)*)['"]""")


def _listed(mart: str, column: str) -> set[str]:
    """Return the codes that the check of a mart's column allows: the one place that lists them."""
    (path,) = (_REPOSITORY / "models" / "marts").rglob(f"{mart}.yml")
    (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    (found,) = (item for item in model["columns"] if item["name"] == column)
    checks = [
        constraint["expression"]
        for constraint in found["constraints"]
        if constraint["type"] == "check"
    ]
    assert len(checks) == 1, f"{mart}.{column} has to list its codes"
    return set(_CODE.findall(checks[0]))


def _sql(*paths: str) -> str:
    return "".join((_REPOSITORY / path).read_text(encoding="utf-8") for path in paths)


REASONS = _listed("experiment_summaries", "recommendation_reasons") - {"code"}
FLAGS = _listed("experiment_metric_comparisons", "flags")
LABELS = _listed("experiment_summaries", "recommendation_labels")
NOTES = _listed("experiment_summaries", "required_note")
LEFT_OUT = _listed("evaluation_comparison_view", "not_comparable_reason")


def test_a_part_may_have_the_codes_of_the_whole() -> None:
    assert _listed("experiment_segment_comparisons", "flags") == FLAGS
    parts = _listed("experiment_segment_verdicts", "recommendation_reasons")
    assert parts - {"code"} == REASONS


def test_the_codes_that_are_listed_are_those_the_models_write() -> None:
    flags = re.findall(r"then '(\w+)'", _sql("macros/verdict/comparison_flags.sql"))
    assert set(flags) == FLAGS
    paired = _sql("models/intermediate/comparisons/int_results_paired.sql")
    column = paired[: paired.index("end as not_comparable_reason")]
    assert set(re.findall(r"then '(\w+)'", column[column.rindex("case") :])) == LEFT_OUT
    of_metrics = _sql("macros/verdict/verdict_findings.sql")
    reasons = _sql("macros/verdict/verdict_reasons.sql")
    unpaired = _sql("macros/verdict/unpaired_headline.sql")
    findings = re.findall(r"'(\w+)' as code", of_metrics)
    # a finding whose code depends: the alternatives of its case
    cases = re.findall(r"^    (case[^\n]*end) as code,$", of_metrics, re.MULTILINE)
    either = [code for case in cases for code in re.findall(r"(?:then|else) '(\w+)'", case)]
    composite = re.findall(r"(?:then|else) '(composite_\w+)'", reasons)
    plain = re.findall(r"'(\w+)' as code", reasons)
    absent = re.findall(r"(?:then|else) '(\w+)'", unpaired[: unpaired.index("endmacro")])
    assert {*findings, *either, *composite, *plain, *absent} == REASONS


@pytest.mark.parametrize(
    ("codes", "texts"),
    [
        (LABELS, wording.LABELS),
        (FLAGS, wording.FLAGS),
        (_listed("experiment_metric_comparisons", "finding"), wording.FINDINGS),
        (_listed("experiment_metric_comparisons", "role"), wording.ROLES),
        (_listed("experiment_metric_comparisons", "role_note"), wording.ROLE_NOTES),
        (_listed("experiment_summaries", "recommendation"), wording.VERDICTS),
        # what is decided has nothing in its way
        (NOTES - {"decided"}, wording.OBSTACLES),
        (LEFT_OUT, tasks.REASONS),
    ],
    ids=["labels", "flags", "findings", "roles", "role notes", "verdicts", "notes", "left out"],
)
def test_every_code_has_words_and_no_words_are_of_no_code(
    codes: set[str], texts: Mapping[str, str]
) -> None:
    assert texts.keys() == codes
    assert all(not re.search(r"(?<![{/])\b[a-z]+_[a-z]+\b", text) for text in texts.values())


def test_what_stands_in_the_way_goes_by_reasons_that_there_are() -> None:
    named = {code for codes in wording.ABOUT.values() for code in codes}
    assert named | wording.ABSENT.keys() | wording.BLOCKING.keys() <= REASONS | {"no_candidate"}
    assert gate.ONE_ARM <= REASONS


@pytest.mark.parametrize("module", [gate, gate_bars, gate_guards, gate_history])
def test_every_reason_of_a_policy_that_holds_back_says_what_would_decide(
    module: ModuleType,
) -> None:
    source = Path(module.__file__ or "").read_text(encoding="utf-8")
    written = set(re.findall(r'(?:Reason|_open|reason)\(\s*"(\w+)"', source))
    written |= set(re.findall(r'\b(?:verdict, )?code(?:, rest)? = [^\n]*?"(\w+)"', source))
    holding_back = written - {
        # these block, or let pass
        "critical_task_broken", "floor_held", "floor_missed", "harmed", "margin_held",
        "no_regression", "not_worse_passes", "regression_allowed", "regression_blocks",
    }  # fmt: skip
    assert holding_back <= gate_obstacles.POLICY.keys()


@pytest.mark.parametrize("output", ["html", "md"])
def test_no_code_reaches_a_page(output: str) -> None:
    whole = rows.experiment(task_ids=sorted(LEFT_OUT))
    left_out: list[dict[str, Any]] = [
        {**task, "not_comparable_reason": code}
        for task, code in zip(whole.tasks, sorted(LEFT_OUT), strict=True)
    ]
    shown = whole._replace(
        summaries=[{**whole.summaries[0], "recommendation_labels": sorted(LABELS)}],
        comparisons=[rows.comparison("accuracy", 0.1, 0.05, 0.15, flags=sorted(FLAGS))],
        tasks=[{**task, "task_id": f"task {place}"} for place, task in enumerate(left_out)],
    )
    text = page.render_experiment(shown, {}, output).replace("\\", "")
    codes = [code for code in REASONS | FLAGS | LEFT_OUT | LABELS | NOTES if "_" in code]
    assert [code for code in codes if re.search(rf"(?<!-){code}\b", text)] == []
