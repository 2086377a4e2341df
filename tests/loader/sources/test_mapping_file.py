"""A mapping as a file: the same as the options, its faults told by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loader.errors import ConfigurationError
from loader.sources.mapping_file import parse_mapping, read_mapping
from said_mapping import mapping

if TYPE_CHECKING:
    from pathlib import Path

FILE = """\
# what our tracker writes
task_id: id
scores: {judge: grade, 'exact match': em}
experiment_group: variant{A:baseline,B:code-chef}
metadata.*: "*"
leave_out: [tmp]
scales: {judge: [1, 5]}
measures: [turns]
defaults: {experiment_id: exp-1, extension_version: 1.10}
groups: {control: [baseline], treatment: [code-chef]}
decimal: comma
missing: [NA, n/a]
records: data.runs
"""


def test_a_mapping_file_says_the_same_as_options(tmp_path: Path) -> None:
    path = tmp_path / "m.yml"
    path.write_text(FILE)
    said = read_mapping(path)
    same = mapping(
        "task_id=id", "scores.judge=grade", "scores.exact match=em",
        "experiment_group=variant{A:baseline,B:code-chef}", "-=tmp",
    )  # fmt: skip
    assert list(said.entries) == list(same.entries)
    assert said.keeps_rest
    assert said.scales == {"judge": (1.0, 5.0)}
    assert said.measures == {"turns"}
    assert said.defaults == {"experiment_id": "exp-1", "extension_version": "1.10"}
    assert said.groups == {"baseline": "control", "code-chef": "treatment"}
    assert (said.decimal, said.missing, said.records) == ("comma", {"NA", "n/a"}, "data.runs")


def test_an_option_goes_before_the_file() -> None:
    over = mapping("task_id=other").over(parse_mapping(FILE, "m.yml"))
    [entry] = [entry for entry in over.entries if entry.target and entry.target.name == "task_id"]
    assert entry.columns == ("other",)
    assert over.scales == {"judge": (1.0, 5.0)}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("task_id: id\nfoo: x", 2, "scores.foo"),
        ("scale: {a: [1, 5]}", 1, "did you mean scales"),
        ("task_id: a\ntask_id: b", 2, "stands twice"),
        ("task_id: 5", 1, "write \"'5'\" for the constant"),
        ("task_id:", 1, "no column and no constant"),
        ("task_id: [a]", 1, "is a list"),
        ("\nscales: {a: [5, 1]}", 2, "not below"),
        ("scales: {a: high}", 1, "lowest and highest"),
        ("defaults: {task: x}", 1, "has no default"),
        ("groups: {both: [x]}", 1, "is no role"),
        ("groups: {control: [x], treatment: [x]}", 1, "cannot be both"),
        ("decimal: dot", 1, "point or comma"),
        ("records: [a, b]", 1, "names one list"),
        ("- task_id", 1, "one a line"),
        ("task_id: 'a\nb: {", 2, "not YAML"),
        ("task_id: @file", 1, "in quotes"),
    ],
)
def test_a_fault_of_a_mapping_file_has_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_mapping(text, "m.yml")
    assert said in str(refused.value)
    assert f"m.yml, line {line}: " in str(refused.value)


def test_every_fault_of_a_mapping_file_comes_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_mapping("foo: x\nscales: {a: 1}\nlatency_ms: latency_s\n", "m.yml")
    assert str(refused.value).count("m.yml, line ") == 3


def test_a_mapping_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="check --mapping"):
        read_mapping(tmp_path / "none.yml")
