from pathlib import Path

import pytest

from loader.errors import ConfigurationError
from loader.policy import (
    Candidates,
    Inconclusive,
    MetricPolicy,
    Requirement,
    Severity,
    parse_policy,
    read_policy,
)


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
    assert policy.candidates is Candidates.LATEST
    assert policy.regression_block is Severity.HIGH
    assert policy.regression_review is Severity.MEDIUM


def test_every_key_is_read(write: Path) -> None:
    write.write_text(
        """
        version: 1
        require: non_inferiority
        metrics:
          accuracy: {non_inferiority_margin: 0.03}
          my.metric: {required: false}
        minimum_pairs: 30
        minimum_coverage: 0.9
        inconclusive: block
        peeking: true
        candidates: all
        regression_block: critical
        regression_review: never
        """
    )
    policy = read_policy(write)
    assert policy.metrics == {
        "accuracy": MetricPolicy(non_inferiority_margin=0.03),
        "my.metric": MetricPolicy(required=False),
    }
    assert (policy.minimum_pairs, policy.minimum_coverage, policy.peeking) == (30, 0.9, True)
    assert policy.inconclusive is Inconclusive.BLOCK
    assert policy.candidates is Candidates.ALL
    assert policy.regression_block is Severity.CRITICAL
    assert policy.regression_review is Severity.NEVER
    assert parse_policy(policy.canonical(), "ledger") == policy


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
