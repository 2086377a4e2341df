"""A dataset's examples as tasks to run, so that what runs here pairs with what ran there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ...errors import ConfigurationError, nearest
from .answers import Answer
from .client import Parameters
from .examples import BASE, SPLIT, read_examples, splits_of
from .names import NOTHING, READ, as_text
from .projects import Dataset, find_dataset
from .times import moment, utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .client import LangSmith

# Versions of a dataset among which a name is looked for, the latest first.
_VERSIONS: Final = 100
_OLD_SERVER: Final = (404, 405, 501)
_TASK_NAMES: Final = READ["task_id"].stated


class DatasetTasks(NamedTuple):
    """The tasks of a dataset.

    Attributes:
        tasks: task_id, inputs, expected_output, metadata.
        version: when the latest of these examples was changed, ISO, UTC: what `evaluate()`
            calls the version of an experiment on them.
        dataset: where they stand.
    """

    tasks: list[dict[str, object]]
    version: str | None
    dataset: Dataset


def read_tasks(
    client: LangSmith, name: str, splits: Sequence[str] = (), version: str | None = None
) -> DatasetTasks:
    """Read the examples of a dataset as tasks, in the service's order.

    A task is called as ingest calls it: by `task_id` or `case_id` in its example's metadata,
    else by the example's id.

    Args:
        client: the connection.
        name: of the dataset, or its id.
        splits: only examples of these.
        version: the dataset as of a time (ISO), or as of the version with this name.

    Raises:
        ConfigurationError: there is no such dataset, split or version, with the nearest
            names; no example; or two of one task.
        SourceUnavailable: LangSmith does not answer.
    """
    dataset = find_dataset(client, name)
    as_of = _as_of(client, dataset, version) if version else None
    if splits:
        _check_splits(client, dataset, splits, as_of)
    examples = list(read_examples(client, dataset.id, as_of, splits))
    if not examples:
        when = f" as of {version}" if version else ""
        raise ConfigurationError(f"dataset {dataset.name!r} holds no examples{when}")
    changed = [read for row in examples if (read := moment(row.get("modified_at")))]
    latest = utc_text(max(changed).isoformat()) if changed else None
    has_splits = any(splits_of(row) != [BASE] for row in examples)
    tasks: dict[str, dict[str, object]] = {}
    for row in examples:
        task = _task(row, dataset, latest, has_splits=has_splits)
        other = tasks.setdefault(str(task["task_id"]), task)
        if other is not task:
            raise ConfigurationError(
                f"dataset {dataset.name!r} has two examples with the task_id "
                f"{task['task_id']!r} in their metadata ({row['id']} is the second); make "
                "them different"
            )
    return DatasetTasks(list(tasks.values()), latest, dataset)


def _task(
    row: Mapping[str, object], dataset: Dataset, version: str | None, *, has_splits: bool
) -> dict[str, object]:
    metadata = row.get("metadata")
    said = dict(metadata) if isinstance(metadata, dict) else {}
    named = [found for name in _TASK_NAMES if (found := said.get(name)) not in NOTHING]
    task_id = as_text(named[0] if named else row["id"])
    if task_id is None:
        raise ConfigurationError(
            f"example {row['id']} of dataset {dataset.name!r} has a "
            f"{' or '.join(_TASK_NAMES)} in its metadata that is neither text nor an integer"
        )
    if said.pop(SPLIT, None) and has_splits:
        splits = splits_of(row)
        said.setdefault("split", splits if len(splits) > 1 else splits[0])
    return {
        "task_id": task_id,
        "inputs": row.get("inputs") or {},
        "expected_output": row.get("outputs") or None,
        "metadata": {
            **said,
            "langsmith": {
                "dataset": dataset.name,
                "dataset_id": dataset.id,
                **({"dataset_version": version} if version else {}),
                "example_id": row["id"],
            },
        },
    }


def _as_of(client: LangSmith, dataset: Dataset, version: str) -> str:
    """Return the time of a version that is named or is a time itself."""
    if moment(version) is not None:
        return version
    found = client.ask(
        "GET",
        f"/datasets/{dataset.id}/versions",
        list[dict[str, object]],
        Parameters([("limit", str(_VERSIONS))]),
        _OLD_SERVER,
    )
    times: dict[str, str] = {}
    for row in [] if isinstance(found, Answer) else found:
        tags = row.get("tags")
        for tag in tags if isinstance(tags, list) else ():
            times.setdefault(str(tag), str(row["as_of"]))
    if version not in times:
        raise ConfigurationError(
            f"dataset {dataset.name!r} has no version {version!r}{nearest(version, times)}: "
            f"write a time, such as 2026-11-01T00:00:00Z, or one of its names "
            f"({', '.join(sorted(times)) or 'it has none'})"
        )
    return times[version]


def _check_splits(
    client: LangSmith, dataset: Dataset, splits: Sequence[str], as_of: str | None
) -> None:
    query = Parameters([("as_of", as_of)] if as_of else ())
    found = client.ask("GET", f"/datasets/{dataset.id}/splits", list[str], query, _OLD_SERVER)
    if isinstance(found, Answer):
        return
    for split in splits:
        if split not in found:
            raise ConfigurationError(
                f"dataset {dataset.name!r} has no split {split!r}{nearest(split, found)}; "
                f"there are: {', '.join(sorted(found)) or 'none'}"
            )
