"""Directions that a service says decide; categories, preferences and summaries are shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest
from click.testing import CliRunner
from scipy.stats import binomtest

import servers
from close_values import agrees
from loader.cli import cli
from loader.ingest.withdrawals import Slice
from raw_rows import RawRows
from shown_rows import (
    ARMS,
    PREFERENCES,
    SAID,
    Row,
    falling,
    preferred,
    run,
    say,
    summarise,
    third,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

Connection = psycopg.Connection[Any]

COMPARED = "experiment_metric_comparisons"
# Experiment → recommendation, direction, who says so.
JUDGED = {
    "lower": ("deploy", "lower", "service"),
    "higher": ("reject", "higher", "service"),
    "unsaid": ("needs_review", "unknown", "unknown"),
    "short": ("deploy", "lower", "service"),
    "assumed": ("reject", "higher", "assumed"),
    "seed": ("reject", "higher", "declared"),
}


class Lived(NamedTuple):
    """A warehouse that was built once, and once more after its loads changed."""

    connection: Connection
    raw: RawRows
    loads: dict[str, int]
    first: dict[str, list[Row]]
    """What the marts said after the first build."""
    between: datetime


def rows(connection: Connection, mart: str, schema: str = "evals") -> list[Row]:
    """Return a mart's rows, in the order of their texts."""
    found = connection.execute(f"select to_jsonb(found) from {schema}.{mart} as found")
    texts = [({name: row[name] for name in row if isinstance(row[name], str)}, row)
             for (row,) in found]  # fmt: skip
    return [row for _, row in sorted(texts, key=lambda pair: sorted(pair[0].items()))]


MARTS = (
    COMPARED, "experiment_summaries", "evaluation_comparison_view", "evaluation_results",
    "category_counts", "pairwise_preferences", "summary_scores", "version_trends",
    "version_regressions",
)  # fmt: skip


@pytest.fixture(scope="module")
def lived(postgres_server: str, dbt: Dbt) -> Iterator[Lived]:
    """Give a warehouse after two builds, between which loads came and were withdrawn."""
    with (
        servers.migrated(postgres_server) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        raw = RawRows(connection)
        loads = {}
        for experiment, (key, direction) in SAID.items():
            loads[experiment] = raw.load(falling(experiment), "langsmith")
            if direction is not None:
                say(raw, loads[experiment], experiment, key, direction=direction)
        two = [
            run("order", group, task, scores={"toxicity": 0.5, "verbosity": 0.5})
            for task in range(3)
            for group in ("baseline", "code-chef")
        ]
        loads["order"] = raw.load(two, "langsmith")
        say(raw, loads["order"], "order", "toxicity", direction="lower")
        for experiment in ("left", "right"):
            loads[experiment] = raw.load(preferred(experiment), "langsmith")
        loads["third"] = raw.load(third(), "langsmith")
        tone = [{"value": 0, "label": "warm"}, {"value": 1, "label": "cold"}]
        say(raw, loads["right"], "right", "tone", kind="categorical", categories=tone)
        early = loads["right"]
        summarise(raw, early, "a", score=0.4)
        summarise(raw, early, "b", score=0.5, scored_at="2026-01-02T00:00:00Z")
        summarise(raw, early, "c", comment="odd", scored_at="2026-01-03T00:00:00Z")
        summarise(raw, early, "d", evaluator_key="grade", label="B", author_kind="person")
        summarise(
            raw, early, "e", evaluator_key="grade", label="A", scored_at="2026-02-01T00:00:00Z"
        )
        dbt.build(url)
        first = {mart: rows(connection, mart) for mart in MARTS}
        ((between,),) = connection.execute("select now()").fetchall()
        # from here on it is said of one that was unsaid, and no longer of another
        loads["said"] = raw.load([run("unsaid", "baseline", 98, scores={"toxicity": 0.7})])
        say(raw, loads["said"], "unsaid", "toxicity", direction="lower")
        loads["gone"] = raw.load([run("short", "baseline", 98, scores={"length": 0.7})])
        say(raw, loads["gone"], "short", "length", direction=None)
        # version 2.0.0 of an agent is worse where lower is better
        loads["next"] = raw.load(falling("lower", "2.0.0", rising=True))
        raw.withdraw(Slice(load=loads["higher"]))
        raw.load([run("higher", group, 1, scores={"toxicity": 0.7}) for group in ARMS.values()])
        raw.withdraw(Slice(load=loads["right"]))
        loads["again"] = raw.load([run("right", "code-chef", 1)])
        summarise(raw, loads["again"], "a", score=0.6)
        assert rows(connection, "summary_scores") == first["summary_scores"], "before its build"
        dbt.build(url, "--exclude-resource-type", "test")
        yield Lived(connection, raw, loads, first, between)


def verdict(experiment: str, found: Mapping[str, list[Row]]) -> tuple[Any, ...]:
    (summary,) = (
        row for row in found["experiment_summaries"]
        if (row["experiment_id"], row["candidate_version"]) == (experiment, "1.0.0")
    )  # fmt: skip
    (metric,) = (
        row for row in found[COMPARED]
        if (row["experiment_id"], row["candidate_version"]) == (experiment, "1.0.0")
        and row["role"] == "deciding"
    )  # fmt: skip
    return summary["recommendation"], metric["direction"], metric["direction_source"]


@pytest.mark.parametrize("experiment", SAID)
def test_a_key_is_decided_the_way_round_that_the_service_says(
    experiment: str, lived: Lived
) -> None:
    expected = JUDGED[experiment]
    assert verdict(experiment, lived.first) == expected
    winners = {
        row["winner"] for row in lived.first["evaluation_comparison_view"]
        if row["experiment_id"] == experiment
    }  # fmt: skip
    assert winners == {"candidate" if expected[1] == "lower" else "baseline"}
    flags = [
        flag for row in lived.first[COMPARED] if row["experiment_id"] == experiment
        for flag in row["flags"] if flag.startswith("direction")
    ]  # fmt: skip
    assert set(flags) == ({f"direction_{expected[2]}"} & {"direction_unknown", "direction_assumed"})


def test_a_verdict_says_that_the_service_said_which_way_is_better(lived: Lived) -> None:
    codes = {
        row["experiment_id"]: {reason["code"] for reason in row["recommendation_reasons"]}
        for row in lived.first["experiment_summaries"]
    }
    assert {name for name in SAID if "direction_from_service" in codes[name]} == {
        name for name, (_, _, source) in JUDGED.items() if source == "service"
    }


def test_the_rule_by_other_settings_goes_by_the_same_direction(lived: Lived) -> None:
    query = "select recommendation from evals.judge(%s, '{\"minimum_tasks\": 5}')"
    found = {
        name: lived.connection.execute(query, [name]).fetchall()[0][0]
        for name in ("lower", "assumed", "unsaid")
    }
    assert found == {"lower": "deploy", "assumed": "reject", "unsaid": "deploy"}


def test_a_score_of_which_the_direction_is_known_decides_before_a_later_name(
    lived: Lived,
) -> None:
    deciding = {
        row["experiment_id"]: row["primary_metric"] for row in lived.first["experiment_summaries"]
    }
    assert deciding["order"] == "toxicity"


def test_what_a_later_load_says_or_takes_back_flips_the_verdict(lived: Lived) -> None:
    found = {mart: rows(lived.connection, mart) for mart in MARTS}
    assert verdict("unsaid", found) == ("deploy", "lower", "service")
    # the latest load no longer says: more is taken for better, as of any score
    assert verdict("short", found) == ("reject", "higher", "assumed")
    # its load was withdrawn, and what it said with it
    assert verdict("higher", found)[1:] == ("unknown", "unknown")
    replaced = lived.connection.execute(
        "select distinct changes.experiment_id from evals_staging.build_changes as changes"
        " where model = 'int_metric_pairs' order by 1"
    ).fetchall()
    assert [name for (name,) in replaced] == ["higher", "lower", "right", "short", "unsaid"]


def test_versions_get_worse_the_way_round_that_the_service_says(lived: Lived) -> None:
    signs = dict(
        lived.connection.execute(
            "select distinct agent_name, direction_sign"
            " from evals_intermediate.int_version_series"
            " where metric in ('toxicity', 'length', 'accuracy') order by 1"
        ).fetchall()
    )
    assert signs == {
        "lower": -1, "unsaid": -1, "short": 1, "assumed": 1, "seed": 1, "higher": None, "order": -1,
    }  # fmt: skip
    assert [
        (row["agent_name"], row["experiment_group"], row["extension_version"])
        for row in rows(lived.connection, "version_regressions")
        if row["metric"] == "toxicity" and row["is_significant"]
    ] == [("lower", "code-chef", "2.0.0")]


def test_a_key_speaks_for_the_metric_that_it_is_mapped_to(lived: Lived) -> None:
    with lived.connection.transaction(force_rollback=True):
        lived.connection.execute(
            "insert into evals_staging.evaluator_metrics values ('toxicity', 'harmlessness', 0, 1)"
        )
        found = lived.connection.execute(
            "select metric, direction from evals_intermediate.int_score_configs"
            " where experiment_id = 'lower'"
        ).fetchall()
        lived.connection.execute(
            "update evals_staging.evaluator_metrics set scale_min = 5, scale_max = 1"
            " where metric = 'harmlessness'"
        )
        turned = lived.connection.execute(
            "select direction from evals_intermediate.int_score_configs"
            " where experiment_id in ('lower', 'higher') order by experiment_id"
        ).fetchall()
    assert found == [("harmlessness", "lower")]
    # a grade of which 1 is the best is a score of which 1 is the best
    assert turned[-1] == ("higher",)


def test_an_incremental_build_says_what_a_whole_one_says(lived: Lived, dbt: Dbt) -> None:
    dbt.build(lived.connection.info.dsn, "--exclude-resource-type", "test", schema="rebuilt")
    for mart in MARTS:
        now, anew = rows(lived.connection, mart), rows(lived.connection, mart, "rebuilt")
        assert len(now) == len(anew), mart
        for one, other in zip(now, anew, strict=True):
            assert one.keys() == other.keys()
            assert {
                name for name in one if not agrees(one[name], other[name])
            } <= {"updated_at", "created_at"}, mart  # fmt: skip


def test_preferences_are_counted_by_task_and_tested_exactly(lived: Lived) -> None:
    found = {
        (row["comparative_experiment_id"], row["candidate_experiment_id"]): row
        for row in lived.first["pairwise_preferences"]
    }
    for comparison, meetings in PREFERENCES.items():
        nets, unpaired = [], 0
        for scores in meetings.values():
            both = [
                (left, right) for left, right in scores
                if ... not in (left, right) and None not in (left, right)
            ]  # fmt: skip
            if both:
                nets.append(sum((right > left) - (right < left) for left, right in both))
            else:
                unpaired += 1
        wins, losses = sum(net > 0 for net in nets), sum(net < 0 for net in nets)
        row = found[comparison, None if comparison == "lone" else "right"]
        assert row["baseline_experiment_id"] == "left"
        assert (row["tasks"], row["wins"], row["losses"], row["ties"], row["unpaired"]) == (
            len(nets), wins, losses, sum(net == 0 for net in nets), unpaired,
        )  # fmt: skip
        assert row["is_oriented"]
        if wins + losses:
            oracle = binomtest(wins, wins + losses)
            bounds = oracle.proportion_ci(0.95, "exact")
            assert row["p_value"] == pytest.approx(oracle.pvalue, rel=1e-9)
            assert row["win_share"] == pytest.approx(wins / (wins + losses), rel=1e-12)
            assert row["win_share_low"] == pytest.approx(bounds.low, rel=1e-9)
            assert row["win_share_high"] == pytest.approx(bounds.high, rel=1e-9)
        else:
            assert row["p_value"] == (1 if nets else None)
            assert row["win_share"] is row["win_share_low"] is row["win_share_high"] is None
    assert (found["cmp", "right"]["wins"], found["cmp", "right"]["losses"]) == (11, 2)


def test_arms_of_one_role_are_in_the_order_of_the_alphabet(lived: Lived) -> None:
    """The repetitions of an arm have their mean, of the latest score of each."""
    (row,) = (
        row for row in lived.first["pairwise_preferences"]
        if row["comparative_experiment_id"] == "same"
    )  # fmt: skip
    assert not row["is_oriented"]
    assert (row["baseline_experiment_id"], row["candidate_experiment_id"]) == ("right", "third")
    assert (row["wins"], row["losses"], row["tasks"], row["unpaired"]) == (1, 0, 1, 0)


def test_what_was_withdrawn_has_no_counterpart(lived: Lived) -> None:
    found = {
        row["comparative_experiment_id"]: row
        for row in rows(lived.connection, "pairwise_preferences")
    }
    row = found["cmp"]
    assert (row["baseline_experiment_id"], row["candidate_experiment_id"]) == ("left", None)
    assert (row["tasks"], row["unpaired"], row["p_value"]) == (0, len(PREFERENCES["cmp"]), None)
    # that came by a load of its own
    assert found["same"]["candidate_experiment_id"] == "third"
    left = {row["experiment_id"] for row in rows(lived.connection, "category_counts")}
    assert left == {"left"}
    (kept,) = rows(lived.connection, "summary_scores")
    assert (kept["evaluator_key"], kept["score"], kept["load_id"]) == (
        "f1", 0.6, lived.loads["again"],
    )  # fmt: skip


def test_categories_are_counted_by_arm_in_the_services_order(lived: Lived) -> None:
    found = [
        (row["experiment_id"], row["category"], row["category_position"], row["runs"],
         row["labelled_runs"], row["total_runs"], row["share_of_runs"])
        for row in lived.first["category_counts"]
    ]  # fmt: skip
    left, right = (len({row["task_id"] for row in preferred(side)}) for side in ("left", "right"))
    assert sorted(found) == [
        ("left", "cold", None, 4, left - 2, left, 4 / (left - 2)),
        ("left", "warm", None, left - 6, left - 2, left, (left - 6) / (left - 2)),
        # with two runs of the third comparison, which have no category
        ("right", "cold", 2, 7, right - 2, right + 2, 7 / (right - 2)),
        ("right", "warm", 1, right - 9, right - 2, right + 2, (right - 9) / (right - 2)),
    ]


def test_of_several_scores_of_an_arm_the_one_with_a_verdict_counts(lived: Lived) -> None:
    found = {
        row["evaluator_key"]: (row["score"], row["label"], row["author_kind"])
        for row in lived.first["summary_scores"]
    }
    assert found == {"f1": (0.5, None, "evaluator"), "grade": (None, "B", "person")}


def test_the_past_has_what_was_said_then(lived: Lived) -> None:
    """But no preferences: their other side may be of an experiment that is not built."""

    def told(*options: str) -> Row:
        asked = ["summary", "--experiment", "right", "--format", "json", *options]
        done = CliRunner().invoke(cli, [*asked, "--database-url", lived.connection.info.dsn])
        assert done.exit_code == 0, done.output
        (row,) = json.loads(done.stdout)
        return {
            "scores": {(one["evaluator_key"], one["score"]) for one in row["summary_scores"]},
            "categories": {one["category"] for one in row["category_counts"]},
            "preferences": len(row["pairwise_preferences"]),
        }

    assert told() == {"scores": {("f1", 0.6)}, "categories": set(), "preferences": 1}
    assert told("--as-of", lived.between.isoformat()) == {
        "scores": {("f1", 0.5), ("grade", None)}, "categories": {"warm", "cold"}, "preferences": 0,
    }  # fmt: skip


def test_what_is_shown_decides_nothing(lived: Lived) -> None:
    """Left and right have categories and preferences, and no verdict of them."""
    assert {
        row["metric"] for row in lived.first[COMPARED]
        if row["experiment_id"] in {"left", "right", "third"}
    } <= {"success", "pass_at_k", "pass_hat_k"}  # fmt: skip
