"""What a release is made of: one version everywhere, true notes, the same bytes each time."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import servers
from loader.tools.version import __version__, version_of
from loader.warehouse.migrate import migrations

if TYPE_CHECKING:
    from types import ModuleType

ROOT = servers.REPOSITORY
VERSION = "0.2.0"


@pytest.fixture(scope="module")
def release() -> ModuleType:
    """Give the script that the workflow calls."""
    spec = importlib.util.spec_from_file_location("release", ROOT / "scripts" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        words, cwd=ROOT, env={**os.environ, "PATH": path, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_every_file_names_the_same_version(release: ModuleType) -> None:
    assert {*release.versions().values()} == {VERSION}
    assert __version__ == VERSION
    assert release.check(f"v{VERSION}") == VERSION


@pytest.mark.parametrize("tag", ["v0.2.1", "0.2.0", "v0.2.0.dev1", "vv0.2.0"])
def test_a_tag_of_another_version_is_refused_with_what_the_files_say(tag: str) -> None:
    done = _run(sys.executable, "-P", "scripts/release.py", "check", tag)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: the tag {tag} is not v and a version")
    if tag == "v0.2.1":
        assert "pyproject.toml says 0.2.0, dbt_project.yml says 0.2.0" in done.stderr


def test_every_migration_has_its_row_in_the_table_of_schema_changes() -> None:
    table = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("## Schema changes")[2]
    numbers = re.findall(r"^\| \d+\.\d+\.\d+ \| (\d{4}): ", table, re.MULTILINE)
    assert {int(number) for number in numbers} == {each.version for each in migrations()}
    columns = {line.count(" | ") for line in table.splitlines() if line.startswith("| ")}
    assert columns == {3}


def test_the_notes_of_a_release_are_its_part_of_the_changelog_and_its_rows(
    release: ModuleType,
) -> None:
    notes = release.notes(VERSION)
    assert notes.startswith("### What breaks, and what to do\n")
    assert [line for line in notes.splitlines() if line.startswith("#")] == [
        "### What breaks, and what to do", "### Added", "### Changed", "### Fixed",
        "### Schema changes",
    ]  # fmt: skip
    assert "| 0.2.0 | 0017: " in notes
    assert "| 0.1.0 |" not in notes
    assert len(notes) < 125_000, "what GitHub takes for a release"
    first = release.notes("0.1.0")
    assert first.startswith("### Added\n- The way from a file of results to the marts")
    assert "| 0.2.0 |" not in first
    with pytest.raises(release.Unreleasable, match=r"no part '## 0\.9\.9 - DATE'"):
        release.notes("0.9.9")
    assert release.epoch(VERSION) == 1_795_996_800  # 2026-11-30T00:00:00Z


@pytest.mark.slow
def test_the_same_tag_gives_the_same_bytes_and_what_a_release_is_told_with(tmp_path: Path) -> None:
    for name in ("one", "two"):
        done = _run("scripts/release.sh", f"v{VERSION}", str(tmp_path / name), TZ="Asia/Tokyo")
        assert done.returncode == 0, done.stdout + done.stderr
    packages = sorted((tmp_path / "one" / "packages").iterdir())
    assert [path.name for path in packages] == [
        f"evalmart-{VERSION}-py3-none-any.whl", f"evalmart-{VERSION}.tar.gz",
    ]  # fmt: skip
    for path in packages:
        again = tmp_path / "two" / "packages" / path.name
        assert path.read_bytes() == again.read_bytes()
    notes = (tmp_path / "one" / "notes.md").read_text(encoding="utf-8")
    assert notes.startswith("### What breaks")
    assert _run("scripts/release.sh", "v9.9.9", str(tmp_path / "three")).returncode == 2
    assert _run("scripts/release.sh").returncode == 2


def test_the_version_is_the_clones_own_whatever_was_installed(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    project = clone / "pyproject.toml"
    project.write_text('[project]\nname = "evalmart"\nversion = "7.8.9"\n')
    assert version_of(clone) == "7.8.9"
    # another's file beside an installed package says nothing of it, nor one that cannot be read
    for text in ('[project]\nname = "theirs"\nversion = "1"\n', "[project", "[tool.ruff]\n"):
        project.write_text(text)
        assert version_of(clone) == version_of(tmp_path / "nowhere") != "1"
