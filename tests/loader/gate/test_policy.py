from pathlib import Path

import pytest

from loader.errors import ConfigurationError
from loader.gate.policy import (
    Candidates,
    Inconclusive,
    Inference,
    Judge,
    MetricPolicy,
    NotWorse,
    OnSegment,
    Requirement,
    Segments,
)
from loader.gate.policy_file import parse_policy, read_policy, recorded_policy
from loader.marts.rows import Severity
from loader.tools.metric_names import resolve


@pytest.fixture
def write(tmp_path: Path) -> Path:
    return tmp_path / "policy.yml"


def refusal(file: Path, text: str) -> str:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_policy(file)
    return str(caught.value).replace(str(file), "FILE")


def test_the_default_policy_asks_for_nothing_beyond_the_recommendation() -> None:
    policy = read_policy()
    assert policy == parse_policy({"version": 1}, "test")
    assert policy.require is Requirement.IMPROVEMENT
    assert not policy.metrics
    assert (policy.minimum_pairs, policy.minimum_coverage, policy.peeking) == (0, 0.0, False)
    assert policy.inconclusive is Inconclusive.EXIT5
    assert policy.judge is Judge.LATEST
    assert policy.candidates is Candidates.EACH
    assert policy.segments == Segments(agent=OnSegment.REVIEW, category=OnSegment.REVIEW)
    assert policy.critical_tasks == ["metadata.critical"]
    assert not policy.settings()
    assert policy.regression_block is Severity.HIGH
    assert policy.regression_review is Severity.MEDIUM


def test_every_key_is_read(write: Path) -> None:
    write.write_text(
        """
        version: 1
        require: non_inferiority
        metrics:
          accuracy: {non_inferiority_margin: 0.03}
          cost: {margin: 0.1}
          my.metric: {required: false}
        floors: {accuracy: 0.7, latency: 2000}
        minimum_pairs: 30
        minimum_coverage: 0.9
        inconclusive: block
        on_not_worse: pass
        planned_repetitions: 5
        peeking: true
        kept_level: 0.1
        inference: these_tasks
        judge: all
        candidates: holm
        segments: {agent: block, category: ignore}
        critical_tasks: [refund-7, "billing-*"]
        regression_block: critical
        regression_review: never
        """
    )
    policy = read_policy(write)
    assert policy.metrics == {
        "accuracy": MetricPolicy(margin=0.03),
        "cost": MetricPolicy(margin=0.1),
        "my.metric": MetricPolicy(required=False),
    }
    assert (policy.minimum_pairs, policy.minimum_coverage, policy.peeking) == (30, 0.9, True)
    assert policy.inconclusive is Inconclusive.BLOCK
    assert policy.floors == {"accuracy": 0.7, "latency": 2000}
    assert policy.on_not_worse is NotWorse.PASS
    assert policy.planned_repetitions == 5
    assert policy.inference is Inference.THESE_TASKS
    assert policy.judge is Judge.ALL
    assert policy.candidates is Candidates.HOLM
    assert policy.segments == Segments(agent=OnSegment.BLOCK, category=OnSegment.IGNORE)
    assert policy.critical_tasks == ["refund-7", "billing-*"]
    assert policy.settings() == {
        "kept_level": 0.1,
        "minimum_coverage": 0.9,
        "inference": "these_tasks",
        "candidates": "holm",
        "peeking": True,
    }
    assert policy.regression_block is Severity.CRITICAL
    assert policy.regression_review is Severity.NEVER
    again = parse_policy(policy.canonical(), "ledger")
    assert again.canonical() == policy.canonical()
    assert again.hash() == policy.hash()


def test_a_margin_has_two_names_and_one_meaning(write: Path) -> None:
    write.write_text("version: 1\nmetrics: {a: {non_inferiority_margin: 0.03}}")
    first = read_policy(write)
    write.write_text("version: 1\nmetrics: {a: {margin: 0.03}}")
    assert read_policy(write) == first
    assert read_policy(write).hash() == first.hash()


def test_a_short_name_stands_for_the_built_in_metric_unless_one_is_called_so() -> None:
    built_in = {"accuracy", "latency_ms", "tokens_used", "cost_usd"}
    for short, whole in (
        ("latency", "latency_ms"),
        ("tokens", "tokens_used"),
        ("cost", "cost_usd"),
    ):
        assert resolve(short, built_in) == whole
        assert resolve(short, {*built_in, short}) == short
    assert resolve("never_heard_of", built_in) == "never_heard_of"


def test_a_policy_recorded_by_an_earlier_version_is_read_as_it_was_meant() -> None:
    recorded = recorded_policy(
        {
            "version": 1,
            "candidates": "all",
            "minimum_coverage": 0.0,
            "metrics": {"accuracy": {"non_inferiority_margin": 0.03, "required": True}},
        }
    )
    assert recorded.judge is Judge.ALL
    assert recorded.candidates is Candidates.EACH
    assert recorded.metrics["accuracy"].margin == 0.03
    nothing = dict.fromkeys(("agent", "category", "split"), OnSegment.IGNORE)
    assert recorded.segments == Segments(**nothing)
    before_splits = recorded_policy({"version": 1, "segments": {"agent": "block"}})
    assert before_splits.segments == Segments(agent=OnSegment.BLOCK, split=OnSegment.IGNORE)
    assert recorded.critical_tasks == []
    assert not recorded.settings()
    today = parse_policy({"version": 1}, "test")
    assert recorded_policy(today.canonical()) == today


def test_layout_order_and_defaults_do_not_change_the_hash(write: Path) -> None:
    write.write_text("{minimum_coverage: 0, metrics: {a: {non_inferiority_margin: 0}}, version: 1}")
    first = read_policy(write).hash()
    write.write_text(
        "# said\nversion: 1\nminimum_coverage: 0.0\npeeking: false\n"
        "metrics:\n  a:\n    required: true\n    non_inferiority_margin: 0.0\n"
    )
    assert read_policy(write).hash() == first
    assert len(first) == 64
    write.write_text("version: 1\nmetrics: {a: {non_inferiority_margin: 0.01}}")
    assert read_policy(write).hash() != first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "FILE is empty; expected keys and values, at least version: 1"),
        ("[1]", "FILE holds [1]; expected keys and values, at least version: 1"),
        ("require: improvement", "FILE: version is missing; write version: 1"),
        ("version: 2", "FILE: version: found 2, expected 1, the version of this format; "),
        ("version: true", "FILE: version: found true, expected 1"),
        (
            "version: 1\nminimum_pair: 3",
            "FILE: minimum_pair is no key of a policy; did you mean minimum_pairs?",
        ),
        ("version: 1\nzzz: 3", "FILE: zzz is no key of a policy; there are: candidates, "),
        (
            "version: 1\nmetrics: {a: {non_inferiority_margn: 0}}",
            (
                "FILE: metrics.a.non_inferiority_margn is no key of a policy; "
                "did you mean non_inferiority_margin?"
            ),
        ),
        (
            "version: 1\nminimum_coverage: high",
            (
                'FILE: minimum_coverage: found "high", expected a number from 0 to 1; '
                "write for example  minimum_coverage: 0.95"
            ),
        ),
        ("version: 1\nminimum_coverage: .nan", "FILE: minimum_coverage: found NaN, expected"),
        ("version: 1\nminimum_coverage: 95", "FILE: minimum_coverage: found 95, expected"),
        ("version: 1\nminimum_pairs: -3", "FILE: minimum_pairs: found -3, expected"),
        ("version: 1\nminimum_pairs: 3.5", "FILE: minimum_pairs: found 3.5, expected"),
        ("version: 1\npeeking: maybe", 'FILE: peeking: found "maybe", expected true or false'),
        (
            "version: 1\nrequire: superiority",
            'FILE: require: found "superiority", expected improvement or non_inferiority',
        ),
        ("version: 1\ninconclusive: 5", "FILE: inconclusive: found 5, expected exit5, block or"),
        (
            "version: 1\nregression_block: severe",
            'FILE: regression_block: found "severe", expected low, medium, high, critical or never',
        ),
        (
            "version: 1\nregression_review: 5",
            "FILE: regression_review: found 5, expected low, medium, high, critical or never",
        ),
        (
            "version: 1\nregression_blocks: high",
            "FILE: regression_blocks is no key of a policy; did you mean regression_block?",
        ),
        (
            "version: 1\ncandidates: all",
            (
                'FILE: candidates: found "all", which versions to judge is now said by judge; '
                "write  judge: all  (candidates: each or holm says how several are tested)"
            ),
        ),
        ("version: 1\ncandidates: latest", 'FILE: candidates: found "latest", which versions to'),
        (
            "version: 1\ncandidates: bonferroni",
            'FILE: candidates: found "bonferroni", expected each',
        ),
        ("version: 1\njudge: each", 'FILE: judge: found "each", expected latest or all'),
        ("version: 1\non_not_worse: block", 'FILE: on_not_worse: found "block", expected pass or'),
        ("version: 1\nfloor: {a: 1}", "FILE: floor is no key of a policy; did you mean floors?"),
        ("version: 1\nfloors: 0.7", "FILE: floors: found 0.7, expected a mapping of metric names"),
        ("version: 1\nfloors: {b: 1, a: high}", 'FILE: floors.a: found "high", expected a number'),
        ("version: 1\nfloors: {a: {}}", "FILE: floors.a: found {}, expected a number"),
        ("version: 1\nfloors: {a: .inf}", "FILE: floors.a: found Infinity, expected a number"),
        ("version: 1\nkept_level: 0", "FILE: kept_level: found 0, expected a number between 0 and"),
        ("version: 1\nplanned_repetitions: -1", "FILE: planned_repetitions: found -1, expected"),
        ("version: 1\ninference: all", 'FILE: inference: found "all", expected tasks_like_these'),
        (
            "version: 1\nsegments: {agents: block}",
            "FILE: segments.agents is no key of a policy; did you mean agent?",
        ),
        (
            "version: 1\nsegments: {agent: no}",
            "FILE: segments.agent: found false, expected block, review or ignore",
        ),
        ("version: 1\nsegments: block", 'FILE: segments: found "block", expected a mapping with'),
        ("version: 1\ncritical_tasks: a", 'FILE: critical_tasks: found "a", expected a list of'),
        ("version: 1\ncritical_tasks: [1]", "FILE: critical_tasks: found [1], expected a list of"),
        ('version: 1\ncritical_tasks: [""]', 'FILE: critical_tasks: found [""], expected a list'),
        (
            "version: 1\nfloors: {latency: 1, latency_ms: 2}",
            "FILE: floors.latency and floors.latency_ms are one metric; keep one",
        ),
        (
            "version: 1\nmetrics: {a: {margin: 0.1, non_inferiority_margin: 0.1}}",
            "FILE: metrics.a: margin and non_inferiority_margin are two names of one thing",
        ),
        ("version: 1\nmetrics: {a: {margin: 2}}", "FILE: metrics.a.margin: found 2, expected a"),
        ("version: 1\nmetrics: [a]", 'FILE: metrics: found ["a"], expected a mapping'),
        ("version: 1\nmetrics: {fine: {}, a: 3}", "FILE: metrics.a: found 3, expected a mapping"),
        (
            "version: 1\nmetrics: {a: {non_inferiority_margin: 2}}",
            "FILE: metrics.a.non_inferiority_margin: found 2, expected a number from 0 to 1",
        ),
        (
            "version: 1\nmetrics: {a: {non_inferiority_margin: -.inf}}",
            "FILE: metrics.a.non_inferiority_margin: found -Infinity, expected a number",
        ),
        ("version: 1\nmetrics: {1: {}}", "FILE: metrics.1 is no text; write the key in quotes"),
        ("version: 1\nversion: 1", "FILE, line 2: not valid YAML: the key version is given twice"),
        ("version: [", "FILE, line 1: not valid YAML"),
        ("version: !!python/object/apply:os.getcwd []", "FILE, line 1: not valid YAML"),
        ("[" * 5000, "FILE is nested too deeply for a policy"),
    ],
)
def test_a_wrong_policy_is_refused_with_file_key_and_remedy(
    write: Path, text: str, message: str
) -> None:
    assert refusal(write, text).startswith(message)


def test_a_policy_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file or directory; give another file"):
        read_policy(tmp_path / "none.yml")
    (tmp_path / "binary.yml").write_bytes(b"version: \xff")
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        read_policy(tmp_path / "binary.yml")
