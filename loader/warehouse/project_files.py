"""The text of the dbt project, told from another by its hash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hashlib import _Hash

_FOLDERS: Final = ("models", "macros", "functions", "seeds", "tests")
_SUFFIXES: Final = {".sql", ".yml", ".yaml", ".md", ".csv"}


def add_files(digest: _Hash, project: Path, seeds: str | None) -> None:
    """Add every file that dbt parses or loads to a hash, by path and content.

    Args:
        digest: to add to.
        project: the folder of dbt_project.yml.
        seeds: another folder of seeds that is used; None if there is none.

    Raises:
        OSError: a file cannot be read.

    """
    folders = [*(project / name for name in _FOLDERS), *([Path(seeds)] if seeds else [])]
    found = [
        (str(path.relative_to(folder.parent)), path)
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in _SUFFIXES
    ]
    # dbt_project.yml, and what selects, packages and profiles may stand beside it
    found += [(path.name, path) for path in project.glob("*.yml")]
    for name, path in sorted(found):
        content = path.read_bytes()
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
