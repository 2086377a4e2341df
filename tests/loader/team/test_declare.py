"""`declare`: what it writes, what it leaves, and what it refuses."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from loader.cli import cli
from loader.team.edit import put_row
from loader.tools import csv_text
from loader.warehouse.project import project_directory
from loader.warehouse.seeds import read_seed, read_vocabulary

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "experiment_group,role,description"


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a working directory without a folder of a team."""
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("EVALMART_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def declare(*arguments: str, exit_code: int = 0) -> list[str]:
    result = CliRunner().invoke(cli, ["declare", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.output.splitlines()


def test_the_folder_is_made_where_there_is_none_with_that_file_only(work: Path) -> None:
    said = declare("group", "control_v3", "--role", "control")
    assert said[0] == (
        "made evalmart/ and in it experiment_groups.csv, a copy of the project's own"
    )
    assert said[1].startswith("evalmart/experiment_groups.csv: added control_v3: role control")
    assert [path.name for path in (work / "evalmart").iterdir()] == ["experiment_groups.csv"]
    own = (project_directory() / "seeds" / "experiment_groups.csv").read_text()
    written = (work / "evalmart" / "experiment_groups.csv").read_text()
    assert written == own + "control_v3,control,What a candidate is compared with\n"
    assert "control_v3" in read_vocabulary().groups
    assert declare("group", "control_v3", "--role", "control") == [
        "evalmart/experiment_groups.csv: control_v3 is there as asked; nothing changed"
    ]
    assert (work / "evalmart" / "experiment_groups.csv").read_text() == written


def test_a_declared_metric_is_updated_and_what_changed_is_said(work: Path) -> None:
    declare("metric", "accuracy", "--margin", "0.03", "--weight", "0.5")
    before = read_seed("metrics")
    assert declare("metric", "accuracy", "--margin", "0.02", "--weight", "0.50") == [
        "evalmart/metrics.csv: accuracy: non_inferiority_margin 0.03 → 0.02"
    ]
    after = read_seed("metrics")
    assert after[1:] == before[1:]
    assert after[0] == before[0] | {"non_inferiority_margin": "0.02"}
    assert (work / "evalmart" / "metrics.csv").read_text().splitlines()[2:] == (
        project_directory() / "seeds" / "metrics.csv"
    ).read_text().splitlines()[2:]


def test_a_metric_with_a_scale_is_declared_in_both_files(work: Path) -> None:
    declare("metric", "helpfulness", "--scale", "1:5", "--margin", "0.03")
    assert read_seed("metrics")[-1] == {
        "metric": "helpfulness", "position": "8", "kind": "score", "unit": "fraction",
        "direction": "higher", "weight": "0", "tie_margin": "0.05",
        "non_inferiority_margin": "0.03", "description": "What helpfulness says",
    }  # fmt: skip
    scale = read_vocabulary().scales["helpfulness"]
    assert (scale.metric, scale.low, scale.high) == ("helpfulness", 1, 5)
    assert declare("metric", "helpfulness", "--scale", "0:10")[-1] == (
        "evalmart/evaluator_metrics.csv: helpfulness: scale_min 1 → 0, scale_max 5 → 10"
    )
    assert "evalmart" in {path.name for path in work.iterdir()}


def test_names_that_people_type_are_taken(work: Path) -> None:
    assert declare("metric", "latency", "--margin", "0.1")[0] == "latency is latency_ms"
    rows = {row["metric"]: row for row in read_seed("metrics")}
    assert rows["latency_ms"]["non_inferiority_margin"] == "0.1"
    assert "latency" not in rows
    assert (work / "evalmart").is_dir()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["metric", "x", "--direction", "down", "--margin", "-1", "--tie-margin", "y",
             "--kind", "scor", "--weight", "", "--position", "1"],
            ["--direction is 'down'; write higher or lower", "--margin is -1; at least 0",
             "--tie-margin is 'y'; write a number such as 0.05",
             "--kind is 'scor'; write score, latency, tokens, cost or measurement",
             "--weight is empty; give it a value",
             "--position is 1, which accuracy has; choose another"],
        ),
        (
            ["metric", "x", "--scale", "5:1", "--margin", "3"],
            ["--margin is 3; a score's goes from 0 to 1: for three points write 0.03",
             "--scale is '5:1'; write the lowest and the highest value, as 1:5"],
        ),
        (
            ["metric", "retries", "--kind", "measurement", "--scale", "1:5"],
            ["--direction is needed of a measurement: write higher or lower",
             "--scale belongs to a score, and retries is of the kind measurement"],
        ),
        (["group", "x"], ["--role is needed of a new group: write control or treatment"]),
        (["group", " x", "--role", "boss"],
         ["the name is ' x'; write it without spaces around it",
          "--role is 'boss'; write control or treatment"]),
        (["evaluator", "j", "--metric", "latency", "--scale", "nan:1"],
         ["--metric is latency, of the kind latency; name one of scores",
          "--scale is 'nan:1'; write the lowest and the highest value, as 1:5",
          "--scale is 'nan'; write a number such as 0.05"]),
    ],
)  # fmt: skip
def test_everything_wrong_is_said_at_once_and_nothing_is_written(
    work: Path, arguments: list[str], told: list[str]
) -> None:
    first, *faults = declare(*arguments, exit_code=2)
    assert first == "Error: nothing was declared:"
    assert sorted(line.strip() for line in faults) == sorted(told)
    assert not (work / "evalmart").exists()


def test_a_folder_with_a_fault_is_mended_first(work: Path) -> None:
    (work / "evalmart").mkdir()
    path = work / "evalmart" / "experiment_groups.csv"
    path.write_text(f"{HEAD}\na,contrl,x\n")
    said = declare("group", "b", "--role", "control", exit_code=2)
    assert said[1] == (
        "  evalmart/experiment_groups.csv, line 2, role: is 'contrl'; write control or treatment"
    )
    assert path.read_text() == f"{HEAD}\na,contrl,x\n"


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_comments_order_ends_of_lines_and_the_mark_stay(work: Path, ending: str) -> None:
    (work / "evalmart").mkdir()
    path = work / "evalmart" / "experiment_groups.csv"
    lines = ["# ours", HEAD, 'z,control,"the, ""last"""', "", "# the new ones", '"a",treatment,"A"']
    path.write_bytes(b"\xef\xbb\xbf" + ending.join(lines).encode())
    declare("group", "a", "--role", "control")
    declare("group", "b, c", "--role", "treatment", "--description", "B")
    lines[-1] = '"a",control,"A"'
    expected = ending.join([*lines, '"b, c",treatment,B', ""])
    assert path.read_bytes() == b"\xef\xbb\xbf" + expected.encode()


_CELLS = st.text(st.sampled_from('ab,"# \r\né'), max_size=5)
_BETWEEN = st.sampled_from(["", '# a remark, "with a quote\n', "\n"])


@given(
    rows=st.dictionaries(_CELLS.filter(lambda name: name != "key"), st.tuples(_CELLS, _BETWEEN)),
    key=_CELLS,
    value=_CELLS,
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_one_row_is_changed_and_every_other_byte_kept(
    rows: dict[str, tuple[str, str]], key: str, value: str, ending: str
) -> None:
    def row(name: str, other: str) -> str:
        return f"{csv_text.written(name)},{csv_text.written(other)}{ending}"

    def file(values: dict[str, tuple[str, str]]) -> str:
        lines = [before + row(name, other) for name, (other, before) in values.items()]
        return "".join([f"key,other{ending}", *lines])

    between = rows[key][1] if key in rows else ""
    changed, changes = put_row(file(rows), ("key",), {"key": key, "other": value})
    assert changed == file({**rows, key: (value, between)})
    assert bool(changes) == (key not in rows or rows[key][0] != value) or not (key or value)
    plain = "".join(record.text for record in csv_text.records(changed) if record.is_data)
    read = list(csv.reader(io.StringIO(plain, newline=""), strict=True))
    assert dict(read[1:]) == {name: other for name, (other, _) in rows.items()} | {key: value}
