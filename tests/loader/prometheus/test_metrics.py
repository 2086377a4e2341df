"""The metrics: equal to the marts, bounded, and understood by a real Prometheus."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import psycopg
import pytest
from prometheus_client.parser import text_fd_to_metric_families, text_string_to_metric_families

import servers
from loader.errors import ConfigurationError
from loader.prometheus import families as metrics
from loader.warehouse.connection import connect
from programs import program
from sample_marts import copy_rows, loader, sample_marts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

ALERTS = servers.REPOSITORY / "prometheus"
_SECONDS = 60
Sample = dict[str, Any]


@pytest.fixture(scope="module")
def marts(postgres_server: str) -> Iterator[str]:
    with sample_marts(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def exposed(marts: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("textfile") / "evalmart.prom"
    loader(marts, "metrics", "--textfile", path)
    return path


@pytest.fixture
def promtool() -> str:
    return program("promtool", package="prometheus")


def _samples(path: Path) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    with path.open(encoding="utf-8") as stream:
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_fd_to_metric_families(stream)
            for sample in family.samples
        }


def _key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def _total(path: Path, name: str) -> float:
    return sum(value for (sample, _), value in _samples(path).items() if sample == name)


def test_metrics_equal_the_marts(marts: str, exposed: Path) -> None:
    samples = _samples(exposed)
    with psycopg.connect(marts) as connection:
        for agent, group, version, model, metric, value in connection.execute(
            "select agent_name, experiment_group, extension_version, model_version, metric,"
            " avg_value from evals.version_trends where kind = 'score'"
        ):
            arm = {"agent": agent, "group": group, "version": version}
            key = _key("eval_score_current", **arm, model=model, metric=metric)
            assert samples[key] == value
        for agent, group, version, count, mean in connection.execute(
            "select agent_name, experiment_group, extension_version, sample_count, avg_value"
            " from evals.version_trends where metric = 'latency_ms'"
        ):
            arm = {"agent": agent, "group": group, "version": version}
            assert samples[_key("eval_latency_ms_count", **arm)] == count
            assert samples[_key("eval_latency_ms_sum", **arm)] / count == pytest.approx(mean)
        ((results, costs, latest),) = connection.execute(
            "select count(*), sum(cost_usd), extract(epoch from max(recorded_at))::float8"
            " from evals.evaluation_results"
        ).fetchall()
    assert _total(exposed, "eval_results_total") == results
    assert _total(exposed, "eval_cost_usd_sum") == pytest.approx(costs)
    assert samples[_key("eval_last_recorded_timestamp_seconds")] == latest


def test_a_bucket_holds_its_upper_bound(marts: str, exposed: Path) -> None:
    samples = _samples(exposed)
    arm = {"agent": "feature_dev", "group": "baseline", "version": "1.10.0"}
    with psycopg.connect(marts) as connection:
        for bound in metrics.LATENCY_BUCKETS_MS:
            ((count,),) = connection.execute(
                "select count(*) from evals.evaluation_results where agent_name = 'feature_dev'"
                " and experiment_group = 'baseline' and extension_version = '1.10.0'"
                " and latency_ms <= %s",
                (bound,),
            ).fetchall()
            assert samples[_key("eval_latency_ms_bucket", **arm, le=str(bound))] == count
        connection.execute(
            "update evals.evaluation_results set latency_ms = 2500 where"
            " agent_name = 'feature_dev' and experiment_group = 'baseline'"
            " and extension_version = '1.10.0'"
        )
        families = {family.name: family for family in metrics.read_metrics(connection)}
        connection.rollback()
    buckets = {
        sample.labels["le"]: sample.value
        for sample in families["eval_latency_ms"].samples
        if sample.name.endswith("_bucket") and {**arm, "le": sample.labels["le"]} == sample.labels
    }
    assert buckets["1000.0"] == 0
    assert buckets["2500.0"] == buckets["+Inf"] == 85


def test_every_experiment_has_one_verdict(marts: str, exposed: Path) -> None:
    verdicts = {
        key[1]: value for key, value in _samples(exposed).items() if key[0] == "eval_verdict"
    }
    experiments = json.loads(loader(marts, "experiments", "--format", "json").stdout)
    for row in experiments:
        said = row.get("recommendation") or row["legacy_recommendation"]
        labels = {
            "experiment": row["experiment_id"],
            "group": row["candidate_group"],
            "version": row["candidate_version"],
        }
        for verdict in ("deploy", "needs_review", "reject"):
            value = verdicts[frozenset({**labels, "verdict": verdict}.items())]
            assert value == (verdict == said)
    assert _total(exposed, "eval_experiments") == len(experiments)


def test_labels_are_bounded_whatever_is_loaded(marts: str) -> None:
    with psycopg.connect(marts) as connection:
        ((before,),) = connection.execute(
            "select count(*) from evals.evaluation_results"
        ).fetchall()
        many = ", generate_series(1, 60) as agent, generate_series(1, 30) as number"
        names = {
            "agent_name": "'agent ' || agent || repeat('x', 200)",
            "experiment_group": "'code-chef'",
            "extension_version": "'0.0.' || number",
        }
        copy_rows(
            connection,
            "version_trends",
            f"{many} where (agent_name, experiment_group, extension_version, metric) ="
            " ('cicd', 'baseline', '1.10.0', 'accuracy')",
            **names,
            version_rank="number",
        )
        copy_rows(
            connection,
            "evaluation_results",
            f"{many} where result_id = (select min(result_id::text)::uuid"
            " from evals.evaluation_results)",
            **names,
            experiment_id="'many'",
            result_id="gen_random_uuid()",
            task_id="agent || '/' || number",
        )
        families = metrics.read_metrics(connection)
        connection.rollback()
    samples = [sample for family in families for sample in family.samples]
    assert len(samples) < 10_000
    agents = {sample.labels["agent"] for sample in samples if "agent" in sample.labels}
    assert len(agents) <= metrics.MOST_AGENTS + 1
    assert all(len(agent) <= 128 for agent in agents)
    counted = sum(sample.value for sample in samples if sample.name == "eval_results_total")
    assert counted == before + 60 * 30


def test_promtool_finds_nothing_but_the_names_of_old(promtool: str, exposed: Path) -> None:
    with exposed.open("rb") as stream:
        done = subprocess.run(
            [promtool, "check", "metrics"], stdin=stream, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
    complaints = done.stderr.splitlines()
    assert [line for line in complaints if not line.startswith("eval_latency_ms ")] == []


def test_the_alert_rules_hold(promtool: str) -> None:
    for arguments in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(
            [promtool, *arguments], cwd=ALERTS, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_prometheus_scrapes_it_and_knows_the_alerts(marts: str, tmp_path: Path) -> None:
    prometheus = program("prometheus", package="prometheus")
    with _serving(marts) as address:
        port = _free_port()
        settings = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(ALERTS / "alerts.yml")],
            "scrape_configs": [
                {"job_name": "evalmart", "static_configs": [{"targets": [address]}]}
            ],
        }
        (tmp_path / "prometheus.yml").write_text(json.dumps(settings))
        arguments = [
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (tmp_path / "log").open("wb") as log, _process(prometheus, *arguments, log=log):
            base = f"http://127.0.0.1:{port}/api/v1"
            up = _until(lambda: _query(base, "eval_up == 1"))
            assert up
            with psycopg.connect(marts) as connection:
                ((count,),) = connection.execute(
                    "select count(*) from evals.evaluation_results"
                ).fetchall()
            (total,) = _query(base, "sum(eval_results_total)")
            assert float(total["value"][1]) == count
            (median,) = _query(
                base,
                'histogram_quantile(0.5, sum by (le) (eval_latency_ms_bucket{group="baseline"}))',
            )
            assert 500 < float(median["value"][1]) < 10_000
            rejected = _query(base, 'eval_verdict{verdict="reject"} == 1')
            firing = [
                _until(
                    lambda labels=verdict["metric"]: _query(
                        base,
                        'ALERTS{alertname="EvalVerdictReject", alertstate="firing",'
                        f' experiment="{labels["experiment"]}"}}',
                    )
                )
                for verdict in rejected
            ]
            assert all(firing)
            rules = json.loads(_get(f"{base}/rules"))["data"]["groups"][0]["rules"]
            assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
            assert len(rules) == 5


def test_a_warehouse_that_is_away_is_a_metric_not_an_error() -> None:
    with _serving("postgresql://nobody@127.0.0.1:1/none") as address:
        text = _get(f"http://{address}/metrics")
    values = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert values["eval_up"] == 0
    assert "eval_results_total" not in values


def test_a_warehouse_without_marts_is_told_so(empty_database_url: str) -> None:
    with (
        connect(empty_database_url) as connection,
        pytest.raises(ConfigurationError, match="run: evalmart init"),
    ):
        metrics.read_metrics(connection)


@contextmanager
def _serving(url: str) -> Iterator[str]:
    """Serve metrics; yield host:port; SIGTERM must end it in order."""
    process = subprocess.Popen(
        [sys.executable, "-m", "loader", "metrics", "--listen", "127.0.0.1:0",
         "--database-url", url],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("serving http://"), line + process.stderr.read()
        yield line.split("//")[1].split("/")[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(_SECONDS) == 0
    finally:
        process.kill()
        process.communicate()


@contextmanager
def _process(*command: str, log: BinaryIO) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(_SECONDS)


def _query(base: str, expression: str) -> list[Sample]:
    try:
        text = _get(f"{base}/query?query={urllib.parse.quote(expression)}")
    except OSError:
        return []
    return json.loads(text)["data"]["result"]


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  this machine's own
        return answer.read().decode()


def _until(attempt: Callable[[], list[Sample]]) -> list[Sample]:
    end = time.monotonic() + _SECONDS
    while not (found := attempt()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
