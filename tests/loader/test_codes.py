"""Every code that the marts may hold is told in words; the marts refuse any other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import report_rows as rows
import yaml

from loader.report import metrics, page, verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

_REPOSITORY = Path(__file__).resolve().parents[2]
_CODE = re.compile(r"""['"]([a-z]+(?:_[a-z]+)*)['"]""")


def _listed(mart: str, column: str) -> set[str]:
    """Return the codes that the check of a mart's column allows: the one place that lists them."""
    path = _REPOSITORY / "models" / "marts" / f"{mart}.yml"
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


REASONS = _listed("experiment_summaries", "recommendation_reasons")
FLAGS = _listed("experiment_metric_comparisons", "flags")
LABELS = _listed("experiment_summaries", "recommendation_labels")
LEFT_OUT = _listed("evaluation_comparison_view", "not_comparable_reason")


def test_the_codes_that_are_listed_are_those_the_models_write() -> None:
    flags = re.findall(r"then '(\w+)'", _sql("macros/comparison_flags.sql"))
    assert set(flags) == FLAGS
    paired = _sql("models/intermediate/int_results_paired.sql")
    column = paired[: paired.index("end as not_comparable_reason")]
    assert set(re.findall(r"then '(\w+)'", column[column.rindex("case") :])) == LEFT_OUT
    verdicts = _sql("models/intermediate/int_experiment_verdicts.sql")
    macro = _sql("macros/verdict_sentences.sql")
    findings = re.findall(r"^\(\n    \d+,\n    '(\w+)'", macro, re.MULTILINE)
    told = re.findall(r"'(\w+)' (?:end )?as code|'code', '(\w+)'", verdicts)
    either = verdicts[: verdicts.index("end as code")]
    branches = re.findall(r"(?:then|else) '(\w+)'", either[either.rindex("case") :])
    written = {*findings, *branches, *(one or other for one, other in told)}
    written |= set(re.findall(r'"code": "(\w+)"', _sql("models/marts/experiment_summaries.sql")))
    assert written == REASONS


@pytest.mark.parametrize(
    ("codes", "texts"),
    [
        (REASONS, verdict.REASONS),
        (LABELS, verdict.LABELS),
        (FLAGS, metrics.FLAGS),
    ],
    ids=["reasons", "labels", "flags"],
)
def test_every_code_has_a_sentence_and_no_sentence_is_of_no_code(
    codes: set[str], texts: Mapping[str, str]
) -> None:
    assert texts.keys() == codes
    assert all("_" not in text for text in texts.values())


@pytest.mark.parametrize("output", ["html", "md"])
def test_no_code_reaches_a_page(output: str) -> None:
    whole = rows.experiment(task_ids=sorted(LEFT_OUT))
    tasks: list[dict[str, Any]] = [
        {**task, "not_comparable_reason": code}
        for task, code in zip(whole.tasks, sorted(LEFT_OUT), strict=True)
    ]
    shown = whole._replace(
        summaries=[
            {
                **whole.summaries[0],
                "recommendation_reasons": sorted(REASONS),
                "recommendation_labels": sorted(LABELS),
            }
        ],
        comparisons=[rows.comparison("accuracy", 0.1, 0.05, 0.15, flags=sorted(FLAGS))],
        tasks=[{**task, "task_id": f"task {place}"} for place, task in enumerate(tasks)],
    )
    text = page.render_experiment(shown, {}, output).replace("\\", "")
    codes = [code for code in REASONS | FLAGS | LEFT_OUT if "_" in code]
    assert [code for code in codes if re.search(rf"(?<!-){code}\b", text)] == []
