"""Does every statement stand in the room that it belongs to? Prints what does not; exits 1.

What imports may not say (those are import-linter's), the text of a module does:

- only `loader/marts` names a mart, or takes what composes selects on them;
- only `loader/ingest` writes results, only `loader/gate` verdicts and calibrations, and
  beside them migrations;
- a module of the package imports the others relatively;
- a statement of more than twenty lines stands in a `.sql` file, where linters see it.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPOSITORY = Path(__file__).resolve().parent.parent
_LONGEST = 20
_STATEMENT = re.compile(
    r"\b(select|insert|delete|update|merge|truncate|copy|create)\s", re.IGNORECASE
)
_WRITE = re.compile(
    r"\b(?:insert\s+into|delete\s+from|update|merge\s+into|truncate(?:\s+table)?|copy)"
    r"\s+(?:only\s+)?raw_evals\.(\w+)",
    re.IGNORECASE,
)
_OWNERS = {
    "gate_decisions": "gate", "gate_calibrations": "gate", "schema_version": "warehouse",
}  # fmt: skip
_COMPOSERS = {"distinct", "fetch", "on_marts", "select_all", "statement"}
# a mart is named, and nothing is selected from it
_NAMED = {
    "cli/export.py": "help",
    "cli/read.py": "what --as-of builds",
    "gate/ledger.py": "the table in raw_evals that the mart is made of",
    "ingest/retention.py": "the table in raw_evals that the mart is made of",
    "prometheus/families.py": "which marts a warehouse may lack",
    "runner/stopping.py": "what a look builds",
    "sources/tools/every_eval_ever.py": "what that tool calls a list of its own",
    "show/beside.py": "what the columns for programs are called",
    "warehouse/doctor.py": "whether there are marts",
}


def marts() -> set[str]:
    """Return the names of the models that people read."""
    return {path.stem for path in (_REPOSITORY / "models" / "marts").rglob("*.sql")}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Return the lines and texts of what may be SQL in a file; what a string is made of, whole."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".sql":
        yield 1, text
        return
    parts: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts.add(id(node.value))  # documentation
        elif isinstance(node, ast.JoinedStr) and id(node) not in parts:
            inner = [part for part in ast.walk(node) if isinstance(part, ast.Constant)]
            parts.update(map(id, inner))
            yield node.lineno, "".join(str(part.value) for part in inner)
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts
        ):
            yield node.lineno, node.value


def composers(path: Path) -> Iterator[tuple[int, str]]:
    """Return where a file takes what composes selects on marts."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "marts.reading":
            for name in node.names:
                if name.name in _COMPOSERS:
                    yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom) and node.module == "marts":
            for name in node.names:
                if name.name == "reading":
                    yield node.lineno, "reading"


def misplaced(path: Path, package: Path, names: set[str]) -> Iterator[str]:
    """Return what a file of the package holds that belongs elsewhere."""
    place = path.relative_to(package)
    room = place.parts[0]
    if "migrations" in place.parts:
        return
    if room != "marts" and path.suffix == ".py":
        for line, name in composers(path):
            yield f"{place}:{line}: takes {name}: ask loader/marts a question instead"
    may_name = room == "marts" or str(place) in _NAMED
    for line, text in texts(path):
        for problem in [
            *([] if may_name else named(text, names)),
            *written(text, room),
            *(too_long(text) if path.suffix == ".py" else []),
        ]:
            yield f"{place}:{line}: {problem}"


def absolute(path: Path, package: Path) -> Iterator[str]:
    """Say which imports give the package a name: a wheel has it under another than a clone."""
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name.partition(".")[0] in {"loader", "evalmart"}:
                yield f"{path.relative_to(package)}:{node.lineno}: imports {name}: relatively"


def named(text: str, names: set[str]) -> Iterator[str]:
    """Say which marts a text names; the ledger in `raw_evals` is none."""
    for name in sorted(names):
        if re.search(rf"(?<!raw_evals\.)\b{name}\b", text, re.IGNORECASE):
            yield f"names {name}: ask loader/marts"


def written(text: str, room: str) -> Iterator[str]:
    """Say to which tables of `raw_evals` a statement writes that are another room's."""
    for table in _WRITE.findall(text):
        if room != _OWNERS.get(table, "ingest"):
            yield f"writes raw_evals.{table}"


def too_long(text: str) -> Iterator[str]:
    """Say so of a statement that ought to have a file."""
    lines = text.count("\n")
    if lines > _LONGEST and _STATEMENT.search(text):
        yield f"a statement of {lines} lines: give it a file"


def main() -> int:
    """Check every file of the package."""
    names = marts()
    package = _REPOSITORY / "loader"
    found = [
        problem
        for path in sorted([*package.rglob("*.py"), *package.rglob("*.sql")])
        for problem in [*misplaced(path, package, names), *absolute(path, package)]
    ]
    sys.stdout.write("".join(f"{problem}\n" for problem in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
