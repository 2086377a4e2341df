"""The rows of an experiment in Braintrust's exports: spans, or runs summed up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .cells import body, is_absent, number, rows_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import Rejected
    from .opened import Part, ToolFile

_NESTED: Final = re.compile(r"(scores|metrics|metadata|origin|span_attributes)\.(.+)", re.DOTALL)
LISTS: Final = ("events", "data")
"""What the API calls the list of rows: `fetch`, BTQL."""


class _Origin(msgspec.Struct):
    """Where the input of a row came from."""

    object_type: str | None = None
    object_id: str | None = None
    id: str | None = None


class _SpanAttributes(msgspec.Struct):
    name: str | None = None
    type: str | None = None
    purpose: str | None = None
    """`scorer` for what an evaluator did, its calls of a model included."""


class Row(msgspec.Struct, omit_defaults=True):
    """One span: a run, if it has no parent."""

    id: str
    span_id: str | None = None
    root_span_id: str | None = None
    is_root: bool | None = None
    span_parents: list[str] | None = None
    span_attributes: _SpanAttributes | None = None
    created: str | None = None
    project_id: str | None = None
    project_name: str | None = None
    experiment_id: str | None = None
    experiment_name: str | None = None
    dataset_id: str | None = None
    dataset_record_id: str | None = None
    origin: _Origin | None = None
    input: Any = None
    output: Any = None
    expected: Any = None
    error: Any = None
    scores: dict[str, float | bool | None] | None = None
    metrics: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    tags: list[str] | str | None = None

    @property
    def is_run(self) -> bool:
        """Whether this is the span of a whole run."""
        if self.is_root is not None:
            return self.is_root
        is_alone = self.span_parents is not None or self.span_id == self.root_span_id
        return is_alone and not self.span_parents

    @property
    def kind(self) -> str | None:
        """What it did: eval, task, llm, tool, score."""
        return self.span_attributes.type if self.span_attributes else None

    @property
    def is_of_scorer(self) -> bool:
        """Whether an evaluator did it, or something for one."""
        attributes = self.span_attributes
        return bool(attributes and (attributes.purpose == "scorer" or attributes.type == "score"))


def rows_of(file: ToolFile) -> Iterator[Part[Row] | Rejected]:
    """Yield the rows of a file.

    Raises:
        FileBroken: a document breaks off.

    """
    if file.columns:
        yield from rows_as(file, Row, _object)
    elif file.is_list:
        file.count()  # a list that breaks off is refused before its first run
        yield from file.parts("", Row)
    elif found := file.keys & {*LISTS}:
        [name] = found
        file.outline(name)
        yield from file.parts(name, Row)
    else:
        yield from file.lines(Row)


def _object(cells: dict[str, str]) -> dict[str, Any]:
    """Make a row of cells: `scores.Name` is a member of scores, `scores` may be JSON."""
    found: dict[str, Any] = {}
    for column, cell in cells.items():
        nested = _NESTED.fullmatch(column)
        if nested is None:
            found[column] = body(cell)
        elif nested[1] == "scores":
            found.setdefault("scores", {})[nested[2]] = None if is_absent(cell) else cell
        elif not is_absent(cell):
            held = number(cell) if nested[1] == "metrics" else body(cell)
            found.setdefault(nested[1], {})[nested[2]] = held
    return {name: value for name, value in found.items() if value is not None}
