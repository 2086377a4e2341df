import csv
import gzip
import io
import json
import os
import pty
import re
import resource
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from loader.cli import cli
from loader.errors import ConfigurationError
from loader.marts.export import Selection, export
from loader.show import escape
from loader.show.escape import spreadsheet
from loader.warehouse.connection import connect

TRICKY = 'comma, "quote"\nline\r\n=1+1 \u2028 naïve 評価'
MEGABYTE = 1024 * 1024


@pytest.fixture
def url(database_url: str) -> str:
    """Two relations shaped like marts; what is exported is whatever columns they have."""
    with connect(database_url) as connection:
        connection.execute("create schema evals")
        connection.execute(
            """
            create table evals.evaluation_results (
                task_id text,
                experiment_id text,
                result_id uuid,
                agent_name text,
                accuracy double precision,
                cost_usd numeric,
                tokens_used bigint,
                success boolean,
                recorded_at timestamptz,
                flags text[],
                metadata jsonb,
                unique (result_id),
                unique (experiment_id, task_id)
            )
            """
        )
        connection.execute(
            """
            insert into evals.evaluation_results values
            ('b', 'e', gen_random_uuid(), 'ops', null, 0.10, 0, false,
             now() - interval '40 days', null, '{}'),
            ('a', 'e', gen_random_uuid(), 'dev', 0.1, 0.00172, 2450, true,
             now() - interval '1 day', '{x,"y z"}', '{"k": [1]}'),
            (%s, 'e', gen_random_uuid(), '', 1, 12345.678901234567, 9007199254740993, true,
             now(), '{}', null)
            """,
            (TRICKY,),
        )
        connection.execute("create table evals.timeless (name text)")
    return database_url


def run(url: str, *arguments: object) -> Result:
    return CliRunner().invoke(cli, ["export", *map(str, arguments), "--database-url", url])


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_csv_holds_every_value_as_it_is(url: str, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    result = run(url, path)
    assert result.exit_code == 0, result.output
    assert "evaluation_results: 3 rows" in result.stderr
    assert result.stdout == ""
    found = rows(path.read_bytes().decode())
    assert [row["task_id"] for row in found] == ["a", "b", TRICKY]
    assert found[2]["tokens_used"] == "9007199254740993"
    assert found[2]["cost_usd"] == "12345.678901234567"
    # null is an empty field, an empty text is quoted
    assert ",,0.10,0,f," in path.read_text(encoding="utf-8")
    assert ',"",1,' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["formulas.csv", "formulas.csv.gz", "-"])
def test_no_text_of_csv_is_a_formula_unless_it_is_wanted_exactly(
    url: str, tmp_path: Path, name: str
) -> None:
    texts = ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "'=1", "''=1", "'a", "a=1", ""]
    texts += ["\uff1d1", "", "--"]
    with connect(url) as connection:
        for text in texts:
            connection.execute("insert into evals.timeless values (%s)", [text])

    def exported(*arguments: str) -> list[str]:
        path = name if name == "-" else tmp_path / name
        result = run(url, path, "--mart", "timeless", *arguments)
        assert result.exit_code == 0, result.output
        content = result.stdout_bytes if name == "-" else Path(path).read_bytes()
        content = gzip.decompress(content) if name.endswith(".gz") else content
        return [row["name"] for row in rows(content.decode())]

    assert exported("--exact") == texts
    found = exported()
    assert found == [spreadsheet(text) for text in texts]
    assert not [text for text in found if text[:1] in {*"=+-@\t\r\n\uff1d"}]


def test_json_holds_every_value_as_it_is(url: str, tmp_path: Path) -> None:
    for name in ("results.json", "results.jsonl", "results.jsonl.gz"):
        result = run(url, tmp_path / name)
        assert result.exit_code == 0, result.output
    text = (tmp_path / "results.jsonl").read_bytes()
    assert gzip.decompress((tmp_path / "results.jsonl.gz").read_bytes()) == text
    found = [json.loads(line) for line in text.decode().rstrip("\n").split("\n")]
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8")) == found
    assert [row["task_id"] for row in found] == ["a", "b", TRICKY]
    assert found[0]["metadata"] == {"k": [1]}
    assert found[0]["flags"] == ["x", "y z"]
    assert (found[1]["accuracy"], found[1]["success"], found[1]["flags"]) == (None, False, None)
    assert found[2]["tokens_used"] == 9007199254740993
    assert b'"cost_usd":12345.678901234567' in text
    assert b'"cost_usd":0.10' in text
    assert found[2]["recorded_at"].endswith("+00:00")


def test_json_of_no_rows_is_an_empty_list(url: str, tmp_path: Path) -> None:
    assert run(url, tmp_path / "none.json", "--agent", "nobody").exit_code == 0
    assert json.loads((tmp_path / "none.json").read_text(encoding="utf-8")) == []
    assert run(url, "-", "--format", "jsonl", "--agent", "nobody").stdout == ""


def test_markdown_shows_texts_and_does_nothing_else(url: str, tmp_path: Path) -> None:
    with connect(url) as connection:
        for text in ("| a | <b>", "@team [x](http://y)", "\x1b[2J", "", None):
            connection.execute("insert into evals.timeless values (%s)", [text])
    assert run(url, tmp_path / "names.md", "--mart", "timeless").exit_code == 0
    text = (tmp_path / "names.md").read_text(encoding="utf-8")
    head, rule, *body = text.splitlines()
    assert (head, rule) == ("| name |", "| --- |")
    assert len(body) == 5
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 2 for line in body)
    assert [escape.markdown(each) for each in ("| a | <b>", "\x1b[2J")] == [
        body[0].strip("| "), body[2].strip("| "),
    ]  # fmt: skip
    assert "\x1b" not in text
    assert body[3:] == ['| "" |', "|  |"]


def test_markdown_of_more_rows_than_a_page_is_refused(url: str, tmp_path: Path) -> None:
    with connect(url) as connection:
        connection.execute(
            "create view evals.long as select number from generate_series(1, 10001) as number"
        )
    for path in (tmp_path / "long.md", "-"):
        result = run(url, path, "--mart", "long", "--format", "markdown")
        assert result.exit_code == 2
        assert "--experiment" in result.stderr
        assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_an_experiment_is_chosen_in_any_mart_that_has_one(url: str, tmp_path: Path) -> None:
    with connect(url) as connection:
        connection.execute(
            "insert into evals.evaluation_results (task_id, experiment_id) values ('c', 'other')"
        )
    path = tmp_path / "results.jsonl"
    assert run(url, path, "--experiment", "other").exit_code == 0
    assert [json.loads(line)["task_id"] for line in path.read_text().splitlines()] == ["c"]
    assert run(url, path, "--experiment", "e", "--agent", "nobody").exit_code == 0
    assert path.read_text() == ""


@pytest.mark.newest_server
@pytest.mark.parametrize("name", ["json", "jsonl", "markdown", "csv"])
def test_a_terminal_is_told_no_escapes(url: str, name: str) -> None:
    with connect(url) as connection:
        connection.execute("insert into evals.timeless values (%s)", ["\x1b]0;x\x07 \u202e \x9b"])
    command = [sys.executable, "-m", "loader", "export", "-", "--mart", "timeless"]
    terminal, child = pty.openpty()
    with subprocess.Popen(
        [*command, "--format", name, "--database-url", url], stdout=child, stderr=subprocess.DEVNULL
    ) as process:
        os.close(child)
        shown = b""
        with suppress(OSError):  # how a terminal says that nobody writes to it any more
            while block := os.read(terminal, 4096):
                shown += block
        assert process.wait(30) == 0
    os.close(terminal)
    assert b"name" in shown
    assert not [char for char in shown.decode() if char in "\x1b\x07\u202e\x9b"]


def test_filters_choose_agent_and_days(url: str, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    assert run(url, path, "--agent", "ops").exit_code == 0
    assert [row["task_id"] for row in rows(path.read_text(encoding="utf-8"))] == ["b"]
    assert run(url, path, "--agent", "ops", "--days", 30).exit_code == 0
    assert rows(path.read_text(encoding="utf-8")) == []
    assert run(url, path, "--days", 30).exit_code == 0
    assert len(rows(path.read_text(encoding="utf-8"))) == 2


@pytest.mark.parametrize("agent", ["x' or true --", "%(days)s", '"', "\\'", "$1", "{}"])
def test_an_agent_is_a_value_never_sql(url: str, tmp_path: Path, agent: str) -> None:
    path = tmp_path / "results.csv"
    assert run(url, path, "--agent", agent).exit_code == 0
    assert rows(path.read_text(encoding="utf-8")) == []


def test_gzip_unpacks_to_the_same_csv_and_the_same_bytes_each_time(
    url: str, tmp_path: Path
) -> None:
    for name in ("plain.csv", "one.csv.gz", "two.csv.gz"):
        assert run(url, tmp_path / name).exit_code == 0
    one = (tmp_path / "one.csv.gz").read_bytes()
    assert one == (tmp_path / "two.csv.gz").read_bytes()
    assert gzip.decompress(one) == (tmp_path / "plain.csv").read_bytes()


def test_a_dash_is_standard_output(url: str, tmp_path: Path) -> None:
    assert run(url, tmp_path / "plain.csv").exit_code == 0
    result = run(url, "-")
    assert result.stdout_bytes == (tmp_path / "plain.csv").read_bytes()
    assert "3 rows" in result.stderr


def test_parquet_keeps_types_and_values(url: str, tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    result = run(url, path)
    assert result.exit_code == 0, result.output
    table = parquet.read_table(path)
    assert {field.name: str(field.type) for field in table.schema} == {
        "task_id": "string",
        "experiment_id": "string",
        "result_id": "string",
        "agent_name": "string",
        "accuracy": "double",
        "cost_usd": "double",
        "tokens_used": "int64",
        "success": "bool",
        "recorded_at": "timestamp[us, tz=UTC]",
        "flags": "list<element: string>",
        "metadata": "string",
    }
    found = table.to_pylist()
    assert [row["task_id"] for row in found] == ["a", "b", TRICKY]
    assert found[0]["flags"] == ["x", "y z"]
    assert found[0]["metadata"] == '{"k": [1]}'
    assert found[1]["accuracy"] is None
    assert found[1]["success"] is False
    assert found[2]["tokens_used"] == 9007199254740993
    assert found[2]["recorded_at"].tzinfo is not None
    assert abs((datetime.now(UTC) - found[2]["recorded_at"]).total_seconds()) < 600


def test_parquet_of_no_rows_still_has_its_columns(url: str, tmp_path: Path) -> None:
    path = tmp_path / "none.parquet"
    assert run(url, path, "--agent", "nobody").exit_code == 0
    assert parquet.read_table(path).num_rows == 0
    assert len(parquet.read_table(path).schema) == 11


def test_parquet_without_its_extra_names_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = run(url, tmp_path / "results.parquet")
    assert result.exit_code == 2
    assert "evalmart[parquet]" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.newest_server
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out.txt"], "end it in .csv, .jsonl, .json, .md, .parquet"),
        (["out.csv", "--format", "json"], "leave one of them out"),
        (["out.parquet.gz"], "Parquet is packed by itself"),
        (["out.csv", "--mart", "timeless", "--experiment", "e"], "has no experiment_id"),
        (["out.csv", "--experiment", "ee"], "did you mean e?"),
        (["out.json", "--experiment", "ee"], "no experiment 'ee'"),
        (["out.csv", "--mart", "evaluation_result"], "did you mean evaluation_results"),
        (["out.csv", "--mart", "x'; drop table evals.timeless; --"], "there are: evaluation_"),
        (["out.csv", "--mart", "timeless", "--agent", "a"], "has no agent_name"),
        (["out.csv", "--mart", "timeless", "--days", "1"], "has no time column"),
        (["missing/out.csv"], "No such file or directory"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(
    url: str, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = run(url, tmp_path / arguments[0], *arguments[1:])
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_marts_the_remedy_is_named(database_url: str, tmp_path: Path) -> None:
    result = run(database_url, tmp_path / "out.csv")
    assert result.exit_code == 2
    assert "run evalmart build" in result.stderr


def test_a_failed_export_leaves_the_old_file_and_no_other(url: str, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("old")
    with connect(url) as connection:
        connection.execute(
            "create view evals.broken as select 1 / (3 - number) as x "
            "from generate_series(1, 100000) as number"
        )
    result = run(url, path, "--mart", "broken")
    assert result.exit_code == 4
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.csv"]


def test_a_symbolic_link_stays_a_link(url: str, tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    assert run(url, tmp_path / "link.csv").exit_code == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert len(rows((tmp_path / "real.csv").read_text(encoding="utf-8"))) == 3


def test_a_named_pipe_is_written_to(url: str, tmp_path: Path) -> None:
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    assert run(url, path).exit_code == 0
    reader.join(10)
    assert got[0].count(b"recorded_at") == 1


def test_a_file_is_as_readable_as_any_other(url: str, tmp_path: Path) -> None:
    assert run(url, tmp_path / "results.csv").exit_code == 0
    (tmp_path / "other").touch()
    modes = {entry.stat().st_mode for entry in tmp_path.iterdir()}
    assert len(modes) == 1


@pytest.mark.newest_server
def test_a_reader_that_stops_early_does_no_harm(url: str) -> None:
    with connect(url) as connection:
        connection.execute(
            "create view evals.long as select number from generate_series(1, 500000) as number"
        )
    command = [sys.executable, "-m", "loader", "export", "-", "--mart", "long"]
    with subprocess.Popen(
        [*command, "--database-url", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"number\n"
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        process.wait(30)


@pytest.mark.newest_server
@pytest.mark.parametrize("ending", ["csv", "jsonl", "json"])
def test_memory_stays_bounded(url: str, tmp_path: Path, ending: str) -> None:
    with connect(url) as connection:
        connection.execute(
            "create view evals.big as select repeat('x', 1000) as payload, number "
            "from generate_series(1, 200000) as number"
        )
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        path = tmp_path / f"big.{ending}"
        assert export(connection, str(path), Selection("big")) == 200_000
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    assert path.stat().st_size > 200 * MEGABYTE * 0.9
    assert grown < 40 * MEGABYTE


def test_the_schema_may_be_another(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALMART_SCHEMA", "elsewhere")
    with connect(url) as connection:
        with pytest.raises(ConfigurationError, match="nothing is loaded yet"):
            export(connection, "-", Selection())
        connection.execute("create schema elsewhere")
        connection.execute("create table elsewhere.evaluation_results as select 1 as x")
    assert run(url, "-").stdout == "x\n1\n"
