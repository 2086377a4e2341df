"""Does every statement stand in the room that it belongs to? Prints what does not; exits 1.

What imports may not say (those are import-linter's), the text of statements does:

- only `loader/marts` selects from a mart;
- only `loader/ingest` writes results, only `loader/gate` verdicts and calibrations, and
  beside them migrations;
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
    r"\b(select|insert\s+into|delete\s+from|update|copy|create\s+(temporary\s+)?table)\b"
)
_WRITE = re.compile(r"\b(?:insert\s+into|delete\s+from|update|truncate|copy)\s+raw_evals\.(\w+)")
_OWNERS = {
    "gate_decisions": "gate", "gate_calibrations": "gate", "schema_version": "warehouse",
}  # fmt: skip


def marts() -> set[str]:
    """Return the names of the models that people read."""
    return {path.stem for path in (_REPOSITORY / "models" / "marts").rglob("*.sql")}


def statements(path: Path) -> Iterator[tuple[int, str]]:
    """Return the lines and texts of what may be SQL in a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".sql":
        yield 1, text
        return
    tree = ast.parse(text)
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if id(node) in documentation:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        # names given to a statement: sql.Identifier(schema, "version_trends")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "sql.Identifier":
            yield node.lineno, " ".join(["select from", *map(ast.unparse, node.args)])


def misplaced(path: Path, names: set[str]) -> Iterator[str]:
    """Return what a file holds that belongs elsewhere."""
    place = path.relative_to(_REPOSITORY)
    room = place.parts[1]
    is_migration = "migrations" in place.parts
    for line, text in statements(path):
        if not _STATEMENT.search(text):
            continue
        found = {name for name in names if re.search(rf"\b{name}\b(?!\.)", text)}
        if room != "marts" and not is_migration:
            for name in sorted(found - {"gate_decisions"}):
                yield f"{place}:{line}: selects from {name}: ask loader/marts"
        for table in _WRITE.findall(text):
            owner = _OWNERS.get(table, "ingest")
            if room != owner and not is_migration:
                yield f"{place}:{line}: writes raw_evals.{table}"
        if path.suffix == ".py" and text.count("\n") > _LONGEST:
            yield f"{place}:{line}: a statement of {text.count(chr(10))} lines: give it a file"


def main() -> int:
    """Check every file of the package."""
    names = marts()
    package = _REPOSITORY / "loader"
    found = [
        problem
        for path in sorted([*package.rglob("*.py"), *package.rglob("*.sql")])
        for problem in misplaced(path, names)
    ]
    sys.stdout.write("".join(f"{problem}\n" for problem in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
