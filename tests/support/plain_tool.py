"""A tool that evaluates nothing: its lines say what its importer is to yield of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from loader.errors import InvalidRecord
from loader.sources import Rejection
from loader.sources.mapping import Mapping, parse_all
from loader.sources.tools import (
    About,
    Companion,
    FileBroken,
    Importer,
    Item,
    Noted,
    Planned,
    Rejected,
    Run,
    Said,
    Whole,
)
from loader.sources.tools.opened import Part, ToolFile, each
from loader.sources.tools.source import ToolSource

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path


_BESIDE: Final = {"planned": Planned, "noted": Noted, "companion": Companion}


def _names(file: ToolFile, value: dict[str, Any]) -> dict[str, object]:
    return {"file": file.name, **value.pop("names", {})}


def _runs(file: ToolFile) -> Iterator[Item]:
    names: dict[str, dict[str, object]] = {}

    def items(part: Part[dict[str, Any]]) -> Iterator[Item]:
        value = dict(part.value)
        named = names.setdefault(json.dumps(told := _names(file, value)), told)
        kind = value.pop("kind", "run")
        if kind == "broken":
            raise FileBroken(Rejection("odd_file", "this file is odd; write it anew"))
        if kind == "invalid":
            raise InvalidRecord("x", "odd_run", "this run is odd; write it anew")
        if kind in _BESIDE:
            yield _BESIDE[kind](**value)
        elif kind == "whole":
            key, score, *rest = (
                value.pop(name, None) for name in ("key", "score", "at", "comment")
            )
            yield Whole(key, score, value, named, *rest)
        elif kind == "rejected":
            yield Rejected(part.number, part.text, Rejection("odd_run", "no run; leave it out"))
        else:
            said = value.pop("said", None)
            run = Run(part.number, value, named)
            yield run
            if said:
                yield Said(run, *said)

    if "odd" in file.keys:
        raise InvalidRecord("odd", "odd_file", "this file is odd; write it anew")
    yield from each(file.lines(dict), items)


PLAIN: Final = Importer(
    About(
        "plain", "Plain", "lines", "1", "all", "nothing",
        {"file": "its name", "model": "the model", "run": "the run", "args.*": "arguments"},
    ),
    lambda file: "plain" in file.keys,
    _runs,
)  # fmt: skip


def write_lines(path: Path, *lines: dict[str, object]) -> ToolFile:
    """Write what the importer is to yield."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return ToolFile(str(path))


def run(**fields: object) -> dict[str, object]:
    """Make a run of an arm."""
    return {
        "experiment_id": "e", "task_id": "t", "source_run_id": "r", "repetition": 1,
        "experiment_group": "baseline", "extension_version": "1", "scores": {"accuracy": 1},
        **fields,
    }  # fmt: skip


def mapped(*entries: str) -> Mapping:
    """Read `--map` options."""
    parts = (entry.partition("=") for entry in entries)
    return parse_all(("--map", goal, source) for goal, _, source in parts)


def source_of(
    files: Sequence[ToolFile],
    *entries: str,
    supplied: dict[str, str] | None = None,
    groups: Collection[str] = (),
) -> ToolSource:
    """Make a source of such files."""
    return ToolSource(
        files, PLAIN, supplied=supplied or {}, mapping=mapped(*entries), groups=groups
    )
