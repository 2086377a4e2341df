"""Runs that two arms of a load name alike: the second would take the place of the first."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from ...errors import InvalidRecord
from ...records.json_text import shown

if TYPE_CHECKING:
    from . import Run

_CACHE_KILOBYTES: Final = 32 * 1024


class RunArms:
    """Which arm each run of a load is of, by a hash of 8 bytes of its experiment and its id.

    They are in a temporary database of SQLite that has no name, so that many need no memory.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        # read by whoever takes the rows, which may be another thread than began
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        execute = self._database.execute
        execute(f"pragma cache_size = -{_CACHE_KILOBYTES}")
        execute("pragma journal_mode = off")
        execute("create table runs (run integer primary key, arm integer)")
        execute("begin")
        self._numbers: dict[tuple[str, str], int] = {}
        self._arms: list[tuple[str, str]] = []

    def close(self) -> None:
        """Throw everything away."""
        self._database.close()

    def refuse_shared(self, arm: tuple[str, str, str], run: object) -> None:
        """Keep of which arm a run is.

        Args:
            arm: its experiment, group and version.
            run: its source_run_id; what is no text, or empty, names none.

        Raises:
            InvalidRecord: a run of another arm of the experiment has the same id.

        """
        if not run or not isinstance(run, str):
            return
        experiment, *rest = arm
        group, version = rest
        number = self._numbers.setdefault((group, version), len(self._arms))
        if number == len(self._arms):
            self._arms.append((group, version))
        [[first]] = self._database.execute(
            "insert into runs values (?, ?) on conflict do update set arm = arm returning arm",
            (hash((experiment, run)), number),
        ).fetchall()
        if first != number:
            held = " ".join(self._arms[first])
            reason = (
                f"source_run_id {shown(run)} is a run of {held} already, and {group} {version} "
                f"would take it away from there; give the arms runs of their own, or load "
                f"{group} with another --experiment-id"
            )
            raise InvalidRecord("source_run_id", "shared_run_id", reason)


def refuse_left(item: Run, record: dict[str, object]) -> None:
    """Raise InvalidRecord for a run that left the experiment which it would be loaded into."""
    left = item.left_experiment
    if left is not None and record.get("experiment_id") == left:
        reason = (
            f"the run left evalmart with experiment {shown(left)}, and would count twice beside "
            "itself; say --experiment-id OTHER, or, where that experiment is not (in another "
            f"database), --experiment-id {shown(left)}"
        )
        raise InvalidRecord("experiment_id", "left_this_experiment", reason)
