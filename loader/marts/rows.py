"""Rows of the marts, typed: one shape for each, whoever asks."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why: a stable code, a sentence, and the numbers it rests on.

    Attributes:
        code: what it is, for programs.
        sentence: what it is, for people.
        metric: which one it is about.
        improvement: on the scale of the margin, + is better.
        low: the bad end of its interval.
        high: the good end.
        p: what was held against the level.
        level: what p had to be at or below.
        margin: how much worse is still fine.
    """

    code: str
    sentence: str
    metric: str | None = None
    improvement: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    level: float | None = None
    margin: float | None = None


class Severity(StrEnum):
    """How bad a regression against the version before is, as `version_regressions` says it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
    NEVER = "never"
    """Of a limit: no regression reaches it."""


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `experiment_metric_comparisons`, or of an agent's segment of it.

    `ci_*` and `cs_*` are of candidate less baseline in the metric's unit; `improvement_*` is
    on the scale of the margin, + is better: a difference, or minus the log of the ratio.
    """

    metric: str
    kind: str
    direction: str
    n_pairs: int
    baseline_mean: float | None
    candidate_mean: float | None
    mean_difference: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    cs_low: float | None
    cs_high: float | None
    p_anytime: float | None
    non_inferiority_margin: float | None
    pair_coverage: float | None
    role: str
    role_note: str | None
    finding: str | None
    improvement: float | None
    improvement_low: float | None
    improvement_high: float | None
    improvement_sequence_low: float | None
    improvement_sequence_high: float | None
    fixed_tasks_low: float | None
    fixed_tasks_high: float | None
    improvement_margin: float | None
    lower_improvement: float | None
    improvement_pct: float | None
    improvement_low_pct: float | None
    improvement_high_pct: float | None
    margin_pct: float | None
    is_of_ratio_kind: bool
    is_fraction: bool | None
    is_difference_instead: bool | None
    method: str | None = None
    flags: list[str] = []


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `experiment_summaries`, or of an agent in `experiment_segment_verdicts`.

    What the rule says in it is by the settings that the policy asks for.
    """

    experiment_id: str
    candidate_group: str
    candidate_version: str
    baseline_experiment_id: str | None
    agent_name: str | None
    primary_metric: str | None
    total_tasks: int
    recommendation: str
    recommendation_reasons: list[Reason] | None
    recommendation_labels: list[str] | None
    recommendation_route: str | None
    headline: str | None
    legacy_recommendation: str | None
    required_additional_tasks: int | None
    required_for: str | None
    required_note: str | None
    required_repetitions: int | None
    last_recorded_at: str | None
    baseline_only_tasks: int = 0
    candidate_only_tasks: int = 0
    recommendation_anytime: str | None = None
    """By bounds that hold at every look, with the settings of the build."""
    quarantined_tasks: int = 0
    quarantined_worse: int = 0
    quarantined_better: int = 0
    expired_quarantines: int = 0


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `experiment_segment_verdicts`."""

    segment_kind: str
    segment: str
    total_tasks: int
    primary_metric: str | None
    improvement_pct: float | None
    improvement_low_pct: float | None
    improvement_high_pct: float | None
    p_worse_bh: float | None
    is_proven_worse: bool | None


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of one metric in the candidate's arm, for a floor.

    Bounds hold as recorded and with a missing score at the worst end of its scale: the lower
    of both lows, the higher of both highs.
    """

    metric: str
    direction: str
    n_tasks: int
    mean: float | None
    low: float | None
    high: float | None


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A critical task: its runs in either arm, and the deciding metric on it.

    Passes and runs are of the deciding metric where its values are 0 and 1 in both arms, a
    run that ended badly without one being no pass; else they count how a run ended.
    """

    task_id: str
    baseline_runs: int
    baseline_passes: int
    candidate_runs: int
    candidate_passes: int
    is_binary: bool
    baseline_value: float | None
    candidate_value: float | None
    has_candidate: bool
    has_baseline: bool
    is_quarantined: bool = False


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of one arm, no task counted for more than what was planned."""

    arm: str
    runs: int
    tasks: int


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """Values of one field that do not count in some experiments, from `set_aside_scores`."""

    field: str
    """`scores.helpfulness`, `cost_usd`."""
    evaluator_key: str | None
    """Key of the score; None where the field is none."""
    reason_code: str
    """`undeclared_scale`: none of the key's values counts; any other: these do not."""
    runs: int
    low: float
    high: float


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `judge_corrections`: improvements with + for better, on 0 to 1."""

    candidate_group: str
    candidate_version: str
    metric: str
    n_pairs: int
    n_labelled_tasks: int
    n_labelled_in_one_arm: int
    required_labelled_tasks: int | None
    recorded_improvement: float | None
    judge_improvement: float | None
    improvement: float | None
    improvement_error: float | None
    degrees_of_freedom: float | None
    improvement_low: float | None
    improvement_high: float | None
    missing_gap_low: float | None
    missing_gap_high: float | None
    p_value: float | None
    p_better: float | None
    notes: list[str]

    @property
    def holds(self) -> bool:
        """Whether labels are enough for a p-value."""
        return self.p_better is not None


class Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `bridged_comparisons`: improvements with + for better, on 0 to 1."""

    candidate_group: str
    candidate_version: str
    metric: str
    evaluator_key: str
    baseline_judge_version: str
    candidate_judge_version: str
    n_pairs: int
    n_bridge_answers: int
    n_bridge_tasks: int
    effective_clusters: float | None
    pair_coverage: float
    missing_share: float
    judge_difference: float | None
    improvement: float | None
    improvement_error: float | None
    degrees_of_freedom: float | None
    improvement_low: float | None
    improvement_high: float | None
    p_value: float | None
    p_better: float | None
    notes: list[str]

    @property
    def holds(self) -> bool:
        """Whether answers that both versions scored are enough for a p-value."""
        return self.p_better is not None


class SeenJudge(msgspec.Struct, frozen=True, kw_only=True):
    """A judge whose scores are in a comparison, with its row of `judge_agreement`."""

    evaluator_key: str
    judge_version: str
    """Empty where the runs say none."""
    metric: str
    n_labels: int = 0
    kappa: float | None = None
    """Cohen's, with squared distances as weights, which is the simple one of 0 and 1."""
    bias_between_arms: float | None = None
    bias_between_arms_low: float | None = None
    bias_between_arms_high: float | None = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy asks of the marts beyond the rule."""

    parts: list[Part] = []
    levels: list[Level] = []
    metrics: list[str] = []
    """Of the candidate's arm, where the policy has floors."""
    tasks: list[Task] = []
    unmatched_tasks: list[str] = []
    """What the policy names as critical and no arm has."""
    arms: list[Arm] = []
    failed_arms: list[str] = []
    """A sentence for each arm of which every run failed."""
    set_aside: list[SetAside] = []
    """Values that do not count in the experiment or in the one it is compared with."""
    judges: list[SeenJudge] = []
    """Of the metrics whose judges the policy admits, or not."""
    bridges: list[Bridge] = []
    corrections: list[Correction] = []
    """Where the policy corrects scores for their judge."""
    examples: dict[str, list[str]] = {}
    """Arm → some of its tasks, where the arms share none."""
    tie_margin: float = 0.0
    direction: str = "higher"
    """Of the deciding metric."""
    alpha: float = 0.05
    minimum_coverage: float = 0.95


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `version_trends`: a metric of a version beside the version before it."""

    metric: str
    model_version: str
    previous_extension_version: str | None
    change_method: str | None
    previous_avg_value: float | None
    avg_value: float | None
    shared_task_count: int | None


class Regression(msgspec.Struct, frozen=True, kw_only=True):
    """One significant row of `version_regressions`; changes are in the metric's unit."""

    metric: str
    model_version: str
    previous_extension_version: str
    severity: Severity | None
    """None: the level before was 0, so there is no relative change."""
    n: int
    change: float
    change_low: float | None
    change_high: float | None
    change_pct: float | None
    p_value_bh: float


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What the marts know of one version of an agent, in one group."""

    agent_name: str
    experiment_group: str
    extension_version: str
    task_count: int
    steps: list[Step]
    regressions: list[Regression]

    def compared(self) -> list[Step]:
        """Return the metrics that could be compared with the version before."""
        return [step for step in self.steps if step.change_method is not None]

    def previous(self) -> str | None:
        """Return the version before; with several models, that of the first."""
        versions = (step.previous_extension_version for step in self.steps)
        return next((version for version in versions if version is not None), None)


class Candidate(msgspec.Struct, frozen=True):
    """A candidate version of an experiment: its summary and its metrics.

    Asked for by agent and version it also has its history. With `has_baseline` false that is
    all there is: no experiment compares it with a baseline, and the summary only names it.
    """

    summary: Summary
    metrics: list[Metric]
    history: History | None = None
    has_baseline: bool = True
    agent: str | None = None
    """Whose tasks were judged, where the experiment has others too; None: all of them."""
    evidence: Evidence = Evidence()

    def metric(self, name: str | None) -> Metric | None:
        """Return the comparison of one metric; None if there is none."""
        return next((metric for metric in self.metrics if metric.metric == name), None)
