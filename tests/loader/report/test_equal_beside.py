"""Categories, preferences and scores of a whole arm: every place shows the marts' numbers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import servers
from places import Places, Row
from raw_rows import RawRows
from shown_numbers import Page, markdown_table, plain_table, shows_probability

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shown_numbers import Rows
    from warehouse_dbt import Dbt

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

SHOWN = ("category_counts", "pairwise_preferences", "summary_scores")
CATEGORIES, PREFERENCES, SCORES = "Categories", "Preferred when", "Scores of a whole arm"
HOSTILE = "<b>off|topic</b> *x*"


def records(experiment: str) -> Iterator[Row]:
    for group, liked in (("baseline", 0), ("code-chef", 1)):
        for task in range(14):
            entry = {
                "comparative_experiment_id": "cmp", "feedback_group_id": f"g{task}",
                "key": "liked", "score": liked if task > 2 else 1 - liked, "outcome": "pairwise",
            }  # fmt: skip
            category = HOSTILE if task % 5 == 0 and liked else "warm" if task % 3 else "cold"
            yield {
                "experiment_id": experiment, "experiment_group": group, "task_id": f"t{task}",
                "extension_version": "1.0.0", "scores": {"accuracy": 0.5 + task / 100},
                "labels": None if task == 13 else {"tone": category},
                "feedback": [entry] if task < 12 and experiment == "both" else [],
            }  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(
    postgres_server: str, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Places]:
    """Give an experiment with both arms, one without a candidate, and one with neither of it."""
    with servers.migrated(postgres_server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            raw = RawRows(connection)
            load_id = raw.load(records("both"))
            for group, score in (("baseline", 0.25), ("code-chef", 0.375)):
                raw.tell(
                    "summary_scores", load_id, experiment_id="both", experiment_group=group,
                    extension_version="1.0.0", feedback_id=group, evaluator_key="f1", score=score,
                    author_kind="evaluator", scored_at="2026-01-01T00:00:00Z",
                )  # fmt: skip
            raw.tell(
                "summary_scores", load_id, experiment_id="both", experiment_group="code-chef",
                extension_version="1.0.0", feedback_id="said", evaluator_key="grade", label="A|B",
                comment="read", author_kind="person",
            )  # fmt: skip
            raw.load([row for row in records("alone") if row["experiment_group"] == "baseline"])
            raw.load([{**row, "labels": None} for row in records("neither")])
        dbt.build(url, "--exclude-resource-type", "test")
        place = Places(url, tmp_path_factory.mktemp("shown"))
        yield place
        place.connection.close()


def parts(text: str) -> dict[str, str]:
    """Return what follows each of the headings, with the heading's first words."""
    pieces = re.split(rf"^(?={CATEGORIES}, |{PREFERENCES} |{SCORES} )", text, flags=re.MULTILINE)
    return {
        name: piece
        for piece in pieces
        for name in (CATEGORIES, PREFERENCES, SCORES)
        if piece.startswith(name)
    }


def tables(warehouse: Places, experiment: str) -> dict[str, dict[str, Rows]]:
    """Return the tables of every place that has them for people."""
    found = {}
    for command in ("summary", "compare"):
        plain = parts(warehouse.run(command, "--experiment", experiment))
        found[command] = {name: plain_table(text.splitlines()) for name, text in plain.items()}
        marked = parts(warehouse.run(command, "--experiment", experiment, "--format", "markdown"))
        found[f"{command}.md"] = {name: markdown_table(text) for name, text in marked.items()}
    marked = parts(warehouse.run("report", "--experiment", experiment, "-o", "-"))
    found["report.md"] = {name: markdown_table(text) for name, text in marked.items()}
    page = warehouse.page("--experiment", experiment)
    found["report.html"] = {
        name: rows
        for caption, rows in page.tables.items()
        for name in (CATEGORIES, PREFERENCES, SCORES)
        if caption.startswith(name)
    }
    return found


def counted(warehouse: Places, experiment: str) -> dict[tuple[str, str], dict[str, Row]]:
    """Return the rows of category_counts, by key and category, then by group."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in warehouse.rows(
        "select * from evals.category_counts where experiment_id = %s", experiment
    ):
        name = row["evaluator_key"], row["category"]
        found.setdefault(name, {})[row["experiment_group"]] = row
    return found


def test_every_place_has_the_same_categories(warehouse: Places) -> None:
    expected = counted(warehouse, "both")
    assert len(expected) == 3
    for place, shown in tables(warehouse, "both").items():
        rows = {(row["key"], row["category"]): row for row in shown[CATEGORIES]}
        told = {name: (row["baseline"], row["candidate"]) for name, row in rows.items()}
        assert told == {
            name: tuple(
                f"{100 * row['share_of_runs']:.1f} % ({row['runs']} of {row['labelled_runs']})"
                if (row := arms.get(group))
                # of 13 that have a category none has this one
                else "0.0 % (0 of 13)"
                for group in ("baseline", "code-chef")
            )
            for name, arms in expected.items()
        }, place


def test_every_place_has_the_same_preferences(warehouse: Places) -> None:
    (mart,) = warehouse.rows("select * from evals.pairwise_preferences")
    assert (mart["wins"], mart["losses"], mart["ties"], mart["unpaired"]) == (9, 3, 0, 0)
    low, high = (100 * mart[f"win_share_{end}"] for end in ("low", "high"))
    for place, shown in tables(warehouse, "both").items():
        (row,) = shown[PREFERENCES]
        assert (row["won"], row["lost"], row["tied"], row["unpaired"]) == ("9", "3", "0", "0")
        assert row["share won"] == f"75.0 % ({low:.1f} … {high:.1f})", place
        assert shows_probability(row["p"], mart["p_value"]), place
        assert (row["candidate"], row["baseline"]) == (
            "code-chef 1.0.0 of both", "baseline 1.0.0 of both",
        )  # fmt: skip


def test_every_place_has_the_same_scores_of_whole_arms(warehouse: Places) -> None:
    dash = "–"  # noqa: RUF001  as printed tables have it
    for place, shown in tables(warehouse, "both").items():
        rows = {row["key"]: (row["baseline"], row["candidate"]) for row in shown[SCORES]}
        told = {key: tuple(text.replace("\\", "") for text in texts) for key, texts in rows.items()}
        assert told == {"f1": ("0.25", "0.375"), "grade": (dash, "A|B (a person)")}, place


def test_programs_get_the_rows_of_the_marts(warehouse: Places) -> None:
    (row,) = warehouse.program("summary", "--experiment", "both")
    for mart in SHOWN:
        (exported,) = (
            warehouse.rows(
                f"select jsonb_agg(to_jsonb(found)) as rows from evals.{mart} as found"
                " where to_jsonb(found) @> '{\"experiment_id\": \"both\"}'"
                " or to_jsonb(found) @> '{\"candidate_experiment_id\": \"both\"}'"
            )
        )  # fmt: skip
        assert sorted(map(canonical, row[mart])) == sorted(map(canonical, exported["rows"]))
        path = warehouse.directory / f"{mart}.csv"
        warehouse.run("export", str(path), "--mart", mart)
        (count,) = warehouse.rows(f"select count(*) as rows from evals.{mart}")
        assert len(path.read_text().splitlines()) == count["rows"] + 1


def canonical(row: dict[str, Any]) -> str:
    told = {name: str(value) if name == "scored_at" else value for name, value in row.items()}
    return json.dumps(told, sort_keys=True)


def test_what_is_not_known_is_said(warehouse: Places) -> None:
    note = "what tone would say of 1 run of the {} without a category"
    for text in (
        warehouse.run("summary", "--experiment", "both"),
        warehouse.run("compare", "--experiment", "both"),
        warehouse.page("--experiment", "both").text,
    ):
        assert note.format("candidate") in text
        assert note.format("baseline") in text


def test_an_arm_without_a_candidate_shows_what_is_said_of_it(warehouse: Places) -> None:
    for text in (
        warehouse.run("summary", "--experiment", "alone"),
        warehouse.run("summary", "--experiment", "alone", "--format", "markdown"),
        warehouse.run("report", "--experiment", "alone", "-o", "-"),
    ):
        assert list(parts(text)) == [CATEGORIES]
        assert "baseline 1.0.0" in text
        assert "61.5 % (8 of 13)" in text
    page = warehouse.page("--experiment", "alone")
    assert {"38.5 % (5 of 13)", "61.5 % (8 of 13)"} == {
        row["baseline 1.0.0"] for row in page.table(CATEGORIES)
    }


def test_nothing_is_shown_where_there_is_nothing(warehouse: Places) -> None:
    assert all(not found for found in tables(warehouse, "neither").values())
    (row,) = warehouse.program("summary", "--experiment", "neither")
    assert [row[mart] for mart in SHOWN] == [[], [], []]


def test_a_category_cannot_leave_its_cell(warehouse: Places) -> None:
    page: Page = warehouse.page("--experiment", "both")
    assert "<b>off" not in page.text
    assert "&lt;b&gt;off|topic&lt;/b&gt;" in page.text
    for command in (["summary", "--format", "markdown"], ["report", "-o", "-"]):
        text = warehouse.run(command[0], "--experiment", "both", *command[1:])
        (line,) = (line for line in text.splitlines() if "topic" in line)
        assert "\\<b\\>off\\|topic\\</b\\> \\*x\\*" in line
