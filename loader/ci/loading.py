"""Results into the warehouse, each on its side: those of the commit, and those it is held against.

What a commit's job brings takes the place of what an earlier run of it brought: that is
withdrawn, never averaged with what is new. Another commit is another experiment.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

from ..errors import ConfigurationError
from ..ingest import sides, withdrawals
from ..tools.isolated import module_command
from ..warehouse.connection import connect
from ..warehouse.seeds import control_groups
from . import baseline as baselines
from . import place
from .asked import MAIN, OWN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..warehouse.connection import Connection
    from .asked import Asked
    from .baseline import Baseline
    from .git import Clone
    from .place import Place

_CANDIDATE: Final = "candidate"


class Loading:
    """The loads of one run of a pipeline, and which side their groups are on."""

    def __init__(
        self, asked: Asked, where: Place, clone: Clone, note: Callable[[str], None]
    ) -> None:
        """Take what is asked for.

        Args:
            asked: the options.
            where: the pipeline's place.
            clone: of the working directory.
            note: told what is assumed, a sentence at a time.

        """
        self._asked = asked
        self._place = where
        self._clone = clone
        self._note = note
        self._url = asked.database_url
        self._controls = control_groups()

    def load_baseline(self) -> None:
        """Load what the main branch's job has left: results of an experiment of its own."""
        if not self._asked.baseline_files:
            return
        base = self._place.base or self._clone.merge_base(
            self._place.commit, self._clone.tip(self._place.main)
        )
        words = [word for path in self._asked.baseline_files for word in ("--file", path)]
        named = place.main_experiment(self._place.main, base or "0" * place.SHORT)
        code = self._ingest(
            [*words, "--control", place.safe_name(self._place.main)],
            {
                "EXPERIMENT_ID": named,
                "EXPERIMENT_GROUP": place.safe_name(self._place.main),
                "EXTENSION_VERSION": base[: place.SHORT] or "unknown",
            },
        )
        if code:
            raise ConfigurationError(
                f"--baseline-file: ingest of it ended with exit code {code}, as told above; it "
                "takes the results.jsonl that evalmart ci writes on the main branch"
            )

    def baseline(self) -> Baseline:
        """Choose what the commit is compared with; make its groups a control arm."""
        wanted = self._asked.baseline or (OWN if self._place.is_main else MAIN)
        if wanted == OWN:
            return baselines.Baseline("", "")
        with connect(self._url) as connection:
            if wanted == MAIN:
                there = sides.standing(connection, baselines.prefix(self._place))
                connection.rollback()
                found = baselines.choose(
                    self._place, self._clone, [each.experiment for each in there]
                )
            else:
                found = self._named(wanted, [each.experiment for each in sides.standing(
                    connection, wanted
                )])  # fmt: skip
                connection.rollback()
            if found.experiment:
                self._make_control(connection, found.experiment)
        return found

    def _named(self, wanted: str, there: Sequence[str]) -> Baseline:
        if wanted not in there:
            raise ConfigurationError(
                f"--baseline: there are no results of an experiment {wanted!r}; give main, own, or "
                "the id of one that evalmart experiments lists"
            )
        return baselines.Baseline(wanted, f"compared with {wanted}, as --baseline says")

    def _make_control(self, connection: Connection, experiment: str) -> None:
        """Let candidates meet the groups of an experiment that has no control arm yet."""
        found = sides.find(connection, experiment, self._controls)
        connection.rollback()
        if not found.controls:
            roles = dict.fromkeys(sorted(found.treatments), "control")
            sides.put(connection, experiment, roles)

    def load(self, against: Baseline) -> int:
        """Load the results of the commit in place of those of before; return an exit code."""
        if not self._asked.ingest:
            if against.experiment:
                self._note(
                    "nothing is loaded here, so the results are compared with what they were "
                    "loaded to be compared with"
                )
            return 0
        withdrawn = None if self._asked.adds else self._supersede()
        role, group = (
            ("control", place.safe_name(self._place.main))
            if self._place.is_main
            else ("treatment", _CANDIDATE)
        )
        words = ["--experiment-id", self._place.experiment, f"--{role}", group]
        if against.experiment:
            words += ["--baseline-experiment", against.experiment]
        code = self._ingest(
            [*words, *self._asked.ingest],
            {
                "EXPERIMENT_GROUP": group,
                "EXTENSION_VERSION": self._place.commit[: place.SHORT] or "unknown",
            },
        )
        if code and withdrawn:
            self._bring_back(withdrawn)
        return code

    def _ingest(self, words: Sequence[str], weak: Mapping[str, str]) -> int:
        """Run `ingest` in a process of its own; return its exit code.

        Args:
            words: its arguments.
            weak: variables that say what neither options nor records do.

        """
        environment = {**weak, **{name: text for name, text in os.environ.items() if text}}
        environment.pop("EXPERIMENT_ID", None)
        if "EXPERIMENT_ID" in weak:
            environment["EXPERIMENT_ID"] = weak["EXPERIMENT_ID"]
        if self._url is not None:  # not where everybody sees it
            environment["DATABASE_URL"] = self._url
        return subprocess.run(  # noqa: S603  our own interpreter; arguments are the user's own
            [*module_command(), "ingest", *words], env=environment, check=False,
        ).returncode  # fmt: skip

    def _supersede(self) -> int | None:
        """Withdraw what an earlier run of this commit's job has loaded; return the entry."""
        experiment = self._place.experiment
        with connect(self._url) as connection:
            found = sides.find(connection, experiment, self._controls)
            connection.rollback()
            if not (found.controls or found.treatments):
                return None
            (written,) = withdrawals.withdraw(
                connection, withdrawals.Slice(experiment=experiment),
                "superseded by another run of the job for the same commit", "evalmart ci",
            )  # fmt: skip
        self._note(
            "an earlier run of this job had results of the same commit: they are superseded, "
            f"not averaged (entry {written.load_id})"
        )
        return written.load_id

    def _bring_back(self, entry: int) -> None:
        """Lift a withdrawal where the load after it brought nothing."""
        with connect(self._url) as connection:
            found = sides.find(connection, self._place.experiment, self._controls)
            connection.rollback()
            if found.controls or found.treatments:
                return
            withdrawals.undo(connection, [entry], "the load after it brought nothing", None)
        self._note("nothing was loaded, so the earlier results of this commit count again")

    def take_sides(self, against: Baseline) -> sides.Sides:
        """Say which side the groups that were loaded are on, where all are on one."""
        experiment = self._place.experiment
        with connect(self._url) as connection:
            found = sides.find(connection, experiment, self._controls)
            connection.rollback()
            groups = sorted(found.controls | found.treatments)
            if not groups:
                return found
            if found.is_comparison:
                if against.experiment:
                    self._note(
                        "the results bring a control arm of their own "
                        f"({', '.join(sorted(found.controls))}), which does not count: "
                        "--baseline own compares with it"
                    )
                return found
            wanted = "control" if self.keeps_main() else "treatment"
            if (found.controls if wanted == "treatment" else found.treatments) and (
                self.keeps_main() or against.experiment
            ):
                sides.put(connection, experiment, dict.fromkeys(groups, wanted))
            connection.rollback()
            return sides.find(connection, experiment, self._controls)

    def keeps_main(self) -> bool:
        """Whether these are results that others are compared with."""
        return self._place.is_main and self._asked.baseline in {"", OWN}

    def is_baseline(self, found: sides.Sides) -> bool:
        """Whether there is nothing to judge, only what others are compared with."""
        return self.keeps_main() and bool(found.controls) and not found.treatments
