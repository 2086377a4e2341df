"""What a database has to hold, known from what was asked of it and acknowledged.

Every record carries a number that no other has. So what became of each version of each run
can be told from the raw tables: nothing lost, nothing doubled, nothing out of its order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from endurance_place import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LATELY: Final = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(30)
LONG_AGO: Final = LATELY - timedelta(500)
_STORED: Final = """
select
    experiment_id,
    source_run_id,
    array_agg((metadata ->> 'value')::bigint order by run_version),
    array_agg(run_version order by run_version),
    array_agg(load_id order by run_version)
from raw_evals.evaluation_runs
where metadata ? 'value'
    and (%(names)s::text[] is null or source_run_id = any(%(names)s::text[]))
group by experiment_id, source_run_id
"""
_SHOWN: Final = """
select experiment_id, source_run_id, (metadata ->> 'value')::bigint
from evals.evaluation_trials
where metadata ? 'value'
"""


class Run(NamedTuple):
    """One run of a task, which may be corrected."""

    experiment: str
    name: str
    task: int
    group: str
    version: str
    is_old: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other."""
        return self.experiment, self.name

    def record(self, value: int) -> dict[str, Any]:
        """Return the record of its version of this number."""
        began = LONG_AGO if self.is_old else LATELY
        return {
            "experiment_id": self.experiment,
            "task_id": f"t{self.task:03}",
            "experiment_group": self.group,
            "extension_version": self.version,
            "agent_name": f"agent-{self.task % 3}",
            "source_run_id": self.name,
            "recorded_at": (began + timedelta(seconds=value)).isoformat(),
            "model_version": "m1",
            "scores": {"accuracy": value * 7919 % 1000 / 1000, "tone": value * 31 % 100 / 100},
            "latency_ms": value * 131 % 5000 / 4,
            "tokens_used": value * 17 % 3000,
            "cost_usd": value * 7 % 1000 / 1e5,
            "success": value % 11 > 0,
            "metadata": {"value": value, "category": f"c{self.task % 4}"},
        }


Item = tuple[Run, int]
"""A run, and the number of a version of it."""


class Step(NamedTuple):
    """What happened, for a run of the same without haste: records of a source, or a withdrawal."""

    source: str
    items: Sequence[Item] = ()
    experiment: str = ""
    task: str = ""


@dataclass
class Model:
    """The versions of every run, and which of them were withdrawn."""

    runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    versions: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    withdrawn: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many versions of a run a withdrawal covers."""
    loads: dict[int, int] = field(default_factory=dict)
    """The load that brought a number."""
    steps: list[Step] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What was found to be otherwise than promised."""

    def adopt(
        self,
        url: str,
        source: str,
        items: Sequence[Item],
        acknowledged: int,
        *,
        is_whole: bool = False,
    ) -> None:
        """Compare with what is stored, after these items were sent and some acknowledged.

        Args:
            url: of the database.
            source: of the records.
            items: in the order in which they were sent.
            acknowledged: how many of them must be there, from the first on.
            is_whole: whether all of them or none must be there.
        """
        pending: dict[tuple[str, str], list[int]] = {}
        certain: dict[tuple[str, str], int] = {}
        for place, (run, value) in enumerate(items):
            self.runs[run.key] = run
            pending.setdefault(run.key, []).append(value)
            if place < acknowledged:
                certain[run.key] = len(pending[run.key])
        landed: set[int] = set()
        stored = self._stored(url, pending)
        for key in pending.keys() | stored.keys():
            before = self.versions.get(key, [])
            new = pending.get(key, [])
            found = stored.get(key, [])
            more = found[len(before) :]
            if found[: len(before)] != before or more != new[: len(more)]:
                self.faults.append(f"{key}: stored {found}, expected {before} and then of {new}")
            elif len(more) < certain.get(key, 0):
                self.faults.append(f"{key}: {new[: certain[key]]} acknowledged, {more} stored")
            landed.update(more)
            self.versions[key] = found
        if is_whole and landed and len(landed) < len(items):
            self.faults.append(f"{len(landed)} of {len(items)} records of one load are there")
        kept: dict[int, list[Item]] = {}
        for run, value in items:
            if value in landed:
                kept.setdefault(self.loads[value], []).append((run, value))
        # load by load: what is corrected within one was never believed
        self.steps += [Step(source, kept[load]) for load in sorted(kept)]

    def note_withdrawal(self, experiment: str, task: int) -> None:
        """Note that all there is of a task was withdrawn."""
        for key, run in self.runs.items():
            if run.experiment == experiment and run.task == task:
                self.withdrawn[key] = len(self.versions.get(key, ()))
        self.steps.append(Step("withdrawal", experiment=experiment, task=f"t{task:03}"))

    def note_purge(self, url: str, *, is_done: bool) -> None:
        """Note which old runs are gone; each must be there whole or not at all."""
        old = [key for key, run in self.runs.items() if run.is_old and self.versions.get(key)]
        stored = self._stored(url, old)
        for key in old:
            if key not in stored:
                del self.versions[key], self.runs[key]
                self.withdrawn.pop(key, None)
            elif is_done:
                self.faults.append(f"{key}: past retention, purged, and still there")

    def standing(self) -> dict[tuple[str, str], int]:
        """Return the number that is current, of each run that has one."""
        return {
            key: values[-1]
            for key, values in self.versions.items()
            if len(values) > self.withdrawn.get(key, 0)
        }

    def check_raw(self, url: str) -> None:
        """Compare every version of every run with what is stored."""
        stored = self._stored(url)
        expected = {key: values for key, values in self.versions.items() if values}
        wrong = [key for key in stored.keys() | expected if stored.get(key) != expected.get(key)]
        for key in sorted(wrong)[:5]:
            self.faults.append(f"{key}: stored {stored.get(key)}, expected {expected.get(key)}")

    def check_marts(self, url: str) -> None:
        """Compare with what the marts show; they must be built."""
        shown: dict[tuple[str, str], list[int]] = {}
        for experiment, name, value in rows(url, _SHOWN):
            shown.setdefault((experiment, name), []).append(value)
        expected = {key: [value] for key, value in self.standing().items()}
        wrong = [key for key in shown.keys() | expected if shown.get(key) != expected.get(key)]
        for key in sorted(wrong)[:5]:
            self.faults.append(f"{key}: shown {shown.get(key)}, current is {expected.get(key)}")
        if len(wrong) > 5:
            self.faults.append(f"… and {len(wrong) - 5} other runs are shown wrong")

    def replay_steps(self) -> list[Step]:
        """Return the steps without what has been purged since."""
        return [
            step._replace(items=[item for item in step.items if item[0].key in self.runs])
            for step in self.steps
        ]

    def _stored(
        self, url: str, keys: Iterable[tuple[str, str]] | None = None
    ) -> Mapping[tuple[str, str], list[int]]:
        """Return the numbers of the versions of these runs, or of all."""
        names = None if keys is None else [name for _, name in keys]
        stored = {}
        for experiment, name, values, numbers, loads in rows(url, _STORED, {"names": names}):
            stored[experiment, name] = values
            self.loads.update(zip(values, loads, strict=True))
            if numbers != list(range(1, len(values) + 1)):
                self.faults.append(f"{experiment} {name}: versions are numbered {numbers}")
        return stored
