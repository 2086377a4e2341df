"""The sample with a biased judge: as biased as it says, the same for the same seed."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from loader.sources.judged_sample import LABELLED, TASKS, write_judged_sample

if TYPE_CHECKING:
    from pathlib import Path


def test_its_judge_favours_the_candidate_and_people_do_not(tmp_path: Path) -> None:
    runs, people = write_judged_sample(tmp_path / "one", 5)
    records = [json.loads(line) for line in runs.read_text(encoding="utf-8").splitlines()]
    said = list(csv.DictReader(people.read_text(encoding="utf-8").splitlines()))
    assert (len(records), len(said)) == (2 * TASKS, 2 * LABELLED)
    judged = {record["source_run_id"]: record["scores"]["accuracy"] for record in records}

    def gain(scores: dict[str, float]) -> float:
        arms = [[score for run, score in scores.items() if run.startswith(arm)]
                for arm in ("code-chef", "baseline")]  # fmt: skip
        return sum(arms[0]) / len(arms[0]) - sum(arms[1]) / len(arms[1])

    truth = {row["run"]: float(row["score"]) for row in said}
    assert gain(judged) > 0.06
    assert abs(gain(truth)) < 0.06
    again = write_judged_sample(tmp_path / "two", 5)
    assert [path.read_bytes() for path in again] == [runs.read_bytes(), people.read_bytes()]
