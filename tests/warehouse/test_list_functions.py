"""Functions of lists: a trend over versions, and p-values adjusted for their number."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, Any

import jinja2
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

import servers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    Connection = psycopg.Connection[Any]


def mann_kendall(connection: Connection, values: Sequence[float]) -> float | None:
    row = connection.execute(
        "select evals_functions.mann_kendall_p_value(%s::float8, %s::float8[])",
        [float(kendall_score(values)), [float(count) for count in Counter(values).values()]],
    ).fetchone()
    assert row is not None
    return row[0]


def kendall_score(values: Sequence[float]) -> int:
    return sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))


def test_few_versions_have_the_exact_p_value_of_all_their_orders(connection: Connection) -> None:
    for values in (
        (1, 2), (1, 2, 3), (1, 2, 3, 4), (1, 1, 2, 3), (1, 1, 2, 2), (1, 2, 2, 2), (1, 2, 3, 4, 5),
        (1, 1, 1, 2, 3, 3), (1, 2, 3, 4, 5, 6, 6), (1, 1, 2, 2, 3, 3, 4, 4),
    ):  # fmt: skip
        scores = [kendall_score(order) for order in itertools.permutations(values)]
        shown = {
            abs(score): order
            for score, order in zip(scores, itertools.permutations(values), strict=True)
        }
        for score, order in shown.items():
            share = sum(abs(other) >= score for other in scores) / len(scores)
            assert mann_kendall(connection, order) == pytest.approx(share, rel=1e-12)


def test_versions_without_ties_have_the_exact_p_value_of_scipy(connection: Connection) -> None:
    source = random.Random(9)  # noqa: S311  test data
    for n in range(2, 10):
        for _ in range(20):
            values = [*range(n)]
            source.shuffle(values)
            kendall = stats.kendalltau(range(n), values, method="exact")
            assert mann_kendall(connection, values) == pytest.approx(kendall.pvalue, rel=1e-12)
    assert mann_kendall(connection, range(9)) == pytest.approx(2 / math.factorial(9), rel=1e-12)


def test_more_versions_have_the_normal_p_value_with_both_corrections(
    connection: Connection,
) -> None:
    source = random.Random(10)  # noqa: S311  test data
    for n in (10, 11, 25, 50, 300):
        for distinct in (2, 4, n, 10**6):
            values = [source.randrange(distinct) + place * distinct // n for place in range(n)]
            score, ties = kendall_score(values), Counter(values).values()
            variance = n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)
            deviate = max(abs(score) - 1, 0) / math.sqrt(variance / 18)
            expected = float(2 * stats.norm.sf(deviate))
            assert mann_kendall(connection, values) == pytest.approx(expected, rel=1e-11)


def test_no_trend_can_be_told_of_equal_or_impossible_values(connection: Connection) -> None:
    def ask(score: float | None, counts: list[float | None] | None) -> object:
        return connection.execute(
            "select evals_functions.mann_kendall_p_value(%s::float8, %s::float8[])",
            [score, counts],
        ).fetchone()

    for score, counts in (
        (0.0, [5.0]), (0.0, []), (None, [1.0, 1.0]), (0.0, None), (math.nan, [1.0, 1.0]),
        (3.0, [1.0, 1.0]), (math.inf, [1.0] * 12), (0.0, [1.0, 0.0]), (0.0, [1.5, 1.0]),
        (0.0, [1.0, None]), (0.0, [math.inf, 1.0]), (0.0, [1e300, 1.0]),
    ):  # fmt: skip
        assert ask(score, counts) == (None,), (score, counts)
    assert ask(0.0, [1e15, 1e15]) == (1.0,)


# ------------------------------------------------------- adjusted p-values


def adjusted(connection: Connection, rows: list[tuple[str, float | None]]) -> list[Any]:
    """Give Holm's and BH's p-values of (family, p) by the macros, in order."""
    macros = servers.REPOSITORY / "macros" / "statistics" / "adjusted_p_values.sql"
    query = """
        with tests as (
            select * from unnest(%s::text[], %s::float8[]) with ordinality
            as tests (experiment, p_value, position)
        ),
        stepped as (
            select
                *,
                {{ holm_step('p_value', 'experiment') }} as holm_step,
                {{ bh_step('p_value', 'experiment') }} as bh_step
            from tests
        )
        select
            {{ holm_p_value('holm_step', 'p_value', 'experiment') }},
            {{ bh_p_value('bh_step', 'p_value', 'experiment') }}
        from stepped
        order by position
    """
    template = jinja2.Template(macros.read_text() + query)
    families, p_values = zip(*rows, strict=True)
    return connection.execute(
        template.render().encode(), [list(families), list(p_values)]
    ).fetchall()


def test_adjusted_p_values_are_those_of_statsmodels(connection: Connection) -> None:
    source = random.Random(12)  # noqa: S311  test data
    chosen = [None, 0.0, 1e-310, 1e-9, 0.01, 0.01, 0.04, 0.05, 0.5, 1.0]
    rows = [
        (family, source.choice([*chosen, source.random(), source.random() / 50]))
        for family, size in (("one", 1), ("few", 3), ("many", 40), ("more", 200))
        for _ in range(size)
    ]
    source.shuffle(rows)
    found = adjusted(connection, rows)
    for place, method in enumerate(("holm", "fdr_bh")):
        for family in ("one", "few", "many", "more"):
            known = [p for name, p in rows if name == family and p is not None]
            wanted = iter(multipletests(known, method=method)[1] if known else [])
            for (name, p), row in zip(rows, found, strict=True):
                if name == family:
                    expected = None if p is None else pytest.approx(next(wanted), rel=1e-12)
                    assert row[place] == expected


def test_adjusted_p_values_are_those_of_the_paper_of_1995(connection: Connection) -> None:
    p_values = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
        0.5719, 0.6528, 0.7590, 1.0,
    ]  # fmt: skip
    found = adjusted(connection, [("all", p) for p in p_values])
    assert [bh for _, bh in found] == pytest.approx(
        [
            0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.06385714, 0.06385714, 0.0645, 0.0765, 0.486,
            0.58118182, 0.714875, 0.75323077, 0.81321429, 1,
        ],
        rel=1e-7,
    )  # fmt: skip
