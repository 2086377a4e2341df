"""A process that runs dbt again and again: importing it takes longer than building.

Reads one JSON object a line, {"arguments": [...], "environment": {...}}, and answers each
with one line: {"success": bool, "messages": [...]} where messages are what went wrong.

dbt parses the project anew for every database, because its name is part of what it parses.
Here the project is parsed once, for a database of a name as long as those of the tests, and
that name is replaced in what was saved.
"""

from __future__ import annotations

import json
import os
import sys

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.manifest import extended_mashumaro_encoder, extended_mashumuro_decoder

_PLACEHOLDER = "test_" + 32 * "0"


class Parsed:
    """What dbt made of the project, by the variables that it was parsed with."""

    def __init__(self) -> None:
        """Begin with nothing parsed."""
        self._saved: dict[tuple[str, ...], bytes] = {}

    def manifest(self, arguments: list[str], environment: dict[str, str]) -> Manifest | None:
        """Return the project as parsed for the database, or None: then dbt parses it."""
        name = environment["PGDATABASE"]
        project = _option(arguments, "--project-dir")
        if len(name) != len(_PLACEHOLDER) or project is None:
            return None
        options = ["--project-dir", project]
        variables = _option(arguments, "--vars")
        if variables is not None:
            options += ["--vars", variables]
        key = (environment["EVALMART_SCHEMA"], *options)
        if key not in self._saved:
            os.environ["PGDATABASE"] = _PLACEHOLDER
            outcome = dbtRunner().invoke(["parse", "--quiet", "--no-partial-parse", *options])
            os.environ["PGDATABASE"] = name
            if not isinstance(outcome.result, Manifest):
                return None
            self._saved[key] = outcome.result.to_msgpack(extended_mashumaro_encoder)
        saved = self._saved[key].replace(_PLACEHOLDER.encode(), name.encode())
        return Manifest.from_msgpack(saved, decoder=extended_mashumuro_decoder)


def _option(arguments: list[str], name: str) -> str | None:
    return arguments[arguments.index(name) + 1] if name in arguments else None


def main() -> None:
    """Answer every request on standard input; dbt's own output goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    parsed = Parsed()
    for line in sys.stdin:
        request = json.loads(line)
        os.environ.update(request["environment"])
        manifest = parsed.manifest(request["arguments"], request["environment"])
        outcome = dbtRunner(manifest=manifest).invoke(request["arguments"])
        messages = [str(outcome.exception)] if outcome.exception else []
        messages += [
            f"{result.node.unique_id}: {result.status} {result.message}"
            for result in getattr(outcome.result, "results", [])
            if str(result.status) not in {"pass", "success"}
        ]
        answers.write(json.dumps({"success": outcome.success, "messages": messages}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
