"""Fail when a model, column, macro, macro argument, seed or function is not described.

An intermediate model describes what is new in it: what it carries along is described where it
comes from, and what many models show in models/columns.md.

Run by `make lint`, after parsing the project without a database. Prints each
missing description; exits 1 when there is one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = "evalmart"
_KINDS = {"model", "seed", "function", "snapshot"}


def main() -> int:
    """Parse the project, list what lacks a description."""
    missing = sorted(_undescribed(parsed_project()))
    for name in missing:
        print(f"not described: {name}")  # noqa: T201  a script's output
    return 1 if missing else 0


def parsed_project() -> dict[str, Any]:
    """Return dbt's manifest; parsing needs no database."""
    with tempfile.TemporaryDirectory() as scratch:
        return _parse_into(Path(scratch))


def _parse_into(scratch: Path) -> dict[str, Any]:
    (scratch / "profiles.yml").write_bytes((_REPOSITORY / "profiles.yml.example").read_bytes())
    subprocess.run(
        [
            *(sys.executable, "-c", "from dbt.cli.main import cli; cli()"),
            *("--quiet", "--warn-error", "parse"),
            *("--project-dir", str(_REPOSITORY), "--profiles-dir", str(scratch)),
            *("--target-path", str(scratch), "--log-path", str(scratch), "--no-partial-parse"),
        ],
        check=True,
        env={**os.environ, "PGHOST": "nowhere", "PGUSER": "nobody", "PGDATABASE": "none"},
    )
    manifest: dict[str, Any] = json.loads((scratch / "manifest.json").read_text())
    return manifest


def _undescribed(manifest: dict[str, Any]) -> Iterator[str]:
    nodes = [*manifest["nodes"].values(), *manifest.get("functions", {}).values()]
    for node in nodes:
        if node["package_name"] == PROJECT and node["resource_type"] in _KINDS:
            yield from _of(node, "columns")
            is_shown = node["resource_type"] == "model" and "intermediate" not in node["fqn"]
            if is_shown and not node.get("columns"):
                yield f"{node['name']}: no column is"
    for source in manifest["sources"].values():
        yield from _of(source, "columns")
    for macro in manifest["macros"].values():
        if macro["package_name"] == PROJECT:
            yield from _of(macro, "arguments")


def _of(node: dict[str, Any], parts: str) -> Iterator[str]:
    if not node["description"].strip():
        yield node["name"]
    described = node.get(parts) or []
    for part in described.values() if isinstance(described, dict) else described:
        if not (part.get("description") or "").strip():
            yield f"{node['name']}.{part['name']}"


if __name__ == "__main__":
    sys.exit(main())
