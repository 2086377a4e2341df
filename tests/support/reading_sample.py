"""The sample and what it lacks, built: what tests of the reading commands read."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner, Result

import sample_marts
import servers
from loader.cli import cli
from loader.show.render import number
from loader.sources.sample import EXPERIMENT_ID, write_sample
from loader.tools.tables import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHARED = servers.SHARED_DATA / "popularity_gpt5_vs_gemini.jsonl"
EVIL = "evil [bold]|`\x1b[31m"
TIE_MARGIN = Fraction("0.05")
SAMPLE_FILES = ["baseline.jsonl", "code-chef.jsonl", "history.jsonl", "more.jsonl"]
COMMANDS = [
    ["summary", "--experiment", EXPERIMENT_ID],
    ["catalog"],
    ["compare", "--experiment", EXPERIMENT_ID],
    ["trend", "--agent", "feature_dev", "--metric", "accuracy"],
    ["recent"],
    ["experiments"],
]


class Built:
    """A database that holds the sample and its marts, and what was loaded into it."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory

    def run(self, *arguments: object) -> Result:
        return CliRunner().invoke(cli, [*map(str, arguments), "--database-url", self.url])

    def json(self, *arguments: object) -> list[dict]:
        result = self.run(*arguments, "--format", "json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@contextmanager
def reading_sample(server: str, directory: Path) -> Iterator[Built]:
    """Yield a new database with all of it, and the directory of the files that it came from."""
    _write(directory)
    with servers.fresh_database(server, servers.template(server, "reading", _fill)) as url:
        yield Built(url, directory)


def _write(directory: Path) -> None:
    write_sample(directory)
    (directory / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in _more()))


def _fill(url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        _write(directory)
        built = Built(url, directory)
        files = [directory / name for name in SAMPLE_FILES]
        for arguments in (
            ["init"],
            ["ingest", *(part for path in files for part in ("--file", path))],
            ["ingest", "--file", directory / "baseline_runner.json", "--format", "baseline",
             "--experiment-id", "timing", "--extension-version", "1.10.0"],
            *([["ingest", "--file", SHARED]] if SHARED.exists() else []),
        ):  # fmt: skip
            result = built.run(*arguments)
            assert result.exit_code == 0, result.output
        sample_marts.build(url)


def _more() -> list[dict[str, Any]]:
    return [
        {"experiment_id": "alone", "task_id": EVIL, "experiment_group": "code-chef",
         "extension_version": "2.0.0", "agent_name": EVIL, "accuracy": 0.5},
        {"experiment_id": "only-baseline", "task_id": "t", "experiment_group": "baseline",
         "extension_version": "2.0.0"},
        *({"experiment_id": "apart", "task_id": task, "experiment_group": group,
           "extension_version": "2.0.0", "accuracy": 0.5, "success": task != "q-4"}
          for group, name in (("baseline", ""), ("code-chef", "q-"))
          for task in (f"{name}{number}" for number in range(1, 5))),
        *({"experiment_id": "unsaid", "task_id": str(task), "experiment_group": group,
           "extension_version": "2.0.0",
           "scores": {"correct": place / 2, "hallucination_rate": 0.2 + place / 2},
           "measurements": {"ttft_ms": 300 + 300 * place + task}}
          for place, group in enumerate(("baseline", "code-chef"))
          for task in range(30)),
        *({"experiment_id": f"drift-{version}", "task_id": str(task), "agent_name": "drifter",
           "experiment_group": "code-chef", "extension_version": version,
           "scores": {"correct": 0.9 - change - task % 3 / 100,
                      "hallucination_rate": 0.2 + change + task % 3 / 100}}
          for version, change in (("1.0.0", 0), ("1.1.0", 0.3))
          for task in range(40)),
        *({"experiment_id": "parts", "task_id": f"{category}-{task}",
           "experiment_group": group, "extension_version": "2.0.0", "accuracy": score,
           "success": True, "metadata": {"category": category}}
          for category, before, after in (("physics", 60, 35), ("chemistry", 35, 60))
          for task in range(100)
          for group, score in (("baseline", int(task < before)),
                               ("code-chef", int(task < after)))),
    ]  # fmt: skip


def results(paths: list[Path], experiment: str, key: str) -> dict[str, dict[str, Fraction | None]]:
    """Return group → task → exact mean score over repetitions, None when there is none."""
    scores: dict[tuple[str, str], list[Fraction]] = defaultdict(list)
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line, parse_float=Fraction, parse_int=Fraction)
            if row["experiment_id"] == experiment:
                value = row["scores"].get(key)
                scores[row["experiment_group"], row["task_id"]] += [] if value is None else [value]
    means: dict[str, dict[str, Fraction | None]] = defaultdict(dict)
    for (group, task), values in scores.items():
        means[group][task] = sum(values, Fraction()) / len(values) if values else None
    return means


def winners(means: Mapping[str, Mapping[str, Fraction | None]]) -> dict[str, str | None]:
    """Return task → who won it, counted without the database."""
    found: dict[str, str | None] = {}
    for task, left in means["baseline"].items():
        if task in means["code-chef"]:
            right = means["code-chef"][task]
            if left is None or right is None:
                found[task] = None
            elif abs(right - left) <= TIE_MARGIN:
                found[task] = "tie"
            else:
                found[task] = "candidate" if right > left else "baseline"
    return found


def sample_winners(built: Built) -> dict[str, str | None]:
    paths = [built.directory / name for name in SAMPLE_FILES[:2]]
    return winners(results(paths, EXPERIMENT_ID, "agent_routing_accuracy"))


def shown(value: object) -> str:
    return number(float(str(value)), Kind.POINTS)
