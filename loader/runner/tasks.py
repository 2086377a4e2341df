"""The tasks of a run: read from JSON or JSONL, or given as mappings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..errors import ConfigurationError
from .sound import DEEPEST, TooDeep, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_OWN: Final = ("task_id", "prompt", "inputs", "expected_output", "metadata")


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to be done.

    Attributes:
        task_id: names it; results of one task are paired by it.
        inputs: what the target is given; a prompt stands under `prompt`.
        reference_outputs: what is expected, for evaluators only; text stands under
            `output`. None if nothing is expected in particular.
        metadata: kept with every run of the task.

    """

    task_id: str
    inputs: Mapping[str, Any]
    reference_outputs: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def read_tasks(source: Path | str | Iterable[Task | Mapping[str, Any]]) -> list[Task]:
    """Read tasks, in their order.

    Args:
        source: a file, either JSON (a list, or an object with a list under `tasks`) or
            JSONL; or the tasks themselves.

    Raises:
        ConfigurationError: the file cannot be read, a task lacks its id or its inputs, or
            two have the same id; says which.

    """
    if isinstance(source, Path | str):
        name = str(source)
        numbered = _read_file(Path(source))
    else:
        name = "tasks"
        numbered = ((f"task {number}", item) for number, item in enumerate(source, start=1))
    tasks: dict[str, Task] = {}
    for place, item in numbered:
        task = _task(item, f"{name}, {place}")
        if task.task_id in tasks:
            raise ConfigurationError(
                f"{name}, {place}: task_id {task.task_id!r} stands twice; make ids unique"
            )
        tasks[task.task_id] = task
    if not tasks:
        raise ConfigurationError(f"{name} holds no task")
    return list(tasks.values())


def _read_file(path: Path) -> Iterator[tuple[str, object]]:
    try:
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    try:
        document = msgspec.json.decode(content)
    except _UNREADABLE as error:
        lines = content.splitlines()
        if len(lines) < 2:  # noqa: PLR2004  one line is one document
            raise ConfigurationError(f"{path} is no JSON: {error}") from None
        yield from _read_lines(path, lines)
        return
    if isinstance(document, dict) and isinstance(document.get("tasks"), list):
        document = document["tasks"]
    for number, item in enumerate(document if isinstance(document, list) else [document], start=1):
        yield f"task {number}", item


def _read_lines(path: Path, lines: list[bytes]) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield f"line {number}", msgspec.json.decode(line)
            except _UNREADABLE as error:
                raise ConfigurationError(f"{path}, line {number} is no JSON: {error}") from None


def _task(item: object, place: str) -> Task:
    """Read one task, or take it as it is but for what no record can hold."""
    try:
        if isinstance(item, Task):
            return replace(
                item,
                task_id=plain(item.task_id),
                inputs=plain(item.inputs),
                reference_outputs=plain(item.reference_outputs),
                metadata=plain(item.metadata),
            )
        return _read(plain(item), place)
    except TooDeep:
        raise ConfigurationError(
            f"{place} is nested more than {DEEPEST} levels deep; flatten it"
        ) from None


def _read(item: object, place: str) -> Task:
    """Read one task; fields it does not know join the metadata."""
    if not isinstance(item, Mapping):
        raise ConfigurationError(f"{place} is no object; write task_id and prompt or inputs")
    task_id = item.get("task_id")
    if not isinstance(task_id, str) or not task_id.strip():
        raise ConfigurationError(f"{place}: task_id is missing or no text")
    given, prompt = item.get("inputs"), item.get("prompt")
    if given is None and prompt is None:
        raise ConfigurationError(f"{place}: task {task_id!r} has neither prompt nor inputs")
    inputs = dict(given) if isinstance(given, Mapping) else {}
    if given is not None and not isinstance(given, Mapping):
        inputs["input"] = given
    if prompt is not None:
        inputs["prompt"] = prompt
    expected = item.get("expected_output")
    metadata = item.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise ConfigurationError(f"{place}: metadata of task {task_id!r} is no object")
    others = {name: value for name, value in item.items() if name not in _OWN}
    return Task(
        task_id,
        inputs,
        expected if isinstance(expected, Mapping) or expected is None else {"output": expected},
        {**others, **metadata},
    )
