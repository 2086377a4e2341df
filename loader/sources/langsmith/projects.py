"""Projects (experiments) and datasets: finding them, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from ...errors import ConfigurationError, close_names
from .answers import Answer
from .client import LangSmith, Parameters
from .feedback import OWN_PREFIX
from .times import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAGE = 100
NEAREST = 5
# LangSmith keeps a trace 14 days, or 400 when it is of the extended tier.
RETENTION_DAYS = {"shortlived": 14, "longlived": 400}


@dataclass(frozen=True)
class Project:
    """One LangSmith project; an experiment is a project with a dataset."""

    id: str
    name: str
    started_at: datetime | None
    last_run_at: datetime | None
    run_count: int | None
    feedback_counts: dict[str, int] = field(default_factory=dict)
    """Rows per feedback key as the service counts them; a hint, not a promise."""
    feedback_stats: dict[str, object] = field(default_factory=dict)
    """What the service says of feedback: `runs` and `session`, each by key as it came."""
    total_tokens: int | None = None
    metadata: dict[str, object] = field(default_factory=dict)
    dataset_id: str | None = None
    trace_tier: str | None = None
    workspace_id: str | None = None

    @property
    def age_days(self) -> float:
        """Return days since the project began; 0 when unknown."""
        if self.started_at is None:
            return 0.0
        return (datetime.now(UTC) - self.started_at) / timedelta(days=1)


@dataclass(frozen=True)
class Dataset:
    """One LangSmith dataset."""

    id: str
    name: str


def find_project(client: LangSmith, wanted: str) -> Project:
    """Find a project by its exact name, or by its id.

    Raises:
        ConfigurationError: there is none; names the nearest.
        SourceUnavailable: LangSmith does not answer.
    """
    query = [("name", wanted), ("include_stats", "true"), ("limit", str(PAGE))]
    if _is_uuid(wanted):
        found = client.ask(
            "GET",
            f"/sessions/{wanted}",
            dict[str, object],
            Parameters([("include_stats", "true")]),
            missing=(404,),
        )
        if not isinstance(found, Answer):
            return project_of(found)
    else:
        rows = client.ask("GET", "/sessions", list[dict[str, object]], Parameters(query), (404,))
        for row in [] if isinstance(rows, Answer) else rows:
            if row.get("name") == wanted:
                return project_of(row)
    names = [project.name for project in list_projects(client, stats=False, limit=10 * PAGE)]
    raise ConfigurationError(
        f"LangSmith at {client.endpoint} has no project {wanted!r}"
        f"{_nearest(wanted, names)} `evalmart projects` lists them."
    )


def find_dataset(client: LangSmith, wanted: str) -> Dataset:
    """Find a dataset by its exact name, or by its id.

    Raises:
        ConfigurationError: there is none; names the nearest.
        SourceUnavailable: LangSmith does not answer.
    """
    name = "id" if _is_uuid(wanted) else "name"
    rows = _rows(client, "/datasets", [(name, wanted), ("limit", "1")])
    for row in rows:
        if wanted in {row.get("name"), row.get("id")}:
            return Dataset(str(row["id"]), str(row.get("name")))
    names = [str(row.get("name")) for row in _rows(client, "/datasets", [("limit", str(PAGE))])]
    raise ConfigurationError(
        f"LangSmith at {client.endpoint} has no dataset {wanted!r}{_nearest(wanted, names)}"
    )


def dataset_names(client: LangSmith, ids: Iterable[str]) -> dict[str, str]:
    """Return the names of datasets by id; one that is gone, or may not be seen, is left out.

    Raises:
        ConfigurationError: LangSmith refuses to say.
        SourceUnavailable: LangSmith does not answer.
    """
    wanted = sorted(set(ids))
    names: dict[str, str] = {}
    for start in range(0, len(wanted), PAGE):
        query = [("id", each) for each in wanted[start : start + PAGE]]
        for row in _rows(client, "/datasets", [*query, ("limit", str(PAGE))]):
            names[str(row["id"])] = str(row.get("name") or row["id"])
    return names


def list_projects(
    client: LangSmith,
    dataset_id: str | None = None,
    since: datetime | None = None,
    *,
    stats: bool = True,
    limit: int | None = None,
) -> Iterator[Project]:
    """Yield projects, latest first.

    Args:
        client: the connection.
        dataset_id: only experiments on this dataset.
        since: only what started at this time or later.
        stats: ask for counts and feedback keys too; slower for the service.
        limit: at most so many; None for all.
    """
    offset = given = 0
    query = [
        ("sort_by", "start_time"),
        ("sort_by_desc", "true"),
        ("include_stats", "true" if stats else "false"),
    ]
    if dataset_id:
        query.append(("reference_dataset", dataset_id))
    while True:
        page = _rows(client, "/sessions", [*query, ("limit", str(PAGE)), ("offset", str(offset))])
        for row in page:
            project = project_of(row)
            if since and (project.started_at is None or project.started_at < since):
                continue
            yield project
            given += 1
            if limit is not None and given >= limit:
                return
        if len(page) < PAGE:
            return
        offset += PAGE


def project_of(row: dict[str, object]) -> Project:
    """Read a project from the service's JSON; whatever is missing stays unknown."""
    extra = row.get("extra")
    metadata = extra.get("metadata") if isinstance(extra, dict) else None
    run_count = row.get("run_count")
    stats = row.get("feedback_stats")
    tokens = row.get("total_tokens")
    last_run = [
        read
        for name in ("last_run_start_time", "last_run_start_time_live")
        if (read := moment(row.get(name)))
    ]
    dataset = row.get("reference_dataset_id")
    tier = row.get("trace_tier")
    workspace = row.get("tenant_id")
    return Project(
        id=str(row["id"]),
        name=str(row.get("name") or row["id"]),
        started_at=moment(row.get("start_time")),
        last_run_at=max(last_run, default=None),
        run_count=run_count if isinstance(run_count, int) else None,
        feedback_counts=_counts(stats),
        feedback_stats={
            "runs": stats or {},
            "session": _of_others(row.get("session_feedback_stats")),
        },
        total_tokens=tokens if isinstance(tokens, int) else None,
        metadata=_of_others(metadata),
        dataset_id=str(dataset) if dataset else None,
        trace_tier=str(tier) if tier else None,
        workspace_id=str(workspace) if workspace else None,
    )


def _of_others(entries: object) -> dict[str, object]:
    """Return metadata of a project, or what feedback it has, without what `push` wrote there."""
    held = entries if isinstance(entries, dict) else {}
    return {str(key): of for key, of in held.items() if not str(key).startswith(OWN_PREFIX)}


def _counts(stats: object) -> dict[str, int]:
    """Read how many rows each feedback key has."""
    if not isinstance(stats, dict):
        return {}
    return {
        str(key): entry["n"] if isinstance(entry.get("n"), int) else 0
        for key, entry in stats.items()
        if isinstance(entry, dict)
    }


def _rows(client: LangSmith, path: str, query: list[tuple[str, str]]) -> list[dict[str, object]]:
    """Get one page of a list route."""
    found = client.ask("GET", path, list[dict[str, object]], Parameters(query), (404,))
    return [] if isinstance(found, Answer) else found


def _nearest(wanted: str, names: list[str]) -> str:
    """End a sentence with the names most like the one asked for."""
    close = close_names(wanted, names, NEAREST, cutoff=0.4)
    if not close:
        return " in this workspace."
    return "; the nearest are " + ", ".join(map(repr, close)) + "."


def _is_uuid(text: str) -> bool:
    """Whether a text is a UUID, so that it can be an id."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
