"""A process that runs dbt again and again: importing it takes longer than building.

Reads one JSON object a line, {"arguments": [...], "environment": {...}}, and answers each
with one line: {"success": bool, "messages": [...]} where messages are what went wrong.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Final

gc.disable()  # see `tidy`

from loader.warehouse import dbt_imports  # noqa: E402

dbt_imports.put_off()

from dbt.cli.main import dbtRunner  # noqa: E402

import dbt_repeats  # noqa: E402
from loader.errors import LoaderError  # noqa: E402
from loader.warehouse import dbt_once, lease, parsed  # noqa: E402
from loader.warehouse.dbt_connections import keep_connections  # noqa: E402

_TIDIED_EVERY: Final = 6


def tidy(answered: int) -> None:
    """Throw a few builds' leavings away at once: to look for them all along is a sixth of each."""
    if answered % _TIDIED_EVERY == 0:
        gc.collect()


def main() -> None:
    """Answer every request on standard input; dbt's own output goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    dbt_once.avoid(parsed.folder() / "own")
    dbt_repeats.avoid()
    gc.freeze()  # what is imported stays
    for answered, line in enumerate(sys.stdin, 1):
        tidy(answered)
        request = json.loads(line)
        os.environ.update(request["environment"])
        arguments = request["arguments"]
        try:
            with lease.held(os.environ["EVALMART_SCHEMA"]) as held:
                keep_connections(held)
                outcome = dbtRunner(manifest=parsed.manifest(arguments)).invoke(arguments)
            dbt_once.keep()
        except LoaderError as error:
            answer = {"success": False, "messages": [str(error)]}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
            continue
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
