"""The gate's policy: what a candidate must show, and what becomes of a case not decided.

Read from YAML by `loader.gate.policy_file`. Two files with the same meaning have the same hash,
whatever their layout or comments.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec.structs import replace

from ..marts.rows import Severity

VERSION: Final = 1
MARKED: Final = "metadata.critical"
"""In `critical_tasks`: every task whose metadata says `"critical": true`."""

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class Requirement(StrEnum):
    """What a candidate must show to pass."""

    IMPROVEMENT = "improvement"
    """The rule's recommendation is deploy."""
    NON_INFERIORITY = "non_inferiority"
    """No guarded metric is worse than its margin allows."""


class Inconclusive(StrEnum):
    """What an inconclusive case does to a pipeline."""

    EXIT5 = "exit5"
    BLOCK = "block"
    PASS = "pass"  # noqa: S105  a verdict, not a password


class NotWorse(StrEnum):
    """What becomes of a candidate that is shown to be not worse, and no better."""

    PASS = "pass"  # noqa: S105  likewise
    REVIEW = "review"


class Judge(StrEnum):
    """Which candidate versions of an experiment are judged."""

    LATEST = "latest"
    ALL = "all"


class Candidates(StrEnum):
    """How several candidates of one baseline are tested."""

    EACH = "each"
    """As if each were alone."""
    HOLM = "holm"
    """Together: the chance that any of them passes by luck is that of one."""


class Inference(StrEnum):
    """What a verdict speaks of."""

    TASKS_LIKE_THESE = "tasks_like_these"
    THESE_TASKS = "these_tasks"
    """The very tasks that were run: needs repetitions, and says nothing of others."""


class JudgeCorrection(StrEnum):
    """Whether scores are corrected by what people said of a sample, where a judge gave them."""

    RAW = "raw"
    """As recorded: the judge's, with what people said in place of some."""
    CORRECTED = "corrected"
    """The deciding metric and every guardrail that is a score has to be."""
    CORRECTED_WHERE_LABELLED = "corrected_where_labelled"


class OnSegment(StrEnum):
    """What becomes of a candidate that is proven worse on a part of the tasks."""

    BLOCK = "block"
    REVIEW = "review"
    IGNORE = "ignore"


class MetricPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of one metric.

    Attributes:
        margin: how much worse is still fine: points of 0…1 for a score, `success`,
            `pass_hat_k` and `pass_at_k`, a share of the baseline for latency, tokens, cost and
            measurements; None: the margin of the seed `metrics`.
        non_inferiority_margin: the same, by the name it had first.
        required: whether a candidate without values of it is inconclusive.
    """

    margin: _Share | None = None
    non_inferiority_margin: _Share | None = None
    required: bool = True


class JudgePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge of a metric must have shown before the metric may pass a candidate.

    Attributes:
        min_labels: runs of its version that people scored too.
        min_kappa: Cohen's kappa with people, squared distances as weights where scores are not
            0 and 1 alone; None asks for none.
        max_bias_between_arms: how much more lenient to candidates than to baselines, either
            way, in points of 0…1; None asks for none.
    """

    min_labels: _Count = 50
    min_kappa: _Share | None = 0.6
    max_bias_between_arms: _Share | None = 0.03


class Segments(msgspec.Struct, frozen=True, kw_only=True):
    """What a part of the tasks does that is proven worse, all parts of its kind together."""

    agent: OnSegment = OnSegment.REVIEW
    category: OnSegment = OnSegment.REVIEW
    split: OnSegment = OnSegment.REVIEW


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate must show; the meaning of every key stands in `policies/default.yml`."""

    version: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    require: Requirement = Requirement.IMPROVEMENT
    metrics: dict[str, MetricPolicy] = {}
    floors: dict[str, float] = {}
    minimum_pairs: _Count = 0
    minimum_coverage: _Share = 0.0
    planned_repetitions: _Count = 0
    inconclusive: Inconclusive = Inconclusive.EXIT5
    on_not_worse: NotWorse = NotWorse.REVIEW
    peeking: bool = False
    kept_level: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    inference: Inference = Inference.TASKS_LIKE_THESE
    judge: Judge = Judge.LATEST
    candidates: Candidates = Candidates.EACH
    judge_correction: JudgeCorrection = JudgeCorrection.RAW
    judges: dict[str, JudgePolicy] = {}
    segments: Segments = Segments()
    critical_tasks: list[Annotated[str, msgspec.Meta(min_length=1)]] = msgspec.field(
        default_factory=lambda: [MARKED]
    )
    regression_block: Severity = Severity.HIGH
    regression_review: Severity = Severity.MEDIUM

    def hash(self) -> str:
        """Return the sha256 of the canonical policy: every key, sorted, as JSON."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def canonical(self) -> dict[str, Any]:
        """Return the policy as JSON types, 0 and 0.0 the same, defaults filled in but of judges."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        plain["minimum_coverage"] = float(self.minimum_coverage)
        plain["floors"] = {name: float(bar) for name, bar in self.floors.items()}
        # what was not asked for before 0.3 changes no hash where it is not asked for
        if self.judge_correction is JudgeCorrection.RAW:
            del plain["judge_correction"]
        for name, judge in self.judges.items():
            for part in ("min_kappa", "max_bias_between_arms"):
                limit = getattr(judge, part)
                plain["judges"][name][part] = None if limit is None else float(limit)
        if not self.judges:
            del plain["judges"]
        plain["critical_tasks"] = sorted(set(self.critical_tasks))
        for name, metric in plain["metrics"].items():
            margin = self.metrics[name].margin
            metric["margin"] = None if margin is None else float(margin)
            del metric["non_inferiority_margin"]
        return plain

    def normal(self) -> Policy:
        """Return the policy with each margin under one name."""
        metrics = {
            name: MetricPolicy(
                margin=asked.non_inferiority_margin if asked.margin is None else asked.margin,
                required=asked.required,
            )
            for name, asked in self.metrics.items()
        }
        return replace(self, metrics=metrics)

    def settings(self) -> dict[str, Any]:
        """Return the settings of the rule that this policy changes, as `evals.judge` takes them.

        Empty: the marts' own verdict is what the policy asks for. A `minimum_coverage` of 0
        changes nothing: it stood in the first default policy and meant "none of my own".
        """
        changed: dict[str, Any] = {}
        if self.kept_level is not None:
            changed["kept_level"] = float(self.kept_level)
        if self.minimum_coverage:
            changed["minimum_coverage"] = float(self.minimum_coverage)
        if self.inference is not Inference.TASKS_LIKE_THESE:
            changed["inference"] = self.inference.value
        if self.candidates is Candidates.HOLM:
            changed["candidates"] = self.candidates.value
        if self.peeking:
            changed["peeking"] = True
        return changed
