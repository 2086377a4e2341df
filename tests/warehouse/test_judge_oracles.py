"""What the judges' oracles give for published examples, and what other packages gave once.

Their numbers are of krippendorff 0.9.0, scikit-learn 1.9.1 and ppi-python 0.2.3, on which
the project does not depend.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import independent_corrections
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


Y = [-0.007, 1.046, 0.742, 0.724, 1.619, -1.206, -0.627, -1.321, -0.108, 0.999, -0.022, 0.496]
F = [-0.578, 0.776, 0.247, 1.039, 1.399, -0.559, -0.456, -0.741, 0.122, 0.596, -0.165, 0.313]
U = [
    -0.605, -0.594, -0.283, -0.728, 0.766, -1.596, 0.824, -0.626, -0.546, -1.351, -0.144, -0.248,
    0.191, -0.534, 0.094, 1.82, 0.409, -0.574, 0.953, -0.129,
]  # fmt: skip


def test_the_prediction_powered_mean_is_that_of_its_authors_package() -> None:
    estimate, weight = independent_corrections.power_tuned(Y, F, U)
    assert math.isclose(estimate, 0.02213450407691822, rel_tol=1e-9)
    assert math.isclose(weight, 0.5542602183085978, rel_tol=1e-9)
    # its error divides by n and is normal
    y, f, u = map(np.asarray, (Y, F, U))
    error = np.sqrt((weight * u).var() / len(u) + (y - weight * f).var() / len(y))
    assert math.isclose(estimate - stats.norm.ppf(0.975) * error, -0.3495700292109525, rel_tol=1e-9)


def test_a_true_share_is_that_of_published_examples() -> None:
    # the help pages of RSurveillance (`tp`) and of epiR 0.9 (`epi.prev`: 150 cows)
    assert round(independent_corrections.true_share(20 / 120, 0.9, 0.99), 5) == 0.17603
    assert round(independent_corrections.true_share(23 / 150, 0.96, 0.89), 3) == 0.051
