"""What people said of runs that came from Inspect, as edits that Inspect applies to its logs.

A line is the arguments of `inspect_ai.log.edit_score`: sample, epoch, name of the score, and
`edit`, which is a `ScoreEdit` with its provenance; and what says where: the files that the run
was loaded with, and the run, which is the uuid of the sample. Ids of samples are texts here. A
score that has several values is edited as a whole, since Inspect knows no edit of one of them.
What a log said itself is not said to it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .runs import Edit

SOURCE: Final = "inspect"

_encode = msgspec.json.encode


def write(sink: Callable[[bytes], object], edits: Iterable[Edit]) -> tuple[int, int]:
    """Write a line for each edit of a run of Inspect; return how many, and how many are not.

    Args:
        sink: takes a line.
        edits: in the order in which they were made.

    """
    written = others = 0
    values: dict[tuple[str, str], dict[str, Any]] = {}
    for edit in edits:
        if edit.source != SOURCE:
            others += 1
            continue
        name, part = _name(edit)
        value: Any = edit.score
        if part is not None:
            held = values.setdefault((edit.source_run_id, name), _parts(edit, name))
            held[part] = edit.score
            value = _value(held)
        if edit.is_of_log:
            continue
        line = {
            "logs": edit.logs,
            "run": edit.source_run_id,
            "sample_id": edit.task_id,
            "epoch": edit.repetition,
            "score_name": name,
            "edit": {
                "value": value,
                "provenance": {
                    "timestamp": edit.annotated_at.isoformat(),
                    "author": edit.author,
                    "reason": edit.reason,
                },
            },
        }
        sink(_encode(line) + b"\n")
        written += 1
    return written, others


def _name(edit: Edit) -> tuple[str, str | None]:
    """Return the score's name, and which of its values, where the scorer gave several."""
    name, _, part = edit.evaluator_key.rpartition(".")
    if name and part and len(_parts(edit, name)) > 1:
        return name, part
    return edit.evaluator_key, None


def _parts(edit: Edit, name: str) -> dict[str, Any]:
    prefix = f"{name}."
    return {
        key[len(prefix) :]: value for key, value in edit.scores.items() if key.startswith(prefix)
    }


def _value(parts: dict[str, Any]) -> Any:  # noqa: ANN401  a list or a dict
    """Return a list where the parts are its places, else the dict."""
    if sorted(parts) == sorted(map(str, range(len(parts)))):
        return [parts[str(place)] for place in range(len(parts))]
    return parts
