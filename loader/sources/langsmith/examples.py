"""Examples of a dataset: what evaluators compare with, as of the experiment's version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ...errors import ConfigurationError, SourceUnavailable
from .answers import Answer
from .client import LangSmith, Parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PAGE = 100
SPLIT = "dataset_split"
"""Where an example's metadata names its split, or several."""
BASE = "base"
"""The split of an example that was given none."""
_NO_COUNT = (403, 404, 405, 422, 501)
SELECT = ("id", "inputs", "outputs", "metadata", "created_at", "modified_at", "dataset_id")


def read_examples(
    client: LangSmith, dataset_id: str, as_of: str | None, splits: Sequence[str] = ()
) -> Iterator[dict[str, object]]:
    """Yield every example of a dataset, a page at a time.

    Args:
        client: the connection.
        dataset_id: the dataset.
        as_of: the version of the dataset that the experiment ran on; None for the latest.
        splits: those of these splits only; all if none is named.
    """
    query = [("dataset", dataset_id), ("limit", str(PAGE)), *(("select", name) for name in SELECT)]
    query += [("splits", split) for split in splits]
    if as_of:
        query.append(("as_of", as_of))
    offset = 0
    while True:
        page = client.ask(
            "GET",
            "/examples",
            list[dict[str, object]],
            Parameters([*query, ("offset", str(offset))]),
            missing=(404,),
        )
        if isinstance(page, Answer):
            return
        yield from page
        if len(page) < PAGE:
            return
        offset += PAGE


def splits_of(example: Mapping[str, object]) -> list[str]:
    """Name the splits that an example is in."""
    metadata = example.get("metadata")
    said = metadata.get(SPLIT) if isinstance(metadata, dict) else None
    return [str(one) for one in (said if isinstance(said, list) else [said or BASE])] or [BASE]


def count_examples(
    client: LangSmith, dataset_id: str, as_of: str | None, splits: Sequence[str]
) -> int | None:
    """Count the examples of a dataset without reading them; None where the server cannot.

    One request, and never a reason to load nothing: a key may read runs and no datasets.

    Args:
        client: the connection.
        dataset_id: the dataset.
        as_of: the version of the dataset; None for the latest.
        splits: those of these splits only; of all if none is named.

    """
    query = [("dataset", dataset_id), *(("splits", split) for split in splits)]
    if as_of:
        query.append(("as_of", as_of))
    try:
        found = client.ask("GET", "/examples/count", msgspec.Raw, Parameters(query), _NO_COUNT)
    except (ConfigurationError, SourceUnavailable):
        return None
    text = b"" if isinstance(found, Answer) else bytes(found)
    return int(text) if text.isdigit() else None
