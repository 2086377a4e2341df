"""Where the names of a record stand at LangSmith: experiment, arm, agent, model and task.

A name is looked for in the metadata of the run, then of its example, then of the project. The
table of docs/langsmith.md is `READ`; a `Place` is what `--key FIELD=PLACE` names instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ...errors import ConfigurationError, close_names, nearest
from .. import Rejection


class Names(NamedTuple):
    """What a field is called in metadata."""

    stated: tuple[str, ...]
    """Of several in one place the first counts; an option that says otherwise is an error."""
    reported: tuple[str, ...] = ()
    """What LangSmith itself writes; counts where neither `stated` nor an option says anything."""


READ: Final[Mapping[str, Names]] = {
    "experiment_id": Names(("experiment_id",)),
    "experiment_group": Names(("experiment_group",)),
    "extension_version": Names(("extension_version",)),
    "baseline_experiment_id": Names(("baseline_experiment_id",)),
    "agent_name": Names(("agent_name", "agent")),
    "model_version": Names(("model_version", "model"), ("ls_model_name",)),
    "task_id": Names(("task_id", "case_id")),
}
NOTHING: Final = (None, "")
NOWHERE: Final = "none"
"""The place of `--key` that says: do not read this field."""
# A place's beginning, whose it is, and whether a name has to follow.
_HEADS: Final = {
    "metadata": ("run", True),
    "inputs": ("run", True),
    "outputs": ("run", True),
    "tags": ("run", True),
    "name": ("run", False),
    "example.metadata": ("example", True),
    "example.inputs": ("example", True),
    "example.outputs": ("example", True),
    "example.id": ("example", False),
    "project.metadata": ("project", True),
    "project.name": ("project", False),
}
_WITH_NAME: Final = [f"{head}.NAME" if named else head for head, (_, named) in _HEADS.items()]
_CONTENTS: Final = ("inputs", "outputs")

Row = Mapping[str, object]


class Known(NamedTuple):
    """What is known around one run; each has its `metadata`."""

    run: Row
    example: Row
    """Empty where the run has none, or examples were not asked for."""
    project: Row


class Found(NamedTuple):
    """A value, and the place it stands in."""

    value: object
    place: str


class Place(NamedTuple):
    """One place that `--key` names."""

    written: str
    whose: str
    """`run`, `example` or `project`; `none` for the place that is nowhere."""
    part: str
    """`metadata`, `inputs`, `outputs`, `tags`, `name` or `id`."""
    name: str

    def find(self, known: Known) -> object:
        """Return what stands there; None where nothing does."""
        if self.whose == NOWHERE:
            return None
        held = getattr(known, self.whose).get(self.part)
        if not self.name:
            return held
        return _tagged(held, self.name) if self.part == "tags" else _inside(held, self.name)

    def advice(self, known: Known) -> str:
        """Name what stands beside an absent name, where something is alike."""
        held = {} if self.whose == NOWHERE else getattr(known, self.whose).get(self.part)
        near = close_names(self.name, held if isinstance(held, Mapping) else ())
        head = self.written.removesuffix(self.name)
        return f" (did you mean {', '.join(head + name for name in near)}?)" if near else ""


def parse_keys(given: Mapping[str, str]) -> dict[str, Place]:
    """Read the options `--key FIELD=PLACE`, by field.

    Raises:
        ConfigurationError: no such field or place; names the nearest.

    """
    places = {}
    for field, written in given.items():
        if field not in READ:
            raise ConfigurationError(
                f"--key {field}={written}: {field!r} is no field that a name is read for"
                f"{nearest(field, READ)}; there are {', '.join(READ)}"
            )
        places[field] = _place(field, written)
    return places


def needs_contents(places: Mapping[str, Place]) -> bool:
    """Whether inputs or outputs of runs have to be read for them."""
    return any(place.whose == "run" and place.part in _CONTENTS for place in places.values())


def needs_examples(places: Mapping[str, Place]) -> bool:
    """Whether the examples of the dataset have to be read for them."""
    return any(place.whose == "example" for place in places.values())


def stated(field: str, known: Known, places: Mapping[str, Place]) -> Found | None:
    """Find what run, example or project say of a field, in this order."""
    place = places.get(field)
    if place is None:
        return _usual(field, READ[field].stated, known)
    value = place.find(known)
    return None if value in NOTHING else Found(value, place.written)


def reported(field: str, known: Known, places: Mapping[str, Place]) -> Found | None:
    """Find what LangSmith itself reports of a field that nobody states."""
    names = READ[field].reported
    return _usual(field, names, known) if names and field not in places else None


def as_text(value: object) -> str | None:
    """Write a name as text: an integer, true and false as JSON has them; None for the rest."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) else None


def no_text(field: str, found: Found) -> Rejection:
    """Refuse a value that is no name, such as an object or a number with a fraction."""
    kind = "a number with a fraction" if isinstance(found.value, float) else "no single value"
    return Rejection(
        "wrong_type",
        f"{field} is read from {found.place}, which holds {kind}; write text or an integer "
        f"there, or name another place with --key {field}=PLACE, or none",
    )


def no_task(known: Known, places: Mapping[str, Place]) -> Rejection:
    """Refuse a run that names no task."""
    place = places.get("task_id")
    if place is not None:
        return Rejection(
            "missing_field",
            f"task_id is to be read from {place.written}, where this run has nothing"
            f"{place.advice(known)}",
        )
    named = " or ".join(f"`{name}`" for name in READ["task_id"].stated)
    return Rejection(
        "missing_field",
        f"the run names no task: set {named} in the run's metadata, run it on a dataset "
        "example, or name another place with --key task_id=PLACE",
    )


def _usual(field: str, names: tuple[str, ...], known: Known) -> Found | None:
    """Look for a field in metadata: that of the run, then its example's, then the project's."""
    for head, held in (
        ("metadata", known.run["metadata"]),
        ("example.metadata", known.example.get("metadata")),
        # a whole project is no task
        ("project.metadata", None if field == "task_id" else known.project["metadata"]),
    ):
        if isinstance(held, Mapping):
            for name in names:
                value = held.get(name)
                if value is not None and value not in NOTHING:
                    return Found(value, f"{head}.{name}")
    return None


def _place(field: str, written: str) -> Place:
    """Read one place.

    Raises:
        ConfigurationError: it is none.

    """
    if written == NOWHERE:
        return Place(written, NOWHERE, "", "")
    for head, (whose, needs_name) in _HEADS.items():
        part = head.rpartition(".")[2]
        name = written.removeprefix(f"{head}.")
        if needs_name and name and name != written:
            return Place(written, whose, part, name)
        if not needs_name and written == head:
            return Place(written, whose, part, "")
    near = close_names(".".join(written.split(".")[:2]), _HEADS)
    offered = [shown for head, shown in zip(_HEADS, _WITH_NAME, strict=True) if head in near]
    listed = ", ".join(offered or _WITH_NAME)
    hint = f"did you mean {listed}?" if offered else f"there are {listed}"
    raise ConfigurationError(f"--key {field}={written} names no place; {hint}")


def _inside(held: object, name: str) -> object:
    """Find a name in an object, which may hold it with its dots or step by step."""
    if not isinstance(held, Mapping):
        return None
    if name in held:
        return held[name]
    first, dot, rest = name.partition(".")
    return _inside(held.get(first), rest) if dot else None


def _tagged(tags: object, name: str) -> object:
    """Find the tag `name:value`, or `name=value`; the order of tags means nothing."""
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, str) and tag.startswith((f"{name}:", f"{name}=")):
            return tag[len(name) + 1 :].strip()
    return None
