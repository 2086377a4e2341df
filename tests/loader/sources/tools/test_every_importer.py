"""What holds for the files of every tool: told by content, whole or nothing, never twice."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import foreign_files
import servers
from importer_trials import (
    DOCUMENTS,
    SUPPLIED,
    copied,
    files_of,
    main_files,
    read,
    recognised_by,
    sound,
    try_read,
    versions_in,
    with_broken_bytes,
    with_odd_values,
    with_one_odd_value,
    written,
)
from ingest_support import line
from loader.cli import cli
from loader.sources.chosen import file_sources
from loader.sources.mapping import Mapping
from loader.sources.tools import Run
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import KINDS, importer_of, recognised

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.newest_server
EVERY = pytest.mark.parametrize("kind", KINDS)
TESTS = servers.REPOSITORY / "tests"
GUIDE = servers.REPOSITORY / "docs" / "import.md"
SMALL_MB, LARGE_MB, MOST_GROWTH_MB = 4, 40, 32


@EVERY
def test_an_importer_has_files_to_try_tests_and_a_row_in_the_guide(kind: str) -> None:
    module = KINDS[kind]
    importer = importer_of(kind)
    assert find_spec(f"tool_files.{module}") is not None
    assert list((TESTS / "loader" / "sources" / "tools").glob(f"test_{module}*.py"))
    assert f"| `{kind}` |" in GUIDE.read_text(encoding="utf-8")
    assert importer.about.kind == kind
    assert all(importer.about._asdict().values())


def test_kinds_are_told_in_alphabetical_order() -> None:
    assert list(KINDS) == sorted(KINDS)


@EVERY
def test_a_file_is_recognised_as_its_kind_and_no_other(kind: str, tmp_path: Path) -> None:
    paths = written(kind, tmp_path)
    assert all(recognised_by(path) == [kind] for path in paths), [
        (path.name, recognised_by(path)) for path in paths
    ]
    for path in files_of(tmp_path):
        assert recognised_by(path) in ([kind], [])


def test_records_of_our_own_are_no_tools(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"scores": {"accuracy": 1}, "metadata": {"id": 1}, "inputs": {"q": 1}}
    records = [json.loads(line(**fields)) for _ in range(3)]
    baseline = {"results": [{"task_id": "t", "mode": "baseline", "latency_ms": 5, "model": "m"}]}
    own: dict[str, bytes] = {
        "a.jsonl": line(**fields),
        "b.json": json.dumps(records).encode(),
        "c.json": json.dumps({"results": records}).encode(),
        "d.csv": b"task_id,experiment_group,scores.accuracy,metadata.id\nt,baseline,1,2\n",
        "e.json": json.dumps(baseline).encode(),
        "f.jsonl": line(metadata={"run": {"target": "m:f"}}),
        "g.csv": b"id,experiment_id,task_id,experiment_group,accuracy,metadata,created_at\n",
        "empty": b"",
        "text.md": b"# Notes, and more\n\n| a | b |\n",
        "list.json": b"[]",
        "numbers.json": b"[1, 2]",
        "object.json": b"{}",
        "archive.zip": b"PK\x03\x04 of something",
    }
    for name, content in own.items():
        (tmp_path / name).write_bytes(content)
    for make in foreign_files.SHAPES:
        make().write(tmp_path)
    sample = ["sample", str(tmp_path / "sample")]
    assert CliRunner().invoke(cli, sample).exit_code == 0
    found = {path.name: recognised(ToolFile(str(path))) for path in files_of(tmp_path)}
    assert len(found) > len(own) + len(foreign_files.SHAPES)
    assert {name: kind for name, kind in found.items() if kind} == {}


def test_every_kind_has_records_of_our_own_that_look_like_its_files() -> None:
    assert {name.partition(".")[0] for name in foreign_files.LIKE_TOOLS} == {*KINDS}


@pytest.mark.parametrize("name", foreign_files.LIKE_TOOLS)
def test_records_with_names_that_a_tool_has_too_are_no_tools(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(foreign_files.LIKE_TOOLS[name], encoding="utf-8")
    assert recognised(ToolFile(str(path))) is None


@EVERY
def test_every_record_is_admitted_and_no_note_is_of_a_fault(kind: str, tmp_path: Path) -> None:
    paths = written(kind, tmp_path, 20)
    found = read(kind, paths)
    assert found.reasons == found.doubled == []
    assert len(found.records) == 20
    for record in found.records.values():
        assert record["task_id"]
        assert record["experiment_id"]
        assert record.get("repetition", 1) >= 1
        assert record.get("scores") or record.get("labels") or record.get("error_message")


@EVERY
def test_no_two_runs_of_an_arm_are_the_same_repetition_of_a_task(kind: str, tmp_path: Path) -> None:
    written(kind, tmp_path, 20)
    for path in main_files(kind, tmp_path):
        runs = [
            (
                json.dumps(item.names, sort_keys=True, default=str),
                *(item.record.get(name) for name in ("experiment_id", "task_id", "repetition")),
            )
            for item in importer_of(kind).runs(ToolFile(str(path)))
            if isinstance(item, Run) and "repetition" in item.record
        ]
        assert len(set(runs)) == len(runs)


@EVERY
def test_a_run_keeps_its_id_wherever_its_files_are(kind: str, tmp_path: Path) -> None:
    here = read(kind, written(kind, tmp_path / "here" / "x", 12)).records
    elsewhere = shutil.copytree(tmp_path / "here" / "x", tmp_path / "over" / "there" / "y")
    assert read(kind, main_files(kind, elsewhere)).records.keys() == here.keys()
    paths = files_of(elsewhere)
    if len(paths) == 1:
        [path] = paths
        renamed = path.rename(path.with_name(f"renamed{path.suffix}"))
        assert recognised_by(renamed) == [kind]
        assert read(kind, [renamed]).records.keys() == here.keys()


@EVERY
def test_the_names_that_an_importer_tells_are_those_of_its_runs(kind: str, tmp_path: Path) -> None:
    told = importer_of(kind).about.names
    paths = written(kind, tmp_path)
    found = {
        name
        for path in paths
        for item in importer_of(kind).runs(ToolFile(str(path)))
        if isinstance(item, Run)
        for name in item.names
    }
    beginnings = tuple(name[:-1] for name in told if name.endswith("*"))
    assert {name for name in found if name not in told and not name.startswith(beginnings)} == set()
    own = (servers.REPOSITORY / "loader" / "sources" / "tools").glob(f"{KINDS[kind]}*.py")
    source = "".join(path.read_text(encoding="utf-8") for path in own)
    lacking = {name for name in told if not name.endswith("*")} - found
    assert {name for name in lacking if source.count(f'"{name}"') < 2} == set()


@EVERY
def test_an_empty_file_is_one_rejected_row(kind: str, tmp_path: Path) -> None:
    for content in (b"", b"\n", b"[]", b"{}"):
        path = tmp_path / "empty.json"
        path.write_bytes(content)
        found = try_read(kind, [path])
        assert found.records == {}
        assert len(found.reasons) == 1, (content, found)
        assert recognised_by(path) == []


@EVERY
def test_files_of_another_tool_are_refused_with_words(kind: str, tmp_path: Path) -> None:
    """As `--format` says the wrong tool."""
    for other in KINDS:
        if other != kind:
            for path in files_of(sound(other)):
                try_read(kind, [path])
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 10)
    assert try_read(kind, [tmp_path / "binary"]).records == {}


@EVERY
def test_a_file_that_breaks_off_gives_nothing_or_whole_runs(kind: str, tmp_path: Path) -> None:
    whole = read(kind, main_files(kind, sound(kind))).records
    chance = random.Random(7)  # noqa: S311  the same places every time
    for original in main_files(kind, sound(kind)):
        alone = read(kind, [original]).records
        folder = copied(kind, tmp_path / original.name)
        path = folder / original.relative_to(sound(kind))
        content = original.read_bytes()
        for end in sorted(chance.sample(range(1, len(content) - 2), 30)):
            path.write_bytes(content[:end])
            found = try_read(kind, [path])
            # of a trace, the last spans tell which run it is
            known = (any(each.startswith(name) for each in whole) for name in found.records)
            assert all(known), (end, found.records.keys())
            if path.suffix in DOCUMENTS and alone:
                assert found.records == {}, end
                assert found.reasons, end
            else:
                assert len(found.records) <= len(alone)


@EVERY
def test_files_with_something_broken_in_them_are_counted_to_the_last_row(
    kind: str, tmp_path: Path
) -> None:
    folder = copied(kind, tmp_path / "broken")
    chance = random.Random(11)  # noqa: S311  the same files every time
    originals = {path: path.read_bytes() for path in files_of(folder)}
    for turn in range(300):
        path = chance.choice(list(originals))
        content = with_broken_bytes(originals[path], chance) if turn % 2 else None
        path.write_bytes(content or with_odd_values(path, chance) or originals[path][:-1])
        recognised(ToolFile(str(path)))
        try:
            try_read(kind, [each for each in originals if each == path or turn % 5 == 0])
        except Exception as error:
            error.add_note(f"turn {turn}, {path}: {path.read_bytes()[:3000]!r}")
            raise
        path.write_bytes(originals[path])


@EVERY
def test_whatever_stands_in_a_value_s_place_is_read_or_rejected(kind: str, tmp_path: Path) -> None:
    """What was met by chance alone: a list where a score of OpenTelemetry stands."""
    folder = copied(kind, tmp_path / "odd")
    for path in files_of(folder):
        original = path.read_bytes()
        for what, content in with_one_odd_value(path):
            path.write_bytes(content)
            try:
                try_read(kind, [path])
            except Exception as error:
                error.add_note(f"{path.name}: {what}")
                raise
        path.write_bytes(original)


@EVERY
def test_a_version_of_the_future_is_read_or_named(kind: str, tmp_path: Path) -> None:
    folder = copied(kind, tmp_path / "future")
    for path in main_files(kind, folder):
        if path.suffix != ".json":
            continue
        original = path.read_bytes()
        before = len(read(kind, [path]).records)
        for place in versions_in(json.loads(original)):
            document = json.loads(original)
            *outer, name = place
            inside = document
            for part in outer:
                inside = inside[part]
            inside[name] = "987.6" if isinstance(inside[name], str) else 987
            path.write_text(json.dumps(document))
            found = try_read(kind, [path])
            is_told = any("987" in reason for reason in found.reasons)
            assert len(found.records) == before or is_told, (place, found.reasons[:2])
        path.write_bytes(original)


@EVERY
def test_a_folder_is_of_its_kind_alone_and_loads_once(
    kind: str, tmp_path: Path, shared_url: str
) -> None:
    paths = written(kind, tmp_path / "results", 30, seed=5)
    folder = str(tmp_path / "results")
    chosen = file_sources(
        [folder], None, groups=(), supplied=SUPPLIED, mapping=Mapping(), scratch=lambda: folder
    )
    assert [source.name for source in chosen.sources] == [kind]
    command = [
        "ingest", folder, "--experiment-group", "baseline", "--summary-format", "json",
        "--max-rejected", "1", "--with-io", "--database-url", shared_url,
    ]  # fmt: skip
    first = CliRunner().invoke(cli, command)
    assert first.exit_code == 0, first.output
    [told] = [json.loads(text) for text in first.stdout.splitlines()]
    assert (told["source"], told["read"], told["loaded"], told["rejected"]) == (kind, 30, 30, 0)
    assert told["replaced"] == 0
    assert all(any(path.name in note for note in told["notes"]) for path in paths)
    again = CliRunner().invoke(cli, command)
    assert again.exit_code == 0, again.output
    [told] = [json.loads(text) for text in again.stdout.splitlines()]
    assert (told["read"], told["loaded"], told["unchanged"]) == (30, 0, 30)


READ_TWO = """
import resource, sys
from importer_trials import SUPPLIED
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import importer_of, recognised
from loader.sources.tools.source import ToolSource

kind, *folders = sys.argv[1:]
for folder in folders:
    paths = [line.rstrip() for line in open(folder)]
    files = [ToolFile(path) for path in paths]
    assert all(recognised(file) == kind for file in files)
    source = ToolSource(files, importer_of(kind), supplied=SUPPLIED)
    rows = sum(row.rejection is None for row in source.rows())
    peak = open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]
    print(rows, int(peak) // 1024)
"""


@pytest.mark.slow
@EVERY
def test_memory_does_not_grow_with_a_file(kind: str, tmp_path: Path) -> None:
    """Ten times the file may cost what caches and the names of an archive do, not its content."""
    written(kind, tmp_path / "probe", 300)
    bytes_a_run = sum(path.stat().st_size for path in files_of(tmp_path / "probe")) / 300
    lists = []
    for size in (SMALL_MB, LARGE_MB):
        runs = int(size * 1_000_000 / bytes_a_run)
        paths = written(kind, tmp_path / str(size), runs)
        lists.append(tmp_path / f"{size}.txt")
        lists[-1].write_text("".join(f"{path}\n" for path in paths))
    done = subprocess.run(
        [sys.executable, "-c", READ_TWO, kind, *map(str, lists)],
        capture_output=True,
        text=True,
        check=True,
        cwd=servers.REPOSITORY,
        env={"PYTHONPATH": f"{servers.REPOSITORY}:{TESTS / 'support'}"},
    )
    (few, small), (many, large) = (map(int, text.split()) for text in done.stdout.splitlines())
    assert many > 5 * few > 0
    assert large - small < MOST_GROWTH_MB, f"{small} MB, then {large} MB"
    assert large < 150
