"""What the arms of a comparison are: versions, models, repetitions and datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .reading import fetch, reading, statement

if TYPE_CHECKING:
    from ..warehouse.connection import Connection

Record = dict[str, object]


def arms(connection: Connection, experiment_id: str) -> list[Record]:
    """Return a row for each arm of each candidate of one experiment, the baseline's first.

    Returns:
        Records with `candidate_group`, `candidate_version` (whose comparison it is), `arm`
        (baseline or candidate), `experiment_id`, `experiment_group`, `extension_version`,
        `tasks`, `runs`, `least_repetitions`, `most_repetitions`, and `models` and
        `dataset_versions`, sorted.
    """
    with reading(connection):
        return fetch(connection, statement("arms"), {"experiment_id": experiment_id}).records()
