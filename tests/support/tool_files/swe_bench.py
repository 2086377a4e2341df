"""Files in the shape of SWE-bench's harness, with instances and patches made up here."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

MODEL: Final = "made/model-1.5"
RUN_ID: Final = "first"
STEM: Final = f"made__model-1.5.{RUN_ID}"
_OUTCOMES: Final = ("resolved", "unresolved", "empty_patch", "error")
_PATCH: Final = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +60 @@\n-a\n+{}\n" + (
    "+        return self.made.of(nothing)\n" * 60
)
"""As long as patches are: of a large file, most is patches."""


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write a report of so many instances, and their predictions beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = random.Random(seed)  # noqa: S311  of a test
    outcomes = {
        instance(number): chosen.choices(_OUTCOMES, (4, 4, 1, 1))[0] for number in range(runs)
    }
    path = folder / f"{STEM}.json"
    path.write_text(json.dumps(report(outcomes, missing=3), indent=4), encoding="utf-8")
    predictions = folder / "all_preds.jsonl"
    with predictions.open("w", encoding="utf-8") as stream:
        for name, outcome in outcomes.items():
            stream.write(json.dumps(prediction(name, outcome)) + "\n")
    return [path, predictions]


def instance(number: int) -> str:
    """Name an instance."""
    return f"made__repository{number % 3}-{1000 + number}"


def prediction(name: str, outcome: str) -> dict[str, Any]:
    """Make the prediction of an instance."""
    patch = "" if outcome == "empty_patch" else _PATCH.format(name)
    return {"instance_id": name, "model_name_or_path": MODEL, "model_patch": patch}


def report(outcomes: dict[str, str], *, missing: int = 0) -> dict[str, Any]:
    """Make the report of a run of the harness.

    Args:
        outcomes: instance to resolved, unresolved, empty_patch or error.
        missing: instances of the dataset that were not submitted.

    """
    ids = {each: sorted(i for i, o in outcomes.items() if o == each) for each in _OUTCOMES}
    completed = sorted([*ids["resolved"], *ids["unresolved"]])
    incomplete = [f"made__missing-{number}" for number in range(missing)]
    return {
        "total_instances": len(outcomes) + missing,
        "submitted_instances": len(outcomes),
        "completed_instances": len(completed),
        "resolved_instances": len(ids["resolved"]),
        "unresolved_instances": len(ids["unresolved"]),
        "empty_patch_instances": len(ids["empty_patch"]),
        "error_instances": len(ids["error"]),
        "completed_ids": completed,
        "incomplete_ids": incomplete,
        "empty_patch_ids": ids["empty_patch"],
        "submitted_ids": sorted(outcomes),
        "resolved_ids": ids["resolved"],
        "unresolved_ids": ids["unresolved"],
        "error_ids": ids["error"],
        "schema_version": 2,
    }


def single(name: str, *, is_resolved: bool, is_applied: bool = True) -> dict[str, Any]:
    """Make the report of one instance."""
    return {
        name: {
            "patch_is_None": False,
            "patch_exists": True,
            "patch_successfully_applied": is_applied,
            "resolved": is_resolved,
            "tests_status": {
                "FAIL_TO_PASS": {"success": ["t1"] if is_resolved else [], "failure": ["t2"]},
                "PASS_TO_PASS": {"success": ["t3", "t4"], "failure": []},
                "FAIL_TO_FAIL": {"success": [], "failure": []},
            },
        }
    }
