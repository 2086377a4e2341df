"""`summary`: the verdict, why, and what cannot be told."""

import json
from collections import Counter
from pathlib import Path

import pytest

from loader.sources.sample import EXPERIMENT_ID
from reading_sample import (
    SHARED,
    Built,
    results,
    sample_winners,
    winners,
)

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]


def test_the_summary_counts_what_an_independent_count_finds(built: Built) -> None:
    counts = Counter(sample_winners(built).values())
    (row,) = built.json("summary", "--experiment", EXPERIMENT_ID)
    assert row["total_tasks"] == 150
    assert row["candidate_wins"] == counts["candidate"]
    assert row["baseline_wins"] == counts["baseline"]
    assert row["ties"] == counts["tie"]
    assert row["undecided_tasks"] == counts[None] >= 1


@pytest.mark.parametrize("path", [SHARED] if SHARED.exists() else [])
def test_the_summary_of_real_results_agrees_too(built: Built, path: Path) -> None:
    counts = Counter(winners(results([path], "popularity-gpt5-vs-gemini", "accuracy")).values())
    (row,) = built.json("summary", "--experiment", "popularity-gpt5-vs-gemini")
    assert row["total_tasks"] == 100 == counts.total()
    assert (row["candidate_wins"], row["baseline_wins"], row["ties"]) == (
        counts["candidate"],
        counts["baseline"],
        counts["tie"],
    )


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_the_summary_opens_with_the_sentence_then_the_reasons_in_order(
    built: Built, output: str
) -> None:
    (row,) = built.json("summary", "--experiment", EXPERIMENT_ID)
    printed = built.run("summary", "--experiment", EXPERIMENT_ID, "--format", output).stdout
    text = printed.replace("\\", "")
    sentences = [reason["sentence"] for reason in row["recommendation_reasons"]]
    assert sentences
    parts = [
        f"{EXPERIMENT_ID}: code-chef 1.10.0 against its baseline",
        row["headline"],
        f"Recommendation: {row['recommendation'].replace('_', ' ')}",
        *sentences,
        f"By accuracy, the candidate won {row['candidate_wins']}, lost",
        " → ".join(f"{row[f'{arm}_accuracy']:.3f}" for arm in ("baseline", "candidate")),
        "What this does not tell:",
        "who won 1 task: an arm has no score there",
        "For comparison only: legacy_recommendation, by averages alone, says",
    ]
    place = 0
    for part in parts:
        place = text.index(part, place)
    assert text.count(row["headline"]) == 1
    assert "weighted" not in text
    assert "rule of" not in text.lower()


def test_a_baseline_measured_elsewhere_is_named(built: Built) -> None:
    text = built.run("summary", "--experiment", "exp-2024-12-002").stdout
    assert "code-chef 1.9.0 against its baseline in exp-2024-11-001" in text
    assert "reject" in text


def test_an_experiment_with_one_arm_has_no_verdict(built: Built) -> None:
    (row,) = built.json("summary", "--experiment", "alone")
    assert row["headline"].startswith("No baseline: alone has no result of a control group")
    text = built.run("summary", "--experiment", "alone").stdout
    assert row["headline"] in text
    assert "What would decide it: a baseline: load its results into alone as a control" in text
    assert "or ingest the candidate with --baseline-experiment ID, then run evalmart build" in text
    assert "1 task only in the candidate" in text
    text = built.run("summary", "--experiment", "only-baseline").stdout
    assert "only-baseline has no candidate's result yet: nothing to compare." in text
    assert "evalmart ingest --experiment-id only-baseline --experiment-group GROUP" in text
    assert built.json("summary", "--experiment", "only-baseline") == []


def test_arms_that_share_no_task_are_told_which_they_have(built: Built) -> None:
    (row,) = built.json("summary", "--experiment", "apart")
    assert [reason["code"] for reason in row["recommendation_reasons"]] == ["nothing_shared"]
    text = built.run("summary", "--experiment", "apart").stdout
    assert row["headline"] in text
    assert (
        "What would decide it: tasks that both arms have: their ids have to be the same"
        " (the baseline has 1, 2, 3; the candidate has q-1, q-2, q-3);"
    ) in text
    # what is known of an arm alone, with its interval
    line = next(line for line in text.splitlines() if line.startswith("code-chef 2.0.0"))
    assert "0.750 (0." in line


def test_a_part_that_is_proven_worse_is_told_though_the_whole_is_not(
    built: Built, tmp_path: Path
) -> None:
    (row,) = built.json("summary", "--experiment", "parts")
    assert row["recommendation"] == "needs_review"
    assert row["improvement_pct"] == 0
    printed = [built.run("summary", "--experiment", "parts").stdout]
    for name in ("a.md", "a.html"):
        path = tmp_path / name
        assert built.run("report", "--experiment", "parts", "-o", path).exit_code == 0
        printed.append(path.read_text(encoding="utf-8").replace("\\", ""))
    for text in printed:
        told = text[text.index("Proven worse in a part:") :]
        assert "category physics: Less accurate (-25 points" in told[:400]
        assert "chemistry: Less" not in text


def test_what_is_loaded_but_not_built_is_told_so(built: Built, tmp_path: Path) -> None:
    path = tmp_path / "late.jsonl"
    path.write_text(json.dumps({
        "experiment_id": "late", "task_id": "t", "experiment_group": "code-chef",
        "extension_version": "1.0.0",
    }))  # fmt: skip
    assert built.run("ingest", "--file", path).exit_code == 0
    for command in ("summary", "compare", "report", "catalog"):
        more = ["-o", str(tmp_path / "late.html")] if command == "report" else []
        result = built.run(command, "--experiment", "late", *more)
        assert result.exit_code == 2
        assert "late is loaded but not built yet; run evalmart build" in result.stderr


def test_an_experiment_without_scores_is_not_decided(built: Built) -> None:
    (row,) = built.json("summary", "--experiment", "timing")
    assert row["total_tasks"] == 20
    assert (row["candidate_wins"], row["baseline_wins"], row["ties"]) == (0, 0, 0)
    text = built.run("summary", "--experiment", "timing").stdout
    assert "20 tasks in both arms; no score says who won them." in text
    assert "anything about quality: no run has a score" in text
