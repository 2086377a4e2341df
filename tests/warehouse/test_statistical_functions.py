"""What every statistical function keeps to, whatever it is given, and how all are created."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import servers
import statistical_functions
from statistical_functions import evaluate

if TYPE_CHECKING:
    Connection = psycopg.Connection[Any]

SMALLEST, LARGEST = 5e-324, 1.7976931348623157e308
EDGES = [
    None, math.nan, math.inf, -math.inf, 0.0, -0.0, SMALLEST, -SMALLEST, 1e-310, 1e-300, 1e-160,
    1e-120, -1e-20, 1e-17, 0.05, 0.25, 0.5, 1 - 2**-53, 1.0, 1 + 2**-52, -1.0, 2.0, 3.5, -3.5, 30.0,
    1e5, 1e10, 1e15, 9007199254740993.0, 1e30, 1e100, 1e148, 1e160, 1e290, 1e300, LARGEST, -LARGEST,
]  # fmt: skip


def test_arithmetic_saturates_instead_of_failing(connection: Connection) -> None:
    ratios = [(1, 0), (0, 0), (1e300, 1e-300), (1e-300, 1e300), (3, 4)]
    assert evaluate(connection, "safe_divide", ratios) == [None, None, LARGEST, 0, 0.75]
    assert evaluate(connection, "safe_multiply", [(1e200, -1e200), (1e-200, 1e-200), (3, 4)]) == [
        -LARGEST, 0, 12,
    ]  # fmt: skip
    assert evaluate(connection, "safe_square", [(1e-120,), (1e148,), (1e-200,), (1e200,)]) == [
        1e-120 * 1e-120, 1e148 * 1e148, 0, LARGEST,
    ]  # fmt: skip
    assert evaluate(connection, "safe_exp", [(-1000,), (1000,), (0,)]) == [0, LARGEST, 1]
    assert evaluate(connection, "safe_sqrt", [(-1,), (0,), (4,)]) == [None, 0, 2]


def scalar_functions(connection: Connection) -> list[tuple[str, int]]:
    """Public functions of float8 arguments alone, with how many they take."""
    return connection.execute(
        """
        select proname, pronargs from pg_proc
        where pronamespace = 'evals_functions'::regnamespace
        and not exists (
            select from unnest(proargtypes) as argument (type) where type <> 'float8'::regtype
        )
        and proname <> all (%s)
        order by proname
        """,
        [INTERNAL],
    ).fetchall()


INTERNAL = [
    "stirling_error", "deviance_part", "beta_lambda", "log_beta_prefix", "beta_series",
    "beta_continued_fraction", "student_t_log_density", "tango_bound",
]  # fmt: skip


@pytest.mark.slow
def test_no_argument_raises_and_nothing_unknown_becomes_a_number(connection: Connection) -> None:
    functions = scalar_functions(connection)
    assert len(functions) >= 30
    for function, arity in functions:
        edges = EDGES if arity < 4 else EDGES[::3]
        rows = list(itertools.product(edges, repeat=arity))
        if arity == 5:
            rows = rows[::29]
        for row, value in zip(rows, evaluate(connection, function, rows), strict=True):
            assert value is None or not math.isnan(value), (function, row)
            if any(argument is None or math.isnan(argument) for argument in row):
                assert value is None, (function, row, value)


@pytest.mark.slow
def test_probabilities_stay_between_0_and_1(connection: Connection) -> None:
    for function, arity in (
        ("student_t_p_value", 2), ("student_t_sf", 2), ("student_t_cdf", 2), ("binomial_sf", 3),
        ("wilson_lower", 3), ("wilson_upper", 3), ("beta_ppf", 3),
        ("clopper_pearson_lower", 3), ("sign_test_p_value", 2), ("normal_sf", 1),
    ):  # fmt: skip
        rows = list(itertools.product(EDGES, repeat=arity))
        values = evaluate(connection, function, rows)
        assert [
            (row, value)
            for row, value in zip(rows, values, strict=True)
            if value is not None and not 0 <= value <= 1
        ] == [], function


def test_creating_again_changes_nothing_and_is_cheap(connection: Connection) -> None:
    versions = "select max(xmin::text::bigint) from pg_proc where pronamespace = 'evals_functions'::regnamespace"  # noqa: E501
    before = connection.execute(versions).fetchone()
    statistical_functions.create(connection)
    assert connection.execute(versions).fetchone() == before


def test_every_function_says_what_it_computes(connection: Connection) -> None:
    undescribed = connection.execute(
        """
        select proname from pg_proc
        where pronamespace = 'evals_functions'::regnamespace
        and (
            obj_description(oid, 'pg_proc') is null
            or provolatile <> 'i'
            or proparallel <> 's'
        )
        """
    ).fetchall()
    assert undescribed == []


def test_two_builds_can_create_the_functions_at_once(postgres_server: str) -> None:
    def create_in(url: str) -> None:
        with psycopg.connect(url) as own:
            statistical_functions.create(own)

    with servers.fresh_database(postgres_server) as url, ThreadPoolExecutor(4) as pool:
        for finished in [pool.submit(create_in, url) for _ in range(4)]:
            finished.result()
