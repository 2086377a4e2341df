"""What a foreign name probably means: for the advice of an error, and for `--guess`."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from ..errors import close_names
from ..records.checks import FIELDS
from .units import tokens, unit_of, without_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES: Final = {
    "task_id": "id task task_id example_id question_id qid case case_id test_id test_case test "
    "item item_id sample_id prompt_id problem_id problem instance_id query_id row_id",
    "experiment_id": "experiment experiment_id experiment_name eval_id eval_name suite",
    "experiment_group": "variant arm group condition treatment experiment_group cohort branch "
    "system mode bucket side setup configuration",
    "extension_version": "version extension_version release build commit sha git_sha "
    "commit_sha prompt_version agent_version app_version revision",
    "model_version": "model model_name model_id model_version llm engine",
    "agent_name": "agent agent_name bot assistant",
    "source_run_id": "run_id trace_id execution_id span_id uuid source_run_id",
    "repetition": "repetition rep repeat trial attempt run_number run_index repetition_number",
    "recorded_at": "timestamp time date datetime created_at created recorded_at started_at "
    "start_time when ts evaluated_at run_at finished_at",
    "latency_ms": "latency duration elapsed elapsed_time response_time runtime run_time "
    "execution_time time_taken took wall_time latency_total",
    "tokens_used": "tokens total_tokens tokens_used tokens_total token_count",
    "prompt_tokens": "tokens_in prompt_tokens input_tokens in_tokens tokens_prompt tokens_input",
    "completion_tokens": "tokens_out completion_tokens output_tokens out_tokens "
    "tokens_completion tokens_output",
    "cached_tokens": "cached_tokens tokens_cached cache_read_tokens",
    "reasoning_tokens": "reasoning_tokens tokens_reasoning thinking_tokens",
    "cost_usd": "cost price total_cost spend cost_total",
    "success": "success succeeded ok status completed finished",
    "error_message": "error error_message exception failure_reason traceback",
    "trace_url": "trace_url url link trace trace_link",
    "dataset_version": "dataset_version",
    "inputs": "question prompt input query instruction inputs user_message request",
    "outputs": "answer output response completion prediction generated outputs reply",
    "reference_outputs": "expected reference ground_truth gold target expected_output "
    "expected_answer reference_answer ideal",
}
FIELD_NAMES: Final = tuple(_NAMES)
"""Fields that a name may mean."""
_MEANING: Final[Mapping[str, str]] = {
    name: field for field, names in _NAMES.items() if field in FIELDS for name in names.split()
}
_SCORES: Final = (
    "score scores judge rating grade correct correctness accuracy accurate passed pass f1 bleu "
    "rouge exact match helpfulness helpful faithfulness faithful relevance relevancy "
    "groundedness grounded completeness efficiency quality precision recall similarity "
    "coherence fluency politeness tone safety toxicity hallucination "
    "resolved solved hit valid won win"
)
_COUNTS: Final = (
    "count num number n turns steps calls retries length chars words size tokens bytes "
    "latency duration seconds ms lines files time elapsed runtime cost costs price spend usd"
)
_SETTINGS: Final = "temperature top p k seed threshold penalty index row line year max min"
# by how surely the name is a control's
_CONTROLS: Final = (
    *("baseline", "control", "reference", "base", "original", "main", "master", "production"),
    *("prod", "current", "before", "old", "without", "default", "a", "v1"),
)
_SCORE_WORDS: Final = frozenset(_SCORES.split())
_COUNT_WORDS: Final = frozenset(_COUNTS.split())
_SETTING_WORDS: Final = frozenset(_SETTINGS.split())
_SCALE: Final = re.compile(
    r"[ _(\[-]+(?:scale[ _]?)?([01])[ _]?(?:to|-|\u2013|_|\.\.)[ _]?(1|[3-7]|10|20|100)[)\]]*",
    re.IGNORECASE,
)


def meaning(name: str) -> str | None:
    """Return the field that a column of that name usually is, None if no name is known."""
    last = name.rpartition(".")[2]
    unit = unit_of(last)
    for words in ("_".join(tokens(last)), without_unit(last), "_".join(tokens(name))):
        if words in _MEANING:
            field = _MEANING[words]
            # a time in seconds is no moment
            is_long = field == "recorded_at" and unit is not None and unit.quantity == "time"
            return "latency_ms" if is_long else field
    return None


def rank(name: str) -> int:
    """Return how usual a name is for what it means; the lower, the more."""
    goal = meaning(name)
    names = _NAMES[goal].split() if goal else []
    last = name.rpartition(".")[2]
    found = [
        names.index(words)
        for words in ("_".join(tokens(last)), without_unit(last))
        if words in names
    ]
    return min(found, default=len(names))


def control_place(name: str) -> int | None:
    """Return how surely a group of that name is a control, 0 the most; None if it is not told."""
    words = {name.lower(), *re.split(r"[-_\s]+", name.lower()), *tokens(name)}
    return next((place for place, word in enumerate(_CONTROLS) if word in words), None)


def scale_in(name: str) -> tuple[str, tuple[float, float] | None]:
    """Return a name without the scale that stands at its end, and the scale.

    `judge_score_1_to_5` is `judge_score` on 1 to 5.
    """
    for found in _SCALE.finditer(name):
        low, high = float(found[1]), float(found[2])
        if found.start() and found.end() == len(name) and low < high:
            return name[: found.start()], (low, high)
    return name, None


def is_score_name(name: str) -> bool:
    """Return whether a name sounds like a score."""
    return not _SCORE_WORDS.isdisjoint(tokens(name))


def is_count_name(name: str) -> bool:
    """Return whether a name sounds like a count, a size, a time or money."""
    return not _COUNT_WORDS.isdisjoint(tokens(name))


def is_setting_name(name: str) -> bool:
    """Return whether a name sounds like a setting of the run."""
    return not _SETTING_WORDS.isdisjoint(tokens(name))


def key_of(name: str) -> str:
    """Return the key of a score or measurement that a column of that name becomes."""
    base, _ = scale_in(name.rpartition(".")[2])
    return base.strip() or name


def advice(name: str) -> str:
    """Say what to write for a column of that name."""
    field = meaning(name)
    base, scale = scale_in(name)
    if scale is not None:
        low, high = scale
        return f"{option(f'scores.{base}={name}')} --scale {shlex.quote(base)}={low:g}:{high:g}"
    if field in ("latency_ms", "cost_usd"):
        return _with_unit(name, field)
    if field is not None:
        return option(f"{field}={name}")
    if is_score_name(name):
        unit = unit_of(name)
        percent = ":percent" if unit is not None and unit.name == "percent" else ""
        return option(f"scores.{key_of(name)}={name}{percent}")
    near = close_names(name, FIELDS, most=1)
    if near:
        return f"{option(f'{near[0]}={name}')} if it is that"
    return f"{option(f'metadata.{name}={name}')}, scores.… for a score, measurements.… for a count"


def _with_unit(name: str, field: str) -> str:
    unit, own = unit_of(name), unit_of(field)
    if unit is None and field == "latency_ms":
        return f"{option(f'{field}={name}:s')} if it is in seconds, :ms if in milliseconds"
    if unit is None or unit == own:
        return option(f"{field}={name}")
    return option(f"{field}={name}{f':{unit.name}' if unit.size is not None else '*FACTOR'}")


def option(entry: str) -> str:
    """Write an entry as it is typed."""
    return f"--map {shlex.quote(entry)}"
