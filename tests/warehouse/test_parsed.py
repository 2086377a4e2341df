"""The project as parsed once, against what dbt parses for a database by itself."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dbt.cli.main import dbtRunner

from loader.warehouse import parsed

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]
PROJECT = Path(__file__).resolve().parents[2]
BUILD = ["--quiet", "build", "--project-dir", str(PROJECT)]
_OF_THE_MOMENT = {"created_at", "generated_at", "invocation_id", "invocation_started_at"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copyfile(PROJECT / "profiles.yml.example", tmp_path / "profiles.yml")
    settings = {
        parsed.FOLDER: tmp_path / "parsed",
        "DBT_PROFILES_DIR": tmp_path,
        "DBT_TARGET_PATH": tmp_path / "target",
        "DBT_LOG_PATH": tmp_path / "logs",
        "DBT_LOG_LEVEL_FILE": "none",  # dbt would leave the file open in this process
        "PGHOST": "/nowhere",
        "PGUSER": "nobody",
        "PGDATABASE": "first",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    return tmp_path / "parsed"


def plain(value: Any) -> Any:  # noqa: ANN401  any JSON value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key not in _OF_THE_MOMENT}
    return [plain(item) for item in value] if isinstance(value, list) else value


def content(manifest: Manifest | None) -> dict[str, Any]:
    assert manifest is not None
    told = plain(manifest.writable_manifest().to_dict(omit_none=False))
    return {name: told[name] for name in told if name != "metadata"}


def test_what_is_kept_is_what_dbt_parses_for_each_database(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for database, schema, time in (
        ("first", "evals", "2025-01-31T10:00:00+00:00"),
        ('a "second" one', "Evals_as_of_1", "2026-02-28T12:30:00+01:00"),
    ):
        variables = ["--vars", json.dumps({"primary_metric": "style", "as_of": time})]
        monkeypatch.setenv("PGDATABASE", database)
        monkeypatch.setenv("EVALMART_SCHEMA", schema)
        kept = content(parsed.manifest([*BUILD, *variables]))
        assert os.environ["PGDATABASE"] == database
        assert os.environ["EVALMART_SCHEMA"] == schema
        command = ["--quiet", "parse", "--no-partial-parse", "--project-dir", str(PROJECT)]
        assert kept == content(dbtRunner().invoke([*command, *variables]).result)
        assert len(list(folder.iterdir())) == 1, "parsed once, for all of them"


def test_whatever_parsing_depends_on_is_parsed_anew(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "project"
    for name in ("models", "macros", "functions", "seeds", "tests/singular", "tests/generic"):
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, copy / name)
    shutil.copyfile(PROJECT / "dbt_project.yml", copy / "dbt_project.yml")
    command = ["build", "--project-dir", str(copy)]
    keys = [parsed._key(copy, None)]  # noqa: SLF001  what the files are named by
    with (copy / "models/marts/rollups/metric_daily_rollups.sql").open("a") as model:
        model.write("\n-- another line\n")
    keys.append(parsed._key(copy, None))  # noqa: SLF001
    (copy / "seeds/experiment_groups.csv").write_text("experiment_group,role,description\n")
    keys += [parsed._key(copy, None), parsed._key(copy, "{alpha: 0.1}")]  # noqa: SLF001
    monkeypatch.setenv("EVALMART_SEEDS", str(copy / "seeds"))
    keys.append(parsed._key(copy, None))  # noqa: SLF001
    assert len(set(keys)) == len(keys)
    assert parsed.manifest([*command, "--target", "default"]) is None
    assert parsed.manifest([*command, "--no-partial-parse"]) is None
    (tmp_path / "profiles.yml").write_text("evalmart: {}\n")
    assert parsed.manifest(command) is None, "a profile of the team's own is dbt's to read"
    assert not folder.exists()


def test_what_cannot_be_read_or_kept_is_parsed(folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"  # any project does, and this one is parsed in no time
    (small / "models").mkdir(parents=True)
    (small / "dbt_project.yml").write_text("name: small\nprofile: evalmart\nconfig-version: 2\n")
    (small / "models" / "one.sql").write_text("select 1 as one")
    command = ["--quiet", "build", "--project-dir", str(small)]
    first = content(parsed.manifest(command))
    assert "model.small.one" in first["nodes"]
    [file] = folder.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    assert content(parsed.manifest(command)) == first
    assert len(file.read_bytes()) > 1000, "what is broken is replaced"
    shutil.rmtree(folder)
    folder.write_text("no folder")
    assert content(parsed.manifest(command)) == first


def test_a_project_that_cannot_be_parsed_is_left_to_dbt(folder: Path) -> None:
    assert parsed.manifest([*BUILD, "--vars", "{no yaml"]) is None
    assert not folder.exists()
