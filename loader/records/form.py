"""The form of a record: its fields, their types and limits, and the JSON Schema of it all."""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Meta

from . import bounds, checks

# A field the row does not have: false, and left out by msgspec when it encodes.
ABSENT: Final[Any] = UNSET

_Identifier = Annotated[str, Meta(max_length=bounds.LONGEST_IDENTIFIER)]
_Label = Annotated[str, Meta(max_length=bounds.LONGEST_LABEL)]
_Number = Annotated[float, Meta(ge=-bounds.LARGEST_NUMBER, le=bounds.LARGEST_NUMBER)]
_TokenCount = Annotated[int, Meta(ge=0, le=bounds.LARGEST_TOKENS)] | None
Score = _Number | bool | None


class _Usual(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The fields that nearly every record has."""

    experiment_id: _Identifier = ABSENT
    task_id: _Identifier = ABSENT
    experiment_group: Annotated[
        _Label, Meta(description="One of the known groups: evalmart declare group.")
    ] = ABSENT
    extension_version: _Label = ABSENT
    source_run_id: Annotated[
        str,
        Meta(
            max_length=bounds.LONGEST_RUN_ID,
            description="Names the run at its source; made of task, group, version and "
            "repetition when absent.",
        ),
    ] = ABSENT
    repetition: Annotated[
        Annotated[int, Meta(ge=0, le=bounds.LARGEST_COUNT)] | None,
        Meta(
            description="Which run of the task this is, from 1; a file with a 0 counts from 0. "
            "Absent together with source_run_id: the runs of a task are counted as they come."
        ),
    ] = ABSENT
    # text as written until it is checked, then a datetime in UTC
    recorded_at: Annotated[Any, Meta(description="ISO 8601; without a zone it is UTC.")] = ABSENT
    model_version: Annotated[_Label, Meta(description='"unknown" when absent.')] = ABSENT
    agent_name: _Label | None = ABSENT
    scores: Annotated[
        dict[str, Score],
        Meta(description="Evaluator key to score on the evaluator's scale, 0 to 1 by default."),
    ] = ABSENT
    measurements: Annotated[dict[str, _Number], Meta(description="Name to number.")] = ABSENT
    latency_ms: Annotated[
        Annotated[float, Meta(ge=0, le=bounds.LARGEST_LATENCY)] | None,
        Meta(description="Milliseconds."),
    ] = ABSENT
    tokens_used: _TokenCount = ABSENT
    cost_usd: Annotated[
        Annotated[float, Meta(ge=0, le=bounds.LARGEST_COST)] | None,
        Meta(description="US dollars."),
    ] = ABSENT
    success: Annotated[
        bool | None,
        Meta(
            description="Whether the run ended well. Absent means not known, never true; with "
            "an error_message it means false."
        ),
    ] = ABSENT
    error_message: Annotated[str | None, Meta(description="Why the run failed.")] = ABSENT
    dataset_version: _Label | None = ABSENT
    evaluator_versions: Annotated[
        dict[str, str], Meta(description="Evaluator key to the version of the evaluator.")
    ] = ABSENT
    feedback: Annotated[
        list[dict[str, Any]],
        Meta(description="Set by services that collect it, such as LangSmith; not by files."),
    ] = ABSENT
    baseline_experiment_id: Annotated[
        _Identifier | None,
        Meta(description="The experiment whose control group this one is compared with."),
    ] = ABSENT
    metadata: Annotated[dict[str, Any], Meta(description="Anything else worth keeping.")] = ABSENT


class RunRecord(_Usual, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One run of one task, checked: every default filled, every value in range.

    Made by `Checker`; a caller does not build one. Times are UTC, scores are on the
    scale of their evaluator, and booleans among them have become 1 and 0.
    """

    score_scales: Annotated[
        dict[str, Annotated[list[_Number], Meta(min_length=2, max_length=2)] | None],
        Meta(description="Evaluator key to the ends of its scale, [min, max]."),
    ] = ABSENT
    comments: Annotated[
        dict[str, str], Meta(description="Evaluator key to what was remarked with its score.")
    ] = ABSENT
    labels: Annotated[
        dict[str, Annotated[str, Meta(pattern=r"\S", max_length=bounds.LONGEST_LABEL)]],
        Meta(description="Evaluator key to the category that it put the run into."),
    ] = ABSENT
    trace_url: Annotated[
        Annotated[str, Meta(max_length=bounds.LONGEST_URL)] | None,
        Meta(description="Where the run's trace can be looked at."),
    ] = ABSENT
    prompt_tokens: _TokenCount = ABSENT
    completion_tokens: _TokenCount = ABSENT
    cached_tokens: Annotated[
        _TokenCount, Meta(description="Those of prompt_tokens that came from a cache.")
    ] = ABSENT
    reasoning_tokens: Annotated[
        _TokenCount, Meta(description="Those of completion_tokens spent on reasoning.")
    ] = ABSENT
    inputs: Annotated[Any, Meta(description="What the agent was given.")] = ABSENT
    outputs: Annotated[Any, Meta(description="What it answered.")] = ABSENT
    reference_outputs: Annotated[Any, Meta(description="What it should have answered.")] = ABSENT
    # set by `Checker`, refused in what comes from outside
    set_aside: dict[str, Any] = ABSENT
    is_id_derived: bool = ABSENT


class Incoming(RunRecord, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A record as written: the built-in metrics may stand at the top level."""

    accuracy: Score = ABSENT
    completeness: Score = ABSENT
    efficiency: Score = ABSENT
    integration_quality: Score = ABSENT


class Usual(_Usual, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A record as most are written: `Incoming` without the fields that few have.

    Smaller, so quicker to make; what has such a field cannot be decoded as one. Read, they
    are absent.
    """

    accuracy: Score = ABSENT
    completeness: Score = ABSENT
    efficiency: Score = ABSENT
    integration_quality: Score = ABSENT


for _name in {*Incoming.__struct_fields__} - {*Usual.__struct_fields__}:
    setattr(Usual, _name, ABSENT)  # to be read as in any other record; it cannot be set

OF_CHECKER: Final = ("set_aside", "is_id_derived")
"""Fields that no record brings along."""
decode = msgspec.json.Decoder(Incoming).decode
decode_usual = msgspec.json.Decoder(Usual).decode
encode = msgspec.json.Encoder().encode


def is_from_outside(record: Incoming) -> bool:
    """Tell whether a record has no field that only a checker sets."""
    return record.set_aside is ABSENT and record.is_id_derived is ABSENT


class Aside(NamedTuple):
    """Values of one field that were not taken, or do not count."""

    runs: int
    low: float
    high: float


Asides = dict[tuple[str, str], Aside]
"""Field (`scores.helpfulness`, `cost_usd`) and why: `off_scale`, `undeclared_scale`, `negative`,
`out_of_range`."""
Contents = dict[bytes, bytes]
"""Inputs and outputs to be kept: their id, 16 bytes, to their canonical JSON."""
Link = tuple[str, str | None]
"""An experiment, and the one that it is compared with."""


class Labels(NamedTuple):
    """What many records of a load have in common, checked once; defaults filled."""

    experiment_id: str
    experiment_group: str
    extension_version: str
    model_version: str
    agent_name: str | None
    dataset_version: str | None
    baseline_experiment_id: str | None
    packed: bytes
    """The above as `canonical.pack_labels` makes them."""
    link: Link


class Admitted(NamedTuple):
    """A record that may be stored."""

    row: bytes
    """As `canonical.copy_rows` makes it."""
    is_wide: bool
    labels: Labels
    asides: Asides
    contents: Contents


class AdmittedBatch(NamedTuple):
    """Records that may be stored."""

    rows: list[bytes]
    """As `canonical.copy_rows` makes them."""
    is_wide: bool
    links: set[Link]
    asides: Asides
    records_aside: int
    """Records of which a value was not taken, or does not count."""
    contents: Contents


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a record as it is written in JSON."""
    schema = msgspec.json.schema(Incoming)
    definition: dict[str, Any] = schema["$defs"]["Incoming"]
    properties = definition["properties"]
    for name in ("feedback", *OF_CHECKER):
        del properties[name]  # not for files
    for name, value in properties.items():
        # null is the same as absent everywhere but in what must be there
        value.pop("default", None)
        if name == "recorded_at":
            value["anyOf"] = [{"type": "string", "format": "date-time"}, {"type": "null"}]
        if name in checks.REQUIRED:
            value["minLength"] = 1
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "evalmart record",
        "description": "One run of one task. Built-in metrics may stand at the top level or "
        "under scores. Null is the same as absent.",
        "type": "object",
        "properties": properties,
        "required": list(checks.REQUIRED),
        "additionalProperties": False,
    }
