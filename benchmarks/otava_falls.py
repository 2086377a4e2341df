"""Where Apache Otava would have reported a fall, for the comparison in trends.py.

Runs where Otava is installed, which is not where evalmart is: it reads series of averages as JSON
lines, and answers each with the versions, counted from one, at which a fall was first reported
by someone who asks after every version (Hunter: Fleming et al. 2023, doi:10.1145/3578244.3583719).
"""

from __future__ import annotations

import json
import sys

from otava.analysis import compute_change_points

FEWEST = 3


def falls(series: list[float]) -> list[int]:
    """Return the versions at which a fall in the mean, so far unknown, was reported."""
    reported: list[int] = []
    known: set[int] = set()
    for version in range(FEWEST, len(series) + 1):
        points, _ = compute_change_points(series[:version])
        fresh = {point.index for point in points if point.stats.mean_2 < point.stats.mean_1} - known
        if fresh:
            reported.append(version)
            known |= fresh
    return reported


for line in sys.stdin:
    print(json.dumps(falls(json.loads(line))))
