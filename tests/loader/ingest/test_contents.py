"""Inputs and outputs: named by their content always, kept on request, once, and for a time."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from ingest_support import VOCABULARY, load_file, load_records, record, select
from loader.cli import cli
from loader.ingest import side_rows
from loader.ingest import writer as warehouse
from loader.ingest.load import load
from loader.records.checker import Defaults
from loader.sources.langsmith import LangSmith, LangSmithSource, Wishes
from loader.warehouse.connection import connect
from memory_source import MemorySource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from langsmith_server import LangSmithServer

pytestmark = pytest.mark.newest_server

BODIES = "select content_id, content from raw_evals.contents order by content_id"
IDS = (
    "select task_id, inputs_id, outputs_id, reference_outputs_id from raw_evals.evaluation_runs "
    "order by task_id, run_version"
)


def id_of(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()[:16].hex()


def asked(count: int, **fields: object) -> list[dict[str, object]]:
    """Make runs of tasks of which every three were asked the same."""
    return [
        record(
            task_id=f"t{number:02}",
            inputs={"q": f"What is {number // 3}²?", "a": [1, None]},
            outputs=number // 3 * (number // 3),
            **fields,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("way", ["straight", "staged", "memory"])
@pytest.mark.parametrize("keep_contents", [True, False])
def test_a_body_is_kept_once_under_its_id_and_only_on_request(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    *,
    keep_contents: bool,
) -> None:
    if way == "straight":
        monkeypatch.setattr(warehouse, "SMALL_LOAD_ROWS", 3)
        monkeypatch.setattr(side_rows, "_MOST_BYTES", 100)
    records = [*asked(12), record(task_id="u", reference_outputs="é\n"), record(task_id="v")]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(fields) + "\n" for fields in records))
    for counts in ((14, 0), (0, 14)):
        if way == "memory":
            summary = load_records(database_url, records, keep_contents=keep_contents)
        else:
            summary = load_file(database_url, path, keep_contents=keep_contents)
        assert (summary.loaded, summary.unchanged) == counts
    ids = {row[0]: [one and one.hex for one in row[1:]] for row in select(database_url, IDS)}
    assert ids["t00"] == ids["t02"] == [id_of(records[0]["inputs"]), id_of(0), None]
    assert ids["t03"] == [id_of(records[3]["inputs"]), id_of(1), None]
    assert ids["u"] == [None, None, id_of("é\n")]
    assert ids["v"] == [None, None, None]
    bodies = {row[0].hex: row[1] for row in select(database_url, BODIES)}
    values = [fields[name] for fields in records for name in fields if name.endswith("puts")]
    assert bodies == ({id_of(value): value for value in values} if keep_contents else {})


def test_bodies_are_kept_for_runs_that_were_loaded_without(database_url: str) -> None:
    assert load_records(database_url, asked(3)).loaded == 3
    assert select(database_url, BODIES) == []
    assert load_records(database_url, asked(3), keep_contents=True).unchanged == 3
    assert len(select(database_url, BODIES)) == 2


@pytest.mark.parametrize("options", [{"dry_run": True}, {"strict": True}])
def test_a_load_that_writes_no_runs_keeps_no_bodies(
    database_url: str, options: dict[str, bool]
) -> None:
    records = [*asked(3), record(task_id="bad", success=3)]
    load_records(database_url, records, keep_contents=True, **options)
    assert select(database_url, BODIES) == []


def test_the_loader_s_role_may_keep_bodies(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("set role evals_loader")
        connection.commit()
        for _ in range(2):
            load(connection, MemorySource(asked(3)), VOCABULARY, keep_contents=True)
    assert len(select(database_url, BODIES)) == 2


def purge(url: str, *arguments: str) -> str:
    result = CliRunner().invoke(cli, ["purge", "--database-url", url, *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_purge_of_contents_takes_old_bodies_and_no_runs(database_url: str) -> None:
    load_records(database_url, asked(6), keep_contents=True)
    runs = select(database_url, IDS)
    with connect(database_url) as connection:
        connection.execute(
            "update raw_evals.contents set kept_at = now() - %s where content_id = any(%s)",
            [timedelta(days=31), [id_of(0), id_of(1)]],
        )
    assert "would remove 2 inputs and outputs" in purge(database_url, "--contents-older-than", "30")
    assert len(select(database_url, BODIES)) == 4
    told = purge(database_url, "--contents-older-than", "30", "--yes")
    assert told == "removed 2 inputs and outputs\n"
    assert {row[0].hex for row in select(database_url, BODIES)} == {
        id_of(fields["inputs"]) for fields in asked(6)
    }
    assert select(database_url, IDS) == runs
    ledger = select(
        database_url,
        "select source, source_ref ->> 'contents', rows_read from raw_evals.loads order by load_id",
    )
    assert ledger == [("file", None, 6), ("purge", "2", 0)]
    told = purge(database_url, "--contents-older-than", "30", "--yes")
    assert told == "removed 0 inputs and outputs\n"
    assert len(select(database_url, "select from raw_evals.loads")) == 2
    # what is loaded again is kept anew
    assert load_records(database_url, asked(6), keep_contents=True).unchanged == 6
    assert len(select(database_url, BODIES)) == 4


def test_one_of_two_ages_must_be_given() -> None:
    result = CliRunner().invoke(cli, ["purge", "--yes"])
    assert result.exit_code == 2
    assert "--contents-older-than" in result.output


@pytest.mark.parametrize("with_io", [True, False])
def test_langsmith_s_inputs_and_outputs_are_those_of_the_record(
    database_url: str,
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    *,
    with_io: bool,
) -> None:
    session = stand_in.add_session("one")
    stand_in.add_run(
        session, extra={"metadata": {"task_id": "t"}}, inputs={"q": 1}, outputs={"a": 2}
    )
    defaults = Defaults(experiment_group="code-chef", extension_version="1")
    source = LangSmithSource(connect_langsmith(), "one", Wishes(defaults, with_io=with_io))
    with connect(database_url) as connection:
        summary = load(connection, source, VOCABULARY, defaults, keep_contents=with_io)
    assert summary.loaded == 1
    [(inputs, outputs, metadata)] = select(
        database_url, "select inputs_id, outputs_id, metadata from raw_evals.evaluation_runs"
    )
    if with_io:
        assert (inputs.hex, outputs.hex) == (id_of({"q": 1}), id_of({"a": 2}))
    else:
        assert (inputs, outputs) == (None, None)
    assert not {"inputs", "outputs"} & set(metadata["langsmith"])
    assert [row[1] for row in sorted(select(database_url, BODIES), key=str)] == (
        sorted([{"q": 1}, {"a": 2}], key=id_of) if with_io else []
    )


def test_a_var_of_the_team_keeps_them_without_being_asked(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(fields) + "\n" for fields in asked(3)))
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "vars.yml").write_text("keep_contents: true\n")
    command = ["ingest", str(path), "--database-url", database_url]
    for is_kept in (False, True):
        done = CliRunner().invoke(cli, command)
        assert done.exit_code == 0, done.output
        assert len(select(database_url, BODIES)) == (2 if is_kept else 0)
        monkeypatch.setenv("EVALMART_CONFIG", str(tmp_path / "team"))
