"""A measurement beside its floor or ceiling: a line, and a row of the table of all of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

KEPT_IN: Final = "EVALMART_MEASURES"
"""Names, to a benchmark, the file that it adds its measurements to."""


class Measure(NamedTuple):
    """One measurement."""

    name: str
    value: float
    limit: float
    is_floor: bool
    """Whether the limit is the least that it may be, not the most."""

    @property
    def is_met(self) -> bool:
        """Whether it holds."""
        return self.value >= self.limit if self.is_floor else self.value <= self.limit

    @property
    def bound(self) -> str:
        """Return its limit in words."""
        return f"{'at least' if self.is_floor else 'at most'} {self.limit:g}"


def report(name: str, value: float, limit: float, *, is_floor: bool = False) -> bool:
    """Print a measurement beside the most it may be, or the least; return whether it holds."""
    measure = Measure(name, value, limit, is_floor)
    print(
        f"{name:<70} {value:8.3f} ({measure.bound})  {'ok' if measure.is_met else 'MISSED'}",
        flush=True,
    )
    if KEPT_IN in os.environ:
        with Path(os.environ[KEPT_IN]).open("ab") as file:
            file.write(msgspec.json.encode(measure) + b"\n")
    return measure.is_met


def read_kept(path: Path) -> list[Measure]:
    """Return the measurements that a benchmark has added to a file."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=Measure) for line in lines]


def busy(pid: int) -> float:
    """Return the seconds of processor that a process and its children have used, ended or not."""
    seconds = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(stat.parent.name) == pid:
            seconds += sum(map(int, fields[11:15]))
        elif int(fields[1]) == pid:
            seconds += sum(map(int, fields[11:13]))
    return seconds / os.sysconf("SC_CLK_TCK")
