"""The marts as Prometheus metrics: counts, current scores, histograms, verdicts, freshness.

Labels are bounded whatever is loaded: the latest versions of the most used agents by name,
the others summed under `older` and `other`. A value is as it stands in the marts; buckets
are counts of rows. A metric whose mart is not built is left out.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from ..marts import exported
from ..marts.reading import mart_names, reading
from ..show.escape import label as _label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prometheus_client.metrics_core import Metric

    from ..warehouse.connection import Connection

MOST_AGENTS: Final = 25
MOST_VERSIONS: Final = 5
MOST_METRICS: Final = 25
MOST_VERDICTS: Final = 20
MOST_REGRESSIONS: Final = 200
OTHER_AGENTS: Final = "other"
OLDER_VERSIONS: Final = "older"
LATENCY_BUCKETS_MS: Final = (
    50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 20_000.0, 30_000.0, 60_000.0,
    120_000.0, 300_000.0,
)  # fmt: skip
COST_BUCKETS_USD: Final = (
    0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
)  # fmt: skip
_ARM: Final = ("agent", "group", "version")
_CANDIDATE: Final = ("experiment", "group", "version")
_SUCCESS: Final = {True: "true", False: "false", None: "unknown"}
_VERDICTS: Final = ("deploy", "needs_review", "reject")

Arm = tuple[str, str, str]
"""Agent, group and version, as the labels name them."""


class Histogram:
    """Counts by bucket, the last without an upper bound, and the sum of the values."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Begin with nothing counted."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def cumulative(self) -> list[tuple[str, float]]:
        """Return (upper bound, values up to it), as the exposition format wants them."""
        running = 0
        buckets = []
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            running += count
            buckets.append((bound, float(running)))
        return buckets


class Names(NamedTuple):
    """Which agents and versions keep their names."""

    agents: frozenset[str]
    versions: frozenset[Arm]

    def label(self, agent: str, group: str, version: str) -> Arm:
        """Return the labels of an arm."""
        if agent not in self.agents:
            return OTHER_AGENTS, _label(group), OLDER_VERSIONS
        is_latest = (agent, group, version) in self.versions
        return _label(agent), _label(group), _label(version) if is_latest else OLDER_VERSIONS


def read_metrics(connection: Connection) -> list[Metric]:
    """Read every metric in one snapshot.

    Raises:
        ConfigurationError: the marts are not built, or are of another version.
        WarehouseUnavailable: the server fails.
    """
    with reading(connection):
        present = set(mart_names(connection))
        names = _names(connection)
        families = [
            *_results(connection, names),
            _scores(connection, names),
            *_verdicts(connection),
            *_freshness(connection),
        ]
        if "metric_alerts" in present:
            families.append(_regressions(connection, names))
        if "load_history" in present:
            families += _loads(connection)
    return families


def _names(connection: Connection) -> Names:
    """Choose the agents with the most results, and the latest versions in each group."""
    rows = exported.arms(connection)
    sizes: dict[str, int] = defaultdict(int)
    ranked: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for agent, group, version, rank, count in rows:
        sizes[agent] += count
        ranked[agent, group].append((rank, version))
    agents = sorted(sizes, key=lambda agent: (-sizes[agent], agent))[:MOST_AGENTS]
    return Names(
        frozenset(agents),
        frozenset(
            (agent, group, version)
            for (agent, group), versions in ranked.items()
            for _, version in sorted(versions)[-MOST_VERSIONS:]
        ),
    )


def _results(connection: Connection, names: Names) -> list[Metric]:
    """Count results and bin latency and cost, in one pass over the results."""
    results: dict[tuple[str, ...], int] = defaultdict(int)
    latencies: dict[Arm, Histogram] = {}
    costs: dict[Arm, Histogram] = {}
    rows = exported.results(connection, LATENCY_BUCKETS_MS, COST_BUCKETS_USD)
    for agent, group, version, success, latency, cost, count, latency_sum, cost_sum in rows:
        arm = names.label(agent, group, version)
        results[*arm, _SUCCESS[success]] += count
        for histograms, bounds, bucket, total in (
            (latencies, LATENCY_BUCKETS_MS, latency, latency_sum),
            (costs, COST_BUCKETS_USD, cost, cost_sum),
        ):
            if bucket is not None:
                histogram = histograms.setdefault(arm, Histogram(bounds))
                histogram.counts[bucket] += count
                histogram.total += total
    counter = CounterMetricFamily(
        "eval_results",
        "Results: a task of an experiment's arm; success is unknown where no run says it.",
        labels=[*_ARM, "success"],
    )
    for labels, count in sorted(results.items()):
        counter.add_metric(labels, count)
    return [
        counter,
        _histogram("eval_latency_ms", "Latency of results in milliseconds.", latencies),
        _histogram("eval_cost_usd", "Cost of results in US dollars.", costs),
    ]


def _scores(connection: Connection, names: Names) -> Metric:
    """Return the mean scores of the latest versions."""
    family = GaugeMetricFamily(
        "eval_score_current",
        "Mean score of a version, 0 to 1.",
        labels=[*_ARM, "model", "metric"],
    )
    rows = exported.scores(connection, MOST_METRICS)
    for agent, group, version, model, metric, value in rows:
        arm = names.label(agent, group, version)
        if arm[0] != OTHER_AGENTS and arm[2] != OLDER_VERSIONS and value is not None:
            family.add_metric([*arm, _label(model), _label(metric)], value)
    return family


def _verdicts(connection: Connection) -> list[Metric]:
    """Return the verdicts of the latest experiments, and how many there are of each."""
    latest = GaugeMetricFamily(
        "eval_verdict",
        "1 for the verdict of a recent experiment, 0 for the others.",
        labels=[*_CANDIDATE, "verdict"],
    )
    counts = GaugeMetricFamily(
        "eval_experiments", "Candidates by their verdict.", labels=["verdict"]
    )
    improvement = GaugeMetricFamily(
        "eval_improvement",
        "Improvement of the metric that decides a recent experiment, + is better: percentage "
        "points; per cent saved of latency, tokens and cost.",
        labels=[*_CANDIDATE, "metric"],
    )
    by_verdict = dict.fromkeys(_VERDICTS, 0)
    rows = exported.verdicts(connection)
    for place, (*candidate, verdict, metric, value) in enumerate(rows):
        if verdict in by_verdict:
            by_verdict[verdict] += 1
        if place >= MOST_VERDICTS:
            continue
        labels = [_label(name) for name in candidate]
        for name in _VERDICTS:
            latest.add_metric([*labels, name], float(name == verdict))
        if metric is not None and value is not None:
            improvement.add_metric([*labels, _label(metric)], value)
    for name, count in by_verdict.items():
        counts.add_metric([name], count)
    recent = [tuple(candidate) for *candidate, _, _, _ in rows[:MOST_VERDICTS]]
    return [latest, counts, improvement, _findings(connection, recent)]


def _findings(connection: Connection, candidates: Sequence[tuple[str, ...]]) -> Metric:
    """Return what each metric of the latest experiments shows, and who has a say."""
    family = GaugeMetricFamily(
        "eval_finding",
        "1: the finding of a metric of a recent experiment, and its role in the verdict.",
        labels=[*_CANDIDATE, "metric", "role", "finding"],
    )
    rows = exported.findings(
        connection, sorted({candidate[0] for candidate in candidates}), MOST_METRICS
    )
    chosen = set(candidates)
    for row in rows:
        if row[:3] in chosen:
            family.add_metric([_label(str(value)) for value in row], 1)
    return family


def _freshness(connection: Connection) -> list[Metric]:
    """Return when the latest result was recorded, and when the marts last took one in."""
    recorded = GaugeMetricFamily(
        "eval_last_recorded_timestamp_seconds", "When the latest result was recorded."
    )
    updated = GaugeMetricFamily(
        "eval_last_updated_timestamp_seconds", "When the latest result reached the warehouse."
    )
    recorded_at, updated_at = exported.times(connection)
    for family, value in ((recorded, recorded_at), (updated, updated_at)):
        if value is not None:
            family.add_metric([], value)
    return [recorded, updated]


def _regressions(connection: Connection, names: Names) -> Metric:
    """Return the falls of a metric that are not over, by the version they began in."""
    family = GaugeMetricFamily(
        "eval_regression",
        "1 where a metric got worse in a version and has not recovered since.",
        labels=[*_ARM, "metric", "severity"],
    )
    rows = exported.open_alerts(connection, MOST_REGRESSIONS)
    for agent, group, version, metric, severity in rows:
        if agent in names.agents:
            labels = (agent, group, version, metric, str(severity))
            family.add_metric([*map(_label, labels)], 1)
    return family


def _loads(connection: Connection) -> list[Metric]:
    """Return what became of the rows that were read, by kind of source."""
    rows = exported.loads(connection)
    families: list[Metric] = []
    for place, (name, told) in enumerate(
        (
            ("eval_read_rows", "Rows read by loads."),
            ("eval_loaded_rows", "Rows loaded: new, or changed."),
            ("eval_unchanged_rows", "Rows that were there already."),
            ("eval_rejected_rows", "Rows that could not be loaded."),
        ),
        1,
    ):
        family = CounterMetricFamily(name, told, labels=["source"])
        for row in rows:
            family.add_metric([_label(str(row[0]))], row[place])
        families.append(family)
    return families


def _histogram(name: str, told: str, histograms: Mapping[Arm, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, told, labels=_ARM)
    for arm, histogram in sorted(histograms.items()):
        family.add_metric(arm, histogram.cumulative(), histogram.total)
    return family
