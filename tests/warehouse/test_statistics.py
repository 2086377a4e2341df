"""The statistics of the marts, as dbt builds them, against SciPy and statsmodels."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import psycopg
import pytest

import servers
from raw_rows import RawRows
from statistics_cases import Case, mismatches, nasty_cases, random_cases
from statistics_oracles import Metric, Pair, adjust, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

Row = dict[str, Any]
Connection = psycopg.Connection[Any]
CANDIDATE = ("code-chef", "1")
COLUMNS = (
    "experiment_id", "candidate_group", "candidate_version", "task_id", "metric", "kind",
    "direction", "cluster_id", "segments",
    "baseline_value", "candidate_value", "baseline_repetitions", "candidate_repetitions",
    "baseline_stddev", "candidate_stddev", "is_comparable", "baseline_runs", "candidate_runs",
    "baseline_explained_runs", "candidate_explained_runs", "is_declared", "is_deciding",
    "is_metric_guessed", "is_evaluator_one_sided", "is_quarantined", "is_critical",
)  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(postgres_server: str, dbt: Dbt) -> Iterator[tuple[Connection, str]]:
    """Give a built warehouse without a result."""
    with servers.migrated(postgres_server) as url:
        dbt.build(url)
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection, url


def metric_of(place: int) -> str:
    """Name the metric of a case: what counts as a tie, and what may be lost, goes by the name."""
    return f"m{place:04d}"


def build_from_pairs(
    warehouse: tuple[Connection, str],
    dbt: Dbt,
    cases: Sequence[Case],
    rows: Iterator[Sequence[object]],
    *options: str,
) -> None:
    """Put pairs of a test's choice where the statistics read them; build what follows."""
    connection, url = warehouse
    connection.execute("delete from evals_staging.metrics where metric ~ '^m[0-9]'")
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into evals_staging.metrics (metric, tie_margin, non_inferiority_margin, weight)"
            " values (%s, %s, %s, 0.5)",
            [
                (metric_of(place), case.metric.tie_margin, case.metric.margin)
                for place, case in enumerate(cases)
            ],
        )
    connection.execute("truncate evals_intermediate.int_metric_pairs")
    with connection.cursor().copy(
        f"copy evals_intermediate.int_metric_pairs ({', '.join(COLUMNS)}) from stdin"
    ) as copy:
        for row in rows:
            copy.write_row(row)
    dbt.run(url, "run", "--full-refresh", "--select", "int_metric_pair_moments+", *options)


def rows_of(
    experiment: str,
    name: str,
    case: Case,
    *,
    segments: Sequence[list[str] | None] | None = None,
) -> Iterator[Sequence[object]]:
    metric = case.metric
    for place, pair in enumerate(case.pairs):
        one, other = pair.arms()
        yield (
            experiment, *CANDIDATE, pair.task_id, name, metric.kind, metric.direction,
            pair.cluster_id, segments and segments[place],
            one.value, other.value, one.scored, other.scored, one.stddev, other.stddev,
            pair.is_comparable, one.runs, other.runs, one.explained, other.explained,
            metric.is_declared, metric.is_deciding, metric.is_guessed, metric.is_one_sided,
            False, False,
        )  # fmt: skip


def read(connection: Connection, mart: str, order: str = "1, 2, 3, 4") -> list[Row]:
    cursor = connection.execute(f"select * from {mart} order by {order}")
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def assert_all_close(built: list[float | None], expected: list[float | None]) -> None:
    for one, other in zip(built, expected, strict=True):
        assert (one is None) == (other is None)
        assert one is None or one == pytest.approx(other, rel=1e-9, abs=1e-12)


def test_every_column_agrees_with_scipy_and_statsmodels(
    warehouse: tuple[Connection, str], dbt: Dbt
) -> None:
    rng = np.random.default_rng(7)
    cases = random_cases(rng, 320) + nasty_cases(rng)
    build_from_pairs(
        warehouse,
        dbt,
        cases,
        (
            row
            for place, case in enumerate(cases)
            for row in rows_of(f"e{place:04d}", metric_of(place), case)
        ),
    )
    built = read(warehouse[0], "evals.experiment_metric_comparisons")
    assert len(built) == len(cases)
    checked = set(cast("dict[str, Any]", compare(cases[0].pairs, cases[0].metric))) & set(built[0])
    assert len(checked) > 60
    wrong = [one for case, row in zip(cases, built, strict=True) for one in mismatches(case, row)]
    assert not wrong, "\n".join(map(str, wrong[:60]))


def test_segments_and_corrections_agree_with_statsmodels(
    warehouse: tuple[Connection, str], dbt: Dbt
) -> None:
    rng = np.random.default_rng(11)
    cases = random_cases(rng, 40)
    choices = [None, ["agent:a"], ["agent:b"], ["agent:a", "category:x:y"], ["category:z"]]
    labels = [[choices[rng.integers(5)] for _ in case.pairs] for case in cases]
    build_from_pairs(
        warehouse,
        dbt,
        cases,
        (
            row
            for place, case in enumerate(cases)
            for row in rows_of(f"e{place // 4:04d}", metric_of(place), case, segments=labels[place])
        ),
    )
    whole = read(warehouse[0], "evals.experiment_metric_comparisons")
    for first in range(0, 40, 4):
        group = whole[first : first + 4]
        for name, method in (("p_value_holm", "holm"), ("p_value_bh", "fdr_bh")):
            expected = adjust([row["p_value"] for row in group], method)
            assert_all_close([row[name] for row in group], expected)
    built = {
        (row["experiment_id"], row["metric"], f"{row['segment_kind']}:{row['segment']}"): row
        for row in read(warehouse[0], "evals.experiment_segment_comparisons")
    }
    families: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for place, case in enumerate(cases):
        experiment, metric = f"e{place // 4:04d}", metric_of(place)
        for label in {one for labelled in labels[place] for one in labelled or ()}:
            part = [
                pair
                for pair, labelled in zip(case.pairs, labels[place], strict=True)
                if label in (labelled or ())
            ]
            row = built.pop((experiment, metric, label))
            assert mismatches(Case(label, part, case.metric), row) == []
            families[experiment, metric, row["segment_kind"]].append(row)
    assert built == {}
    for rows in families.values():
        expected = adjust([row["p_value"] for row in rows], "fdr_bh")
        assert_all_close([row["p_value_bh"] for row in rows], expected)


def test_worked_examples(warehouse: tuple[Connection, str], dbt: Dbt) -> None:
    extra, control = (
        [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
        [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    )
    sleep = [
        Pair(f"t{place}", one, other)
        for place, (one, other) in enumerate(zip(extra, control, strict=True))
    ]
    discordant = (
        (121, 59, 0.000004), (70, 59, 0.378688), (80, 59, 0.089452), (30, 60, 0.00206),
        (10, 30, 0.002221), (10, 10, 1),
    )  # fmt: skip
    cases = [Case("sleep", sleep, Metric("measurement"))]
    cases += [
        Case(
            "mcnemar",
            [Pair(f"t{place}", float(place >= wins), float(place < wins)) for place in range(n)],
            Metric(),
        )
        for wins, n in ((b, b + c) for b, c, _ in discordant)
    ]
    build_from_pairs(
        warehouse,
        dbt,
        cases,
        (
            row
            for place, case in enumerate(cases)
            for row in rows_of(f"e{place:04d}", metric_of(place), case)
        ),
    )
    student, *mcnemar = read(warehouse[0], "evals.experiment_metric_comparisons")
    statistic = student["mean_difference"] / student["standard_error"]
    assert statistic == pytest.approx(-4.0621, abs=5e-5)
    assert student["degrees_of_freedom"] == pytest.approx(9)
    assert student["p_value"] == pytest.approx(0.002833, abs=5e-7)
    assert student["ci_low"] == pytest.approx(-2.4598858, abs=5e-8)
    assert student["ci_high"] == pytest.approx(-0.7001142, abs=5e-8)
    for row, (_, _, p_value) in zip(mcnemar, discordant, strict=True):
        assert row["method"] == "mcnemar_tango"
        assert row["p_value_exact"] == pytest.approx(p_value, abs=5e-7)
        assert row["p_value"] < row["p_value_exact"] or p_value == 1


DATA = servers.SHARED_DATA
POPULARITY = sorted(DATA.glob("popularity*.jsonl"))


@pytest.mark.parametrize("files", [POPULARITY] if POPULARITY else [])
def test_real_data_says_what_an_expert_would_say(
    files: list[Path], postgres_server: str, dbt: Dbt
) -> None:
    with (
        servers.migrated(postgres_server) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        raw = RawRows(connection)
        for path in files:
            records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
            raw.load({**record, "recorded_at": datetime.now(UTC)} for record in records)
        dbt.build(url)
        summaries = {
            row["experiment_id"]: row for row in read(connection, "evals.experiment_summaries", "1")
        }
        accuracy = {
            row["experiment_id"]: row
            for row in read(connection, "evals.experiment_metric_comparisons")
            if row["metric"] == "accuracy"
        }
    twice = summaries["popularity-same-model"]
    assert twice["statistical_significance"] > 0.5
    assert twice["recommendation"] == twice["recommendation_anytime"] == "needs_review"
    # Welch on the arms would say .044
    assert summaries["popularity-gpt5-vs-gemini"]["statistical_significance"] < 0.001
    repeated = accuracy["popularity-repeated"]
    assert repeated["n_pairs"] == 10
    assert repeated["standard_error"] == pytest.approx(0.1)
    assert repeated["p_value"] == pytest.approx(0.3434364, abs=1e-6)
