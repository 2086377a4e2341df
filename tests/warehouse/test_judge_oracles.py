"""What the judges' oracles give for published examples, and what other packages gave once.

Their numbers are of krippendorff 0.9.0, scikit-learn and ppi-python, which the project does not
depend on.
"""

from __future__ import annotations

import math

import pytest

import independent_judges

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", example D: 4 coders, 12 units.
CODED: list[list[float]] = [
    [1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4], [4, 4, 4, 4],
    [1, 1, 2, 1], [2, 2, 2, 2], [5, 5, 5], [1, 1], [3],
]  # fmt: skip
JUDGE = [0, 1, 2, 3, 4, 4, 3, 2, 1, 0, 2, 2]
HUMAN = [0, 1, 2, 4, 4, 3, 3, 1, 1, 1, 2, 0]


@pytest.mark.parametrize(
    ("distance", "published", "package"),
    [
        (independent_judges.by_name, 0.743, 0.743421052631579),
        (independent_judges.by_distance, 0.849, 0.8491071428571428),
    ],
)
def test_alpha_of_the_published_example_is_the_published_one(
    distance: independent_judges.Distance, published: float, package: float
) -> None:
    alpha = independent_judges.krippendorff_alpha(CODED, distance)
    assert alpha is not None
    assert round(alpha, 3) == published
    assert math.isclose(alpha, package, rel_tol=1e-9)


def test_kappa_and_alpha_of_a_judge_are_those_of_other_packages() -> None:
    units = [
        (judge / 4, human / 4, f"t{place}", "control")
        for place, (judge, human) in enumerate(zip(JUDGE, HUMAN, strict=True))
    ]
    row = independent_judges.numbers(units)
    assert math.isclose(row["krippendorff_interval"], 0.8167330677290836, rel_tol=1e-9)
    assert math.isclose(row["cohen_kappa"], 0.48275862068965514, rel_tol=1e-9)
    assert math.isclose(row["cohen_kappa_quadratic"], 0.8095238095238095, rel_tol=1e-9)
