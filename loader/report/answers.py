"""What the agent was asked and what both arms answered, of the tasks that the page names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from ..show.render import printable
from .grids import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..marts.pages import Record
    from .tasks import Chosen

    Contents = Mapping[object, Record]

_MOST_TASKS: Final = 25
_LONGEST: Final = 3_000
"""Characters of one text; what is longer is cut, and the page says by how much."""


class Answered(NamedTuple):
    """One task, and its texts in the order in which they are read."""

    task: str
    texts: Sequence[tuple[str, str]]
    """Each with what it is: inputs, reference, baseline, candidate."""


def answered(chosen: Chosen, contents: Contents) -> list[Answered]:
    """Return what is kept of the tasks that the page names, those that broke first.

    Args:
        chosen: the tasks of one candidate.
        contents: as `loader.marts.pages.read_contents` returns them.

    """
    named: dict[str, Answered] = {}
    for task in (*chosen.broken, *chosen.worst, *chosen.mended, *chosen.best):
        name = str(text_of(task, "task_id"))
        if name in named or len(named) == _MOST_TASKS:
            continue
        texts = list(_texts(task, contents))
        if texts:
            named[name] = Answered(name, texts)
    return list(named.values())


def _texts(task: Record, contents: Contents) -> Sequence[tuple[str, str]]:
    baseline, candidate = (
        contents.get(task.get(f"{arm}_result_id"), {}) for arm in ("baseline", "candidate")
    )
    asked = [baseline.get("inputs"), candidate.get("inputs")]
    texts: list[tuple[str, object]] = [("inputs", asked[0] if asked[0] is not None else asked[1])]
    if None not in asked and asked[0] != asked[1]:
        texts = [("inputs of the baseline", asked[0]), ("inputs of the candidate", asked[1])]
    reference = baseline.get("reference_outputs")
    if reference is None:
        reference = candidate.get("reference_outputs")
    texts += [
        ("reference", reference),
        ("baseline", baseline.get("outputs")),
        ("candidate", candidate.get("outputs")),
    ]
    return [(name, _shown(value)) for name, value in texts if value is not None]


def _shown(value: object) -> str:
    """Return a content as text: as it is, or as JSON over several lines."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    lines = "\n".join(map(printable, text[:_LONGEST].split("\n")))
    left = len(text) - _LONGEST
    return f"{lines}… {left:,} characters more" if left > 0 else lines
