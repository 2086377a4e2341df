"""What Every Eval Ever has in its files, as far as it is read; schemas 0.0.1 to 0.3.0."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

_LONGEST_NAME: Final = 60
"""Characters of a metric's name; a longer one is a description."""


class Evaluation(msgspec.Struct):
    """What a line says of the answer: a score, and how the agent came to it."""

    score: float | bool | None = None
    num_turns: float | None = None
    tool_calls_count: float | None = None


class Input(msgspec.Struct):
    """What was asked; a reference was a text before 0.2.1."""

    raw: Any = None
    reference: Any = None
    choices: list[Any] | None = None


class Output(msgspec.Struct):
    """What was answered; a list of texts since 0.2.1."""

    raw: Any = None


class Tokens(msgspec.Struct):
    """Tokens of one sample."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_cache_read: int | None = None
    reasoning_tokens: int | None = None


class Performance(msgspec.Struct):
    """Times in milliseconds."""

    latency_ms: float | None = None
    time_to_first_token_ms: float | None = None
    generation_time_ms: float | None = None


class Instance(msgspec.Struct):
    """A line: one score of one run, with what was asked and answered."""

    evaluation_id: str
    evaluation_name: str
    sample_id: str | int
    evaluation: Evaluation
    model_id: str | None = None
    evaluation_result_id: str | None = None
    sample_hash: str | None = None
    interaction_type: str | None = None
    input: Input | None = None
    output: Output | None = None
    messages: list[Any] | None = None
    interactions: list[Any] | None = None
    token_usage: Tokens | None = None
    performance: Performance | None = None
    error: str | None = None
    metadata: dict[str, Any] | None = None


class Kept(msgspec.Struct):
    """What an export of evalmart says, under an instance's metadata, of the run it was."""

    source_run_id: str | None = None
    experiment_id: str | None = None


class Metric(msgspec.Struct):
    """What a score is of; the ends of its scale may be `Infinity`."""

    evaluation_description: str | None = None
    metric_id: str | None = None
    metric_name: str | None = None
    min_score: float | str | None = None
    max_score: float | str | None = None


class Error(msgspec.Struct):
    """The standard error of a mean."""

    value: float | None = None


class Uncertainty(msgspec.Struct):
    """How sure a score of an aggregate is."""

    standard_error: Error | None = None
    num_samples: int | None = None


class Details(msgspec.Struct):
    """A score of an aggregate."""

    score: float | None = None
    uncertainty: Uncertainty | None = None


class Result(msgspec.Struct):
    """One score of an aggregate file."""

    evaluation_name: str
    score_details: Details
    metric_config: Metric
    evaluation_result_id: str | None = None
    evaluation_timestamp: str | float | None = None

    @property
    def metric(self) -> str | None:
        """What it is a score of, where that is said in a word or two."""
        config = self.metric_config
        told = config.metric_id or config.metric_name or config.evaluation_description
        return told if told and len(told) <= _LONGEST_NAME and "\n" not in told else None

    @property
    def comment(self) -> str | None:
        """How sure the score is."""
        known = self.score_details.uncertainty or Uncertainty()
        error = known.standard_error and known.standard_error.value
        told = [] if error is None else [f"standard error {error:.6g}"]
        told += [f"of {known.num_samples:,} samples"] if known.num_samples else []
        return ", ".join(told) or None


class Aggregate(NamedTuple):
    """What an aggregate file says of the lines beside it."""

    members: dict[str, Any]
    results: list[Result]

    def metric(self, line: Instance) -> str | None:
        """Return the key of a line's score, None where nothing tells it."""
        wanted = line.evaluation_result_id
        for result in self.results:
            if wanted and result.evaluation_result_id:
                is_its = result.evaluation_result_id == wanted
            else:
                is_its = result.evaluation_name == line.evaluation_name
            if is_its:
                return result.metric or line.evaluation_name
        if len(self.results) == 1 and self.results[0].metric:
            return self.results[0].metric
        return (wanted or "").partition("::")[2] or None

    def scale(self, metric: str, low: float, high: float, mean: float) -> list[float] | None:
        """Return a metric's scale where the lines are on it: it is the aggregate's, not theirs."""
        for result in self.results:
            config, score = result.metric_config, result.score_details.score
            ends = [config.min_score, config.max_score]
            if (result.metric or "") != metric or not all(
                isinstance(end, int | float) for end in ends
            ):
                continue
            bottom, top = (float(str(end)) for end in ends)
            is_theirs = score is not None and abs(mean - score) <= (top - bottom) / 100
            if (
                bottom < top
                and bottom <= low
                and high <= top
                and (low < 0 or high > 1 or is_theirs)
            ):
                return [bottom, top]
        return None
