"""What a service says of its keys, kept beside the runs of each experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..tools.sql_files import read_sql
from ..warehouse.parameters import doubles
from .printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..sources import ScoreConfig
    from ..warehouse.connection import Connection


def insert(connection: Connection, load_id: int, configs: Sequence[ScoreConfig]) -> set[str]:
    """Write what is new, has changed or is of new runs; return its experiments.

    Args:
        connection: inside the transaction of the load.
        load_id: the load.
        configs: one for an experiment and key; left out where the experiment has no run.

    """
    rows = connection.execute(
        read_sql(__name__, "insert_configs"),
        {
            "load_id": load_id,
            "experiments": [printable(each.experiment_id) for each in configs],
            "keys": [printable(each.evaluator_key) for each in configs],
            "kinds": [each.kind for each in configs],
            "lows": doubles(each.scale_min for each in configs),
            "highs": doubles(each.scale_max for each in configs),
            "directions": [each.direction for each in configs],
            "categories": [_categories(each) for each in configs],
        },
    ).fetchall()
    return {str(experiment_id) for (experiment_id,) in rows}


def _categories(config: ScoreConfig) -> str | None:
    """Write the categories as JSON, in their order; None where there are none."""
    if not config.categories:
        return None
    told = [
        {"value": value, "label": None if label is None else printable(label)}
        for value, label in config.categories
    ]
    return msgspec.json.encode(told).decode()
