"""What a search for the tasks still needed costs, against one value of the normal distribution.

    python benchmarks/functions.py [--searches 2000]

On a private embedded server, with the functions alone: five metrics, each with two bounds, over
gains that lead to few tasks, to many and to none. Search and base run in turn; prints the median
ratio of the two and fails where that is above the ceiling.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from typing import Any, Final

import psycopg
from measures import report
from private_warehouse import REPOSITORY, warehouse

ROUNDS: Final = 7
MOST_VALUES: Final = 60.0
"""A search tries 155 sizes at most, five metrics each; it does not try them all."""
_SEARCHES: Final = """
select sum(evals_functions.required_tasks(
    100, array[0.03, -0.01, 0.02, 0.04, gain], array[0.5, 0.3, 0.5, 0.5, 0.4],
    array[0, -0.18, -0.05, -0.05, -0.05], array[1.96, 0.84, 0.84, 0.84, 1.96],
    array_fill(0.01::float8, array[5]), array_fill(0.3::float8, array[5]), 0.8
))
from generate_series(0.0, 0.1, 0.1 / %s) as gains (gain)
"""
_VALUES: Final = """
select sum(evals_functions.normal_cdf(gain)) from generate_series(0.0, 3.0, 3.0 / %s) as x (gain)
"""


def create(connection: psycopg.Connection[Any]) -> None:
    """Create the functions, as a build does before its first model."""
    sys.path.append(str(REPOSITORY / "tests" / "oracles"))
    importlib.import_module("statistical_functions").create(connection)


def seconds(connection: psycopg.Connection[Any], query: str, count: int) -> float:
    """Return the time of each of so many."""
    began = time.perf_counter()
    connection.execute(query.encode(), [count]).fetchall()
    return (time.perf_counter() - began) / count


def main() -> int:
    """Return 1 when the ceiling is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--searches", type=int, default=2_000)
    count = parser.parse_args().searches
    with warehouse() as run, psycopg.connect(run.url) as connection:
        create(connection)
        seconds(connection, _SEARCHES, count)
        searches, ratios = [], []
        for _ in range(ROUNDS):
            value = seconds(connection, _VALUES, 20 * count)
            searches.append(seconds(connection, _SEARCHES, count))
            ratios.append(searches[-1] / value)
    print(f"{1000 * statistics.median(searches):.3f} ms a search")
    is_met = report(
        "required_tasks of five metrics, values of normal_cdf",
        statistics.median(ratios), MOST_VALUES,
    )  # fmt: skip
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
