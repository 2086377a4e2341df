"""What dbt does once in place of once a node: the same answers, and no way in for others."""

from __future__ import annotations

import json
import marshal
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loader.warehouse import own_files
from loader.warehouse.dbt import dbt_environment
from sample_marts import sample_marts

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).resolve().parents[2]
# The text of every node as the server would be given it, and how dbt came to it.
COMPILE = """
import json, sys
from pathlib import Path
from loader.warehouse import dbt_imports
if sys.argv[1]:
    dbt_imports.put_off()
from dbt.cli.main import dbtRunner
from loader.warehouse import dbt_once, parsed
from dbt.context import macros
from dbt_common.dataclass_schema import dbtClassMixin

if folder := sys.argv[1]:
    dbt_once.avoid(Path(folder))
arguments = ["--quiet", "compile", "--project-dir", sys.argv[2]]
found = parsed.manifest(arguments)
done = dbtRunner(manifest=found).invoke(arguments)
assert done.success, done.exception
dbt_once.keep()
def dbt_flags():
    from dbt.adapters.factory import FACTORY
    [adapter] = FACTORY.adapters.values()
    return adapter.behavior._flags

told = {
    "texts": {one.node.unique_id: one.node.compiled_code for one in done.result.results},
    "known": len(dbt_once._KEPT.templates),
    "made": dbt_once._KEPT.made,
    "changed": [
        macros.MacroNamespaceBuilder.build_namespace.__module__,
        dbtClassMixin.json_schema.__func__.__module__,
    ],
    "is_flat": dbt_once._Flat.is_proven,
    "described": "mashumaro.jsonschema.builder" in sys.modules,
    "flags": [one._behavior_change_event.flag_source for one in dbt_flags()],
    "schemas": dbt_once._KEPT.schemas,
}
Path(sys.argv[3]).write_text(json.dumps(told))
"""


def compiled(variables: Mapping[str, str], scratch: Path, kept: Path | None) -> dict[str, Any]:
    """Compile every node in a process of its own; return what came of it."""
    words = [str(kept or ""), str(PROJECT), str(scratch / "told.json")]
    subprocess.run([sys.executable, "-c", COMPILE, *words], env=variables, check=True, cwd=PROJECT)
    found: dict[str, Any] = json.loads((scratch / "told.json").read_text())
    found["graph"] = json.loads((scratch / "target" / "graph_summary.json").read_text())
    del found["graph"]["_invocation_id"]
    return found


@pytest.mark.slow
@pytest.mark.newest_server
def test_every_node_is_compiled_to_the_same_text_whatever_is_kept(
    postgres_server: str, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    with sample_marts(postgres_server) as url:
        variables = dbt_environment(url) | {"DBT_TARGET_PATH": str(tmp_path / "target")}
        usual = compiled(variables, tmp_path, None)
        first = compiled(variables, tmp_path, kept)
        again = compiled(variables, tmp_path, kept)
    assert len(usual["texts"]) > 100
    assert (usual["known"], usual["made"], usual["is_flat"]) == (0, 0, None)
    for found in (first, again):
        assert found["texts"] == usual["texts"]
        assert found["graph"] == usual["graph"]
        assert found["flags"] == usual["flags"]
        assert found["changed"] == ["loader.warehouse.dbt_once"] * 2
        assert found["is_flat"] is True, "dbt's namespaces have another shape"
        assert found["known"] > 100
    assert first["made"] > 100
    assert again["made"] == 0, "a second process makes nothing"
    assert [one["described"] for one in (usual, first, again)] == [True, True, False]
    assert again["schemas"] == first["schemas"]


def test_what_is_put_off_is_there_when_it_is_asked_for() -> None:
    asked = """
from loader.warehouse import dbt_imports
dbt_imports.put_off()
import sys
from mashumaro.jsonschema import build_json_schema
from mashumaro.jsonschema.annotations import Pattern
assert "mashumaro.jsonschema.builder" not in sys.modules
assert build_json_schema(int).to_dict() == {"type": "integer"}
from mashumaro.jsonschema import JSONSchemaBuilder, DRAFT_2020_12
import mashumaro.jsonschema
assert mashumaro.jsonschema.build_json_schema is sys.modules[
    "mashumaro.jsonschema.builder"].build_json_schema
try:
    from mashumaro.jsonschema import nothing_of_it
except ImportError:
    pass
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", asked], check=True, cwd=PROJECT)


@pytest.mark.parametrize("content", [b"", b"no marshal", marshal.dumps(1), marshal.dumps((1, 2))])
def test_what_was_kept_and_is_broken_is_made_anew(tmp_path: Path, content: bytes) -> None:
    from loader.warehouse import dbt_once  # dbt takes its time

    made = compile("1", "a template", "eval")
    for _ in range(2):
        kept = dbt_once.Kept()
        kept.read(tmp_path)
        assert kept.template("key", lambda: made) == made
        assert kept.made == 1
        kept.write()
        [file] = tmp_path.iterdir()
        file.write_bytes(content)
    kept.write()
    assert file.read_bytes() == content, "what is known already is not written again"
    file.unlink()
    kept = dbt_once.Kept()
    kept.template("key", lambda: made)
    kept.write()
    assert not [*tmp_path.iterdir()], "without a folder, nothing is kept"


def test_what_no_longer_is_used_is_forgotten_once_there_is_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from loader.warehouse import dbt_once

    monkeypatch.setattr(dbt_once, "_MOST_TEMPLATES", 2)
    made = compile("1", "a template", "eval")
    for names in ("ab", "bcd", "d"):
        kept = dbt_once.Kept()
        kept.read(tmp_path)
        for name in names:
            kept.template(name, lambda: made)
        kept.write()
    kept = dbt_once.Kept()
    kept.read(tmp_path)
    assert {*kept.templates} == {*"bcd"}


def test_a_file_is_own_only_if_nobody_else_can_write_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    assert own_files.read(file) is None
    assert own_files.keep(file, b"ours")
    assert own_files.read(file) == b"ours"
    assert file.stat().st_mode & 0o777 == 0o600
    for path, mode in ((file, 0o620), (file, 0o602), (file.parent, 0o775), (file.parent, 0o757)):
        before = path.stat().st_mode
        path.chmod(mode)
        assert own_files.read(file) is None, oct(mode)
        if path == file.parent:
            assert not own_files.keep(file, b"theirs")
        path.chmod(before)
        assert own_files.read(file) == b"ours"


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert not own_files.keep(tmp_path / "file" / "under", b"")
    assert own_files.read(tmp_path / "file" / "under") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_or_folder_of_somebody_else_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    assert own_files.keep(file, b"ours")
    for path in (file, file.parent):
        os.chown(path, 65534, -1)
        assert own_files.read(file) is None
        os.chown(path, os.geteuid(), -1)
    assert own_files.read(file) == b"ours"
