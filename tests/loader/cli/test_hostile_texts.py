"""Two hundred hostile texts as every text of a record, through every command and format."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families

import hostile_texts
import media
import sample_marts
import servers
from loader.cli import COMMANDS, cli
from loader.show import escape
from loader.tools.tables import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

NAMES = hostile_texts.NAMES
NAME = NAMES[0]
TEXTS = hostile_texts.hostile_texts()
EVERY = [output.value for output in Format]
ORACLES: dict[str, Callable[[str], Iterator[str]]] = {
    "table": media.terminal_faults,
    "markdown": media.markdown_faults,
    "json": media.json_faults,
    "csv": media.csv_faults,
}
# What a command is asked, and in which formats it answers; `{name}` is a hostile name.
PLAN: dict[str, list[tuple[list[str], list[str]]]] = {
    "summary": [(["--experiment", name], EVERY) for name in NAMES],
    "compare": [
        *((["--experiment", name], EVERY) for name in NAMES),
        *((["--experiment", NAME, "--task", text], EVERY) for text in TEXTS[:30:6]),
    ],
    "trend": [(["--agent", f"agent {name}", "--metric", "accuracy"], EVERY) for name in NAMES],
    "regressions": [([], EVERY), (["--tasks"], EVERY)],
    "recent": [(["--limit", "1000"], EVERY)],
    "experiments": [([], EVERY)],
    "catalog": [([], EVERY)],
    "gate": [
        *((["--experiment", name], ["table", "json", "markdown"]) for name in NAMES),
        (["--agent", f"agent {NAME}"], ["table", "json", "markdown"]),
    ],
    "replay": [([], EVERY)],
    "baseline": [(["show"], EVERY)],
    "annotate": [(["--list"], EVERY)],
    "withdraw": [(["--list"], EVERY)],
}
# Commands that show no text of a record, or have tests of their own here.
APART = {
    "init", "declare", "ingest", "projects", "datasets", "run", "compare-models", "build",
    "calibrate", "check", "report", "push", "metrics", "export", "purge", "sample", "schema", "env",
    "doctor", "stop", "dashboards", "docs", "label", "serve", "plan",
    "ci", "comment",  # tests/loader/ci
}  # fmt: skip


@pytest.fixture(scope="module")
def url(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("hostile")
    records = directory / "records \x1b[31m.jsonl"
    hostile_texts.write_records(records)
    with servers.migrated(postgres_server) as url:
        control, treatment = map(hostile_texts.group_of, ("control", "treatment"))
        roles = [
            "--control",
            control,
            "--treatment",
            treatment,
            "--with-io",
            "--max-rejected",
            "100%",
        ]
        loaded = call(url, "ingest", "--file", str(records), *roles)
        assert loaded.exit_code == 0, loaded.output
        assert "rejected 0" in loaded.stdout
        assert list(media.terminal_faults(loaded.output)) == []
        sample_marts.build(url)
        yield url


def call(url: str, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [command, *arguments, "--database-url", url])


def test_every_command_is_here_or_apart() -> None:
    assert {*PLAN} | APART == {*COMMANDS}
    assert not {*PLAN} & APART


@pytest.mark.parametrize("command", PLAN)
def test_no_text_has_an_effect_in_any_format(url: str, command: str) -> None:
    faults = []
    for arguments, formats in PLAN[command]:
        for output in formats:
            result = call(url, command, *arguments, "--format", output)
            place = f"{command} {arguments} {output}"
            assert result.exit_code in {0, 1, 5}, f"{place}: {result.output}"
            faults += [f"{place}: {fault}" for fault in ORACLES[output](result.stdout)]
            faults += [f"{place}: {fault}" for fault in media.terminal_faults(result.stderr)]
    assert faults == []


def test_json_has_every_text_as_it_was_and_csv_all_but_an_apostrophe(url: str) -> None:
    for output, shown in (("json", str), ("csv", escape.spreadsheet)):
        found = set()
        for name in NAMES:
            result = call(url, "compare", "--experiment", name, "--format", output)
            told = result.stdout_bytes.decode()
            found |= {row["task_id"] for row in _rows(told, output)}
        assert found == {shown(text) for text in TEXTS}


def _rows(text: str, output: str) -> list[dict[str, Any]]:
    import csv

    if output == "json":
        return json.loads(text)
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_markdown_shows_every_text_as_a_terminal_does(url: str) -> None:
    shown = set()
    for name in NAMES:
        text = call(url, "compare", "--experiment", name, "--format", "markdown").stdout
        shown |= {row[0] for row in media.markdown_cells(text)}
    wanted = {escape.terminal(text).strip() for text in TEXTS}
    assert wanted <= {cell.replace("\xa0", " ") for cell in shown}


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_a_report_shows_texts_and_obeys_none(url: str, tmp_path: Path, suffix: str) -> None:
    asked = [["--experiment", name] for name in NAMES] + [["--agent", f"agent {NAME}"]]
    oracle = media.html_faults if suffix == "html" else media.markdown_faults
    for place, arguments in enumerate(asked):
        path = tmp_path / f"{place}.{suffix}"
        result = call(url, "report", *arguments, "-o", str(path))
        assert result.exit_code == 0, result.output
        assert list(oracle(path.read_text(encoding="utf-8"))) == []


def test_metrics_are_what_prometheus_can_read(url: str, tmp_path: Path) -> None:
    path = tmp_path / "evalmart.prom"
    assert call(url, "metrics", "--textfile", str(path)).exit_code == 0
    text = path.read_text(encoding="utf-8")
    labels = {
        value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for value in sample.labels.values()
    }
    assert escape.label(f"agent {NAME}") in labels
    assert [fault for label in labels for fault in media.terminal_faults(label)] == []
    assert max(map(len, labels)) <= escape.LONGEST_LABEL


@pytest.mark.parametrize(
    "mart", ["evaluation_results", "evaluation_trials", "experiment_summaries", "category_counts"]
)
def test_an_export_holds_no_formula(url: str, mart: str) -> None:
    result = call(url, "export", "-", "--mart", mart)
    assert result.exit_code == 0, result.output
    assert list(media.csv_faults(result.stdout)) == []
    assert list(media.terminal_faults(result.stderr)) == []


def test_what_is_refused_is_said_without_effect(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that there are not, rejected records, paths, options: what an error quotes."""
    monkeypatch.chdir(tmp_path)  # --guess proposes a file where it is called
    rejected = tmp_path / "rejected.jsonl"
    rejected.write_text(
        "".join(
            json.dumps({"task_id": text, "experiment_group": text, "scores": {text: text}, text: 1})
            + "\n"
            for text in TEXTS
        )
    )  # fmt: skip
    calls = [
        ["ingest", "--file", str(rejected), "--experiment-id", NAME],
        ["ingest", "--file", str(rejected), "--experiment-id", NAME, "--strict"],
        ["ingest", "--file", str(rejected), "--guess"],
        ["doctor"],
        ["env"],
    ]
    for text in [*TEXTS, NAME + "x"]:
        if text.startswith("-"):
            continue
        calls += [["summary", "--experiment", text]]
    for text in (*NAMES, *TEXTS[:40]):
        if text.startswith("-"):
            continue
        calls += [
            ["trend", "--agent", text, "--metric", text],
            ["gate", "--experiment", text],
            ["gate", "--experiment", NAME, "--floor", f"{text}=0.5"],
            ["export", text],
            ["export", "-", "--mart", text],
            ["report", "--experiment", NAME, "-o", text],
            ["recent", "--limit", text],
            ["recent", f"--{text}"],
            ["ingest", "--file", f"/nowhere/{text}"],
            ["baseline", text],
        ]
    faults = []
    for command, *arguments in calls:
        result = call(url, command, *arguments)
        assert result.exit_code != 70, (command, arguments, result.output)
        if command != "env":
            told = re.sub(r"^Usage: .*$", "", result.output, flags=re.MULTILINE)
            faults += [f"{command} {arguments}: {each}" for each in media.terminal_faults(told)]
    assert faults == []
