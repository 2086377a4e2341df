"""What datasets a LangSmith workspace has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .answers import Answer
from .client import LangSmith, Parameters
from .projects import PAGE
from .times import moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


@dataclass(frozen=True)
class ListedDataset:
    """One dataset as the service lists it; None where it does not say."""

    name: str
    example_count: int | None
    experiment_count: int | None
    last_experiment_at: datetime | None
    changed_at: datetime | None


def list_datasets(
    client: LangSmith, part: str | None = None, *, limit: int | None = None
) -> Iterator[ListedDataset]:
    """Yield datasets, that of the latest experiment first.

    Args:
        client: the connection.
        part: only those whose name has this part.
        limit: at most so many; None for all.

    Raises:
        ConfigurationError: LangSmith refuses to say.
        SourceUnavailable: LangSmith does not answer.

    """
    query = [("sort_by", "last_session_start_time"), ("sort_by_desc", "true")]
    if part:
        query.append(("name_contains", part))
    offset = given = 0
    while True:
        size = PAGE if limit is None else min(PAGE, limit - given)
        paging = [("limit", str(size)), ("offset", str(offset))]
        page = client.ask(
            "GET", "/datasets", list[dict[str, object]], Parameters([*query, *paging]), (404,)
        )
        rows = [] if isinstance(page, Answer) else page
        yield from map(_dataset, rows)
        given += len(rows)
        if len(rows) < size or given == limit:
            return
        offset += size


def _dataset(row: dict[str, object]) -> ListedDataset:
    return ListedDataset(
        name=str(row.get("name") or row["id"]),
        example_count=_count(row.get("example_count")),
        experiment_count=_count(row.get("session_count")),
        last_experiment_at=moment(row.get("last_session_start_time")),
        changed_at=moment(row.get("modified_at")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None
