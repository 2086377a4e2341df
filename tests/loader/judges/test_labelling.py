"""Tasks drawn for people to label: each with the same chance, blind to the arm, and read back."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from ingest_support import load_records, select
from loader.cli import cli
from loader.cli.label import label
from loader.judges.labelling import COLUMNS, as_csv, blind_name, draw
from loader.marts.labels import Labelable
from loader.warehouse.variables import project_variables

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse_dbt import Dbt

GROUPS = ("baseline", "code-chef")


def labelable(task: int, arm: str, repetition: int = 1, value: float = 1.0) -> Labelable:
    category = "hard" if task % 4 == 0 else "easy"
    run = f"{arm}-{task}-{repetition}"
    return Labelable(f"t{task}", arm, "e", "file", run, "accuracy", category, value,
                     "=2+2", f"answer of {task}", None)  # fmt: skip


RUNS = [
    labelable(task, arm, repetition, float(task % 10 > 0 or arm == "baseline"))
    for task in range(40)
    for arm in ("baseline", "candidate")
    for repetition in (1, 2)
]


def test_every_task_has_the_same_chance_and_each_stratum_its_share() -> None:
    seen: Counter[str] = Counter()
    for seed in range(2000):
        drawn = draw(RUNS, 10, seed)
        assert (drawn.tasks, drawn.population, len(drawn.runs)) == (10, 40, 20)
        tasks = {run.task_id for run in drawn.runs}
        assert len(tasks) == 10
        seen.update(tasks)
        hard = {run.task_id for run in drawn.runs if run.category == "hard"}
        assert len(hard) in {2, 3}
    # 500 expected of each, sd 19.4
    assert set(seen) == {f"t{task}" for task in range(40)}
    assert all(abs(count - 500) < 5 * 19.4 for count in seen.values())


def test_a_run_of_each_arm_is_drawn_the_same_for_the_same_seed_in_any_order() -> None:
    first = draw(RUNS, 7, 3)
    assert Counter(run.arm for run in first.runs) == {"baseline": 7, "candidate": 7}
    assert draw(reversed(RUNS), 7, 3) == first
    assert draw(RUNS, 7, 4) != first
    assert draw(RUNS, 400, 1).tasks == 40
    assert draw([run for run in RUNS if run.arm == "baseline"], 7, 1).population == 0
    # where a line stands says nothing of its arm
    places = [run.arm for run in draw(RUNS, 40, 1).runs]
    assert 5 < sum(one != other for one, other in pairwise(places)) < 75


def test_no_cell_tells_the_arm_and_none_is_a_formula() -> None:
    text = as_csv(draw(RUNS, 40, 1).runs)
    assert "candidate" not in text
    assert "baseline" not in text
    rows = list(csv.DictReader(text.splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert {row["inputs"] for row in rows} == {"'=2+2"}
    assert len({row["run"] for row in rows}) == 80


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


@pytest.mark.newest_server
def test_what_is_written_is_read_back_as_annotations(
    database_url: str, dbt: Dbt, tmp_path: Path
) -> None:
    load_records(
        database_url,
        [
            {
                "experiment_id": "e", "task_id": f"t{task}", "experiment_group": group,
                "extension_version": "1.0.0", "source_run_id": f"{group}-{task}-{repetition}",
                "repetition": repetition, "scores": {"accuracy": float(task % 2)},
            }
            for task in range(30)
            for group in GROUPS
            for repetition in (1, 2)
        ],
    )  # fmt: skip
    dbt.build(database_url)
    file = tmp_path / "labels.csv"
    asked = ("label", "--experiment", "e", "--n", "12", "--database-url", database_url)
    done = run(*asked, "--output", str(file))
    assert done.exit_code == 0, done.output
    assert "24 runs of 12 of 30 tasks, accuracy" in done.output
    text = file.read_text(encoding="utf-8")
    assert not any(group in text for group in GROUPS)
    again = run(*asked, "--output", str(file))
    assert again.exit_code == 2
    assert file.read_text(encoding="utf-8") == text
    rows = list(csv.DictReader(text.splitlines()))
    for row in rows:
        row["score"] = "1"
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    said = ("annotate", "--author", "ana", "--database-url", database_url)
    done = run(*said, "--file", str(file))
    assert done.exit_code == 0, done.output
    assert "read 24 · loaded 24 · unchanged 0 · rejected 0" in done.output
    stored = select(
        database_url,
        "select experiment_id, source, source_run_id, experiment_group from raw_evals.annotations",
    )
    assert {blind_name(*row[:3]) for row in stored} == {row["run"] for row in rows}
    assert Counter(row[3] for row in stored) == dict.fromkeys(GROUPS, 12)
    # what is labelled is not drawn again
    dbt.build(database_url)
    rest = tmp_path / "rest.csv"
    done = run(*asked[:-4], "--n", "99", *asked[-2:], "--output", str(rest))
    assert "36 runs of 18 of 18 tasks" in done.output
    wrong = run("label", "--experiment", "E", *asked[-2:], "--output", str(tmp_path / "x"))
    assert wrong.exit_code == 2
    assert "did you mean" in wrong.output


def test_as_many_are_drawn_as_prove_something() -> None:
    (drawn,) = (option for option in label.params if option.name == "tasks")
    assert drawn.default == project_variables()["minimum_labels"]
