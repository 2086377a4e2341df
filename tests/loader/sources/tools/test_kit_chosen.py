"""Which source reads which file of a command, and what it is told."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import servers
from ingest_support import line, record, select
from loader.cli import cli
from loader.errors import ConfigurationError
from loader.sources.chosen import Chosen, file_sources
from loader.sources.files import FileSource
from loader.sources.mapping import Mapping
from plain_tool import mapped
from tool_files import inspect_log

if TYPE_CHECKING:
    from click.testing import Result

    from loader.sources import Source

pytestmark = pytest.mark.newest_server
ARM = ("--experiment-group", "baseline")


def simulations(*rewards: float | None) -> bytes:
    """Give a file as tau-bench writes it."""
    return json.dumps(
        [
            {"task_id": n, "reward": reward, "info": {}, "traj": [said], "trial": 0}
            for n, reward in enumerate(rewards)
            for said in [{"role": "user", "content": f"{rewards}"}]
        ]
    ).encode()


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def chosen(
    *paths: Path | str,
    format: str | None = None,  # noqa: A002  as of what is called
    mapping: Mapping | None = None,
) -> Chosen:
    def scratch() -> str:
        raise AssertionError("nothing is to be kept of a regular file")

    return file_sources(
        list(map(str, paths)),
        format,
        groups=(),
        supplied={"experiment_group": "baseline"},
        mapping=mapping or Mapping(),
        scratch=scratch,
    )


def names(source: Source) -> list[str]:
    files: Any = source.reference()["files"]
    return [Path(path).name for path in files]


def told(found: Chosen) -> dict[str, list[str]]:
    """Return the files of each source, and those that are left out."""
    left_out = [Path(path).name for path in found.left_out]
    return {source.name: names(source) for source in found.sources} | {"left out": left_out}


RESULTS = {
    "a/tau.json": simulations(1.0),
    "a/records.jsonl": line(),
    "b/c/tau.json.gz": gzip.compress(simulations(0.0)),
    "b/c/table.csv": b"task_id,accuracy\nt,1\n",
    "b/list.json": json.dumps({"results": [record()]}).encode(),
    ".git/config.json": b"{}",
    "b/.hidden.jsonl": line(),
    "notes.md": b"# Notes, of what was done\n",
    "config.json": b'{"model": "m"}',
    "usage.csv": b"day,tokens\n1,2\n",
}


def test_a_folder_of_several_kinds_is_sorted_by_what_wrote_its_files(tmp_path: Path) -> None:
    assert told(chosen(written(tmp_path, RESULTS))) == {
        "file": ["records.jsonl", "table.csv", "list.json"],
        "tau-bench": ["tau.json", "tau.json.gz"],
        "left out": ["config.json", "notes.md", "usage.csv"],
    }


def test_a_folder_of_records_alone_is_read_as_it_was(tmp_path: Path) -> None:
    files = {name: RESULTS[name] for name in RESULTS if "tau" not in name}
    assert told(chosen(written(tmp_path, files))) == {
        "file": ["records.jsonl", "table.csv", "list.json", "config.json", "usage.csv"],
        "left out": ["notes.md"],
    }


def test_a_file_that_is_named_is_never_left_out(tmp_path: Path) -> None:
    folder = written(tmp_path, RESULTS)
    assert told(chosen(folder, folder / "notes.md", f"{folder}/conf*.json")) == {
        "file": ["notes.md", "records.jsonl", "table.csv", "list.json"],
        "tau-bench": ["tau.json", "tau.json.gz"],
        "left out": ["config.json", "usage.csv"],
    }
    assert told(chosen(f"{folder}/*")) == {
        "file": ["config.json", "notes.md", "usage.csv"],
        "left out": [],
    }


def test_a_file_of_several_names_is_read_once(tmp_path: Path, monkeypatch: Any) -> None:  # noqa: ANN401
    folder = written(tmp_path, {"b.jsonl": line(), "tau.json": simulations(1.0)})
    (folder / "a-latest.jsonl").symlink_to("b.jsonl")
    (folder / "dangling.jsonl").symlink_to("nothing.jsonl")
    monkeypatch.chdir(folder)
    found = told(chosen(".", "./tau.json", "tau.json", folder, "*.json*"))
    assert found == {"file": ["b.jsonl"], "tau-bench": ["tau.json"], "left out": []}
    assert chosen(".").dangling == ["dangling.jsonl"]


def test_what_a_format_says_is_done(tmp_path: Path) -> None:
    folder = written(tmp_path, {"x.json": simulations(1.0)})
    assert told(chosen(folder, format="json"))["file"] == ["x.json"]
    assert told(chosen(folder, format="tau-bench"))["tau-bench"] == ["x.json"]
    assert told(chosen(folder, mapping=mapped("task_id=id")))["file"] == ["x.json"]
    assert told(chosen(folder, mapping=Mapping(records="list")))["file"] == ["x.json"]


def test_a_folder_without_files_is_told(tmp_path: Path) -> None:
    written(tmp_path, {".hidden/x.jsonl": line()})
    with pytest.raises(ConfigurationError, match="no file is in the folder"):
        chosen(tmp_path)
    with pytest.raises(ConfigurationError, match="there is no file"):
        chosen(tmp_path / "nothing")


def ingest(url: str, *arguments: str, stdin: bytes | None = None) -> Result:
    command = ["ingest", *arguments, "--database-url", url]
    return CliRunner().invoke(cli, command, input=stdin)


def test_each_kind_is_a_load_that_adds_up_and_json_is_one_object_a_line(
    tmp_path: Path, database_url: str
) -> None:
    folder = written(tmp_path, RESULTS)
    (folder / "gone.jsonl").symlink_to("nothing.jsonl")
    said = (*ARM, "--experiment-id", "exp-1", "--extension-version", "1.0.0")
    result = ingest(database_url, str(folder), *said, "--summary-format", "json")
    assert result.exit_code == 0, result.output
    loads = [json.loads(text) for text in result.stdout.splitlines()]
    assert [(load["source"], load["read"], load["loaded"]) for load in loads] == [
        ("file", 3, 3), ("tau-bench", 2, 2),
    ]  # fmt: skip
    assert all("project" not in load for load in loads)
    assert "left out: " in result.stderr
    assert f"left out: {folder / 'gone.jsonl'}: a link to a file that is not there" in result.stderr
    assert "note: " in result.stderr
    again = ingest(database_url, str(folder), *said)
    assert again.exit_code == 0
    assert [text[:40] for text in again.stdout.splitlines() if "read" in text] == [
        "file: read 3 · loaded 0 · unchanged 3 · ",
        "tau-bench: read 2 · loaded 0 · unchanged",
    ]


def test_one_kind_that_loads_nothing_keeps_no_other_back(tmp_path: Path, database_url: str) -> None:
    folder = written(tmp_path, {"r.jsonl": b'{"task_id": 1', "tau.json": simulations(1.0)})
    result = ingest(database_url, str(folder), *ARM)
    assert result.exit_code == 3
    assert "1 of 2 loads had nothing that could be loaded" in result.stderr
    stored = "select source, count(*) from raw_evals.evaluation_runs group by 1"
    assert select(database_url, stored) == [("tau-bench", 1)]


def test_standard_input_is_of_a_tool_where_the_format_says_so(database_url: str) -> None:
    content = simulations(1.0, 0.0)
    told = ("--file", "-", "--format", "tau-bench", "--summary-format", "json")
    result = ingest(database_url, *told, *ARM, stdin=content)
    assert json.loads(result.stdout)["loaded"] == 2, result.output
    broken = ingest(database_url, *told, *ARM, stdin=content[:-20])
    assert broken.exit_code == 3
    assert json.loads(broken.stdout)["rejected"] == 1
    assert "breaks off" in broken.stdout


def test_a_pipe_is_read_once(tmp_path: Path, database_url: str) -> None:
    """As `ingest <(zcat results.gz)` gives it: what was looked at would be gone."""
    for name, content, options in (
        ("records", line() * 1, ()),
        ("tau", simulations(1.0), ("--format", "tau-bench")),
    ):
        pipe = tmp_path / name
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(content,))
        writer.start()
        result = ingest(database_url, str(pipe), *options, "--summary-format", "json", *ARM)
        writer.join()
        assert json.loads(result.stdout)["loaded"] == 1, result.output


def test_what_is_known_is_not_guessed(tmp_path: Path, database_url: str) -> None:
    folder = written(tmp_path, {"a.csv": b"id,score\n1,1\n", "tau.json": simulations(1.0)})
    guessed = ingest(database_url, "--guess", str(folder / "tau.json"))
    assert guessed.exit_code == 2
    assert "tau.json is a file of tau-bench" in guessed.stderr
    assert "what it says is known; leave --guess out" in guessed.stderr
    told = ingest(database_url, "--guess", "--format", "tau-bench", str(folder / "tau.json"))
    assert told.exit_code == 2
    assert "leave it out" in told.stderr


@pytest.mark.parametrize(
    "said", [("--map", "task_id=task"), ("--records", "runs"), ("--format", "json")]
)
def test_a_file_like_a_tools_is_guessed_where_records_of_ones_own_are_meant(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: tuple[str, str],
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"task": f"q{n}", "arm": arm, "ok": n % 2} for n in range(5) for arm in ("a", "b")]
    document: dict[str, Any] = {"testRunData": {}, "runs": rows}
    written(tmp_path, {"r.json": json.dumps(document).encode()})
    refused = CliRunner().invoke(cli, ["ingest", "--guess", "r.json"])
    assert refused.exit_code == 2
    assert "or give --format csv, json or jsonl if it holds records of your own" in refused.stderr
    guessed = CliRunner().invoke(cli, ["ingest", "--guess", *said, "r.json"])
    assert guessed.exit_code == 0, guessed.output
    assert "task_id: task" in Path("evalmart-mapping.yml").read_text(encoding="utf-8")


def test_files_without_arm_are_told_before_anything_is_loaded(
    tmp_path: Path, database_url: str
) -> None:
    folder = written(tmp_path, {"old.json": simulations(1.0), "n\x1bew.json": simulations(0.0)})
    result = ingest(database_url, str(folder))
    assert result.exit_code == 2
    assert "--map experiment_group=@file --control old --treatment" in result.stderr
    assert "\x1b" not in result.output
    told = ("--map", "experiment_group=@file", "--control", "old", "--treatment", "n\x1bew")
    loaded = ingest(database_url, str(folder), *told)
    assert loaded.exit_code == 0, loaded.output
    wrong = ingest(database_url, str(folder), "--map", "experiment_group=fil")
    assert wrong.exit_code == 2
    assert "(did you mean file?)" in wrong.stderr


def test_a_dry_run_and_a_strict_one_write_nothing_of_a_tool(
    tmp_path: Path, database_url: str
) -> None:
    folder = written(tmp_path, {"tau.json": simulations(1.0, 0.0)})
    extra = json.dumps([{"task_id": 1, "reward": "high", "info": {}, "trial": 1}]).encode()
    written(folder, {"odd.json": extra})
    dry = ingest(database_url, str(folder), *ARM, "--dry-run", "--summary-format", "json")
    assert {key: json.loads(dry.stdout)[key] for key in ("read", "loaded", "rejected")} == {
        "read": 3, "loaded": 2, "rejected": 1,
    }  # fmt: skip
    assert ingest(database_url, str(folder), *ARM, "--strict").exit_code == 3
    assert select(database_url, "select count(*) from raw_evals.evaluation_runs") == [(0,)]
    assert ingest(database_url, str(folder), *ARM, "--max-rejected", "0.1").exit_code == 3
    assert select(database_url, "select count(*) from raw_evals.evaluation_runs") == [(2,)]


def test_a_strict_load_of_several_kinds_loads_all_of_them_or_none(
    tmp_path: Path, database_url: str
) -> None:
    (tmp_path / "sim.json").write_bytes(simulations(1, 0))
    own = tmp_path / "own.jsonl"
    own.write_bytes(line() + b'\n{"bad": 1}\n')
    command = (str(tmp_path), *ARM, "--strict")
    refused = ingest(database_url, *command)
    assert refused.exit_code == 3
    assert "not loaded, since others have faults (--strict): tau-bench" in refused.stderr
    assert select(database_url, "select count(*) from raw_evals.evaluation_runs") == [(0,)]
    kept = select(database_url, "select reason_code from raw_evals.rejected_rows order by 1")
    assert kept == [("unknown_field",), ("withheld",)]
    own.write_bytes(line())
    assert ingest(database_url, *command).exit_code == 0
    assert select(database_url, "select count(*) from raw_evals.evaluation_runs") == [(3,)]


def test_a_mapping_for_files_of_a_tool_leaves_what_records_beside_them_say(
    tmp_path: Path, database_url: str
) -> None:
    (tmp_path / "sim.json").write_bytes(simulations(1, 0))
    (tmp_path / "own.jsonl").write_bytes(line())
    said = (
        "--map",
        "experiment_group=domain",
        "--control",
        "airline",
        "--map",
        "metadata.d=domain",
    )
    done = ingest(database_url, str(tmp_path), *said)
    found = select(
        database_url, "select source, experiment_group from raw_evals.evaluation_runs order by 1"
    )
    assert ("file", record()["experiment_group"]) in found, done.output


def test_the_command_that_is_advised_holds_for_every_kind_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "sim.json").write_bytes(simulations(1, 0))
    (tmp_path / "b.csv").write_text("metric,score\nfaithfulness,1.0\n")
    refused = ingest("postgresql://nobody@127.0.0.1:9/none", str(tmp_path))
    assert refused.exit_code == 2
    *_, by_file, by_kind = refused.stderr.splitlines()
    assert "--map experiment_group=@file" in by_file
    assert by_kind.endswith(("tau-bench, ragas", "ragas, tau-bench"))


def test_a_load_of_a_tool_can_be_withdrawn(tmp_path: Path, database_url: str) -> None:
    path = str(written(tmp_path, {"tau.json": simulations(1.0, 0.0)}) / "tau.json")
    told = (path, *ARM, "--summary-format", "json")
    load = json.loads(ingest(database_url, *told).stdout)
    command = ["withdraw", "--load", str(load["load_id"]), "--reason", "wrong file"]
    taken = CliRunner().invoke(cli, [*command, "--database-url", database_url])
    assert taken.exit_code == 0, taken.output
    again = json.loads(ingest(database_url, *told).stdout)
    assert (again["loaded"], again["unchanged"]) == (2, 0)


def test_a_table_that_is_no_tools_is_read_as_records(tmp_path: Path) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["task_id", "x"], ["t", "1"]])
    found = chosen(written(tmp_path, {"t.csv": text.getvalue().encode()}))
    [source] = found.sources
    assert isinstance(source, FileSource)


def test_an_archive_of_no_tool_is_told_from_a_workbook(tmp_path: Path) -> None:
    files = {
        "a.zip": b"PK\x03\x04 and more",
        "b.xlsx": b"PK\x03\x04\x14\x00[Content_Types].xml",
    }
    folder = written(tmp_path, files)
    [source] = chosen(*(folder / name for name in files)).sources
    codes = [row.rejection and row.rejection.reason_code for row in source.rows()]
    assert codes == ["archive", "workbook"]


def test_an_archive_within_gzip_is_to_be_unpacked(tmp_path: Path) -> None:
    path = inspect_log.write(tmp_path)[0]
    packed = tmp_path / "log.eval.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for format in (None, "inspect"):  # noqa: A001  as the option
        [source] = chosen(packed, format=format).sources
        [row] = source.rows()
        assert row.rejection is not None
        assert row.rejection.reason_code == "archive"
        assert row.rejection.reason.endswith("unpack the gzip: the archive inside is read as it is")
    guessed = CliRunner().invoke(cli, ["ingest", "--guess", str(packed)])
    assert guessed.exit_code == 2
    assert "unpack the gzip: the archive inside is read as it is" in guessed.stderr


def test_no_importer_is_imported_for_records(tmp_path: Path) -> None:
    paths = [tmp_path / "a.jsonl", tmp_path / "b.csv", tmp_path / "c.json"]
    paths[0].write_bytes(line())
    paths[1].write_bytes(b"task_id,experiment_group,accuracy\nt,baseline,1\n")
    paths[2].write_bytes(json.dumps([record()]).encode())
    program = (
        "import sys; from loader.sources.tools import registry, opened; "
        "assert not any(registry.recognised(opened.ToolFile(path)) for path in sys.argv[1:]); "
        "loaded = {f'loader.sources.tools.{name}' for name in registry.KINDS.values()}; "
        "assert not loaded & set(sys.modules), loaded & set(sys.modules)"
    )
    command = [sys.executable, "-c", program, *map(str, paths)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=servers.REPOSITORY
    )
    assert done.returncode == 0, done.stderr
