"""Every benchmark in one run, and one table: what, its floor or ceiling, now, met.

    python benchmarks/table.py [--quick] [--only NAME]... [-o FILE]

Each is a program of its own, whose lines are shown as they come. With `--quick` inputs are small
and all of it is a matter of three minutes: a fault of the order is seen, a figure is not to be
quoted. Exits with 1 if a floor is missed or a benchmark fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from measures import KEPT_IN, Measure, read_kept

HERE: Final = Path(__file__).resolve().parent
ALL: Final[dict[str, tuple[str, ...]]] = {
    "load": (),
    "mutations": ("--count", "100000"),
    "importers": (),
    "build": (),
    "langsmith_ingest": (),
    "verdicts": (),
    "trends": (),
    "years": (),
    "recorder": (),
    "functions": (),
    "growth": (),
    "serve": (),
}
"""Every benchmark, with what it is told."""
QUICK: Final[dict[str, tuple[str, ...]]] = {
    "load": ("100000",),
    "mutations": ("--count", "2000"),
    "importers": ("--runs", "1000", "--megabytes", "20", "--kind", "inspect", "--kind", "otel"),
    "langsmith_ingest": ("2000",),
    "verdicts": ("--experiments", "200", "--pairs", "0"),
    "recorder": ("--records", "5000"),
    "functions": ("--searches", "500"),
    "growth": (),
}
"""Those that say something of small inputs. The others compare with a million results."""

_YES_NO: Final = {True: "yes", False: "NO"}


class Ran(NamedTuple):
    """What became of one benchmark."""

    name: str
    measures: list[Measure]
    code: int
    seconds: float


def run(name: str, arguments: tuple[str, ...]) -> Ran:
    """Run a benchmark, its output shown."""
    with tempfile.TemporaryDirectory(prefix="evalmart-") as folder:
        kept = Path(folder) / "measures.jsonl"
        began = time.monotonic()
        code = subprocess.run(
            [sys.executable, str(HERE / f"{name}.py"), *arguments],
            check=False,
            env={**os.environ, KEPT_IN: str(kept)},
        ).returncode
        return Ran(name, read_kept(kept), code, time.monotonic() - began)


def table(found: list[Ran]) -> str:
    """Return the table, in markdown."""
    rows = [("what", "floor or ceiling", "now", "met")]
    for ran in found:
        rows += [
            (
                f"{ran.name}: {one.name}",
                one.bound,
                f"{one.value:.3g}",
                "yes" if one.is_met else "NO",
            )
            for one in ran.measures
        ]
        is_explained = any(not one.is_met for one in ran.measures)
        if (ran.code and not is_explained) or not ran.measures:
            rows.append((ran.name, "exit code 0", str(ran.code), _YES_NO[False]))
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def main() -> int:
    """Run the benchmarks; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=list(ALL))
    parser.add_argument("-o", "--output", type=Path, help="write the table there, too")
    given = parser.parse_args()
    chosen = QUICK if given.quick else ALL
    found = [run(name, chosen.get(name, ALL[name])) for name in given.only or chosen]
    text = table(found)
    print(f"\n{text}\n")
    print(f"{sum(ran.seconds for ran in found) / 60:.1f} minutes")
    if given.output:
        given.output.write_text(text + "\n", encoding="utf-8")
    return int(f"| {_YES_NO[False]} " in text)


if __name__ == "__main__":
    sys.exit(main())
