"""Examples of a dataset: what evaluators compare with, as of the experiment's version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.sources.langsmith.answers import Answer
from loader.sources.langsmith.client import LangSmith, Parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 100
SELECT = ("id", "inputs", "outputs", "metadata", "created_at", "modified_at", "dataset_id")


def read_examples(
    client: LangSmith, dataset_id: str, as_of: str | None
) -> Iterator[dict[str, object]]:
    """Yield every example of a dataset, a page at a time.

    Args:
        client: the connection.
        dataset_id: the dataset.
        as_of: the version of the dataset that the experiment ran on; None for the latest.
    """
    query = [("dataset", dataset_id), ("limit", str(PAGE)), *(("select", name) for name in SELECT)]
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
