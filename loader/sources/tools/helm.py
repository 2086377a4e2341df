"""HELM: per-instance statistics, one folder a run, with what was asked and answered beside them.

`per_instance_stats.json` has an entry for each metric class, instance, perturbation and train
trial: those of one instance are put together. The other files of the folder say which model and
scenario it was, and what the prompts were.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import msgspec

from ...tools.counts import counted
from . import (
    About,
    Companion,
    FileBroken,
    Importer,
    Noted,
    Planned,
    Rejected,
    Run,
    Whole,
)
from .gathered import Gathered, Piece
from .helm_instances import (
    COUNTED,
    Entry,
    Key,
    Spec,
    State,
    Statistic,
    asked,
    identified,
    key_of,
    measured,
    metadata,
    named,
)
from .opened import Part, each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import Item
    from .opened import ToolFile

_STATS: Final = "per_instance_stats.json"
_TRIED: Final = "0.5"
_STATISTIC: Final = frozenset({"name", "count", "sum"})
_COMPANIONS: Final = (
    frozenset({"scenario_spec", "adapter_spec", "name"}),  # run_spec.json
    frozenset({"name", "tags", "definition_path"}),  # scenario.json
    frozenset({"instance_id", "train_trial_index", "predicted_text"}),  # display_predictions.json
    frozenset({"instance_id", "train_trial_index", "request"}),  # display_requests.json
    frozenset({"run_path", "run_spec"}),  # runs.json of a suite
    frozenset({"run_groups", "metric_groups"}),  # schema.json of a suite
)
_INSTANCE: Final = frozenset(
    {
        "input", "references", "split", "sub_split", "id", "perturbation", "contrast_inputs",
        "contrast_references", "extra_data",
    }
)  # fmt: skip
_TABLE: Final = frozenset({"title", "header", "rows"})
_STATE: Final = frozenset({"adapter_spec", "request_states", "annotator_specs"})
_OF_MODEL: Final = ("model=", "model_deployment=")
_MOST_TOLD: Final = 3
_OF_STATE: Final = 0
"""Number of a piece that is not of per_instance_stats.json."""


def _recognises(file: ToolFile) -> bool:
    return _is_stats(file) or _is_aggregate(file) or _is_companion(file)


def _is_stats(file: ToolFile) -> bool:
    is_entry = file.keys >= {"instance_id", "stats", "train_trial_index"}
    return file.is_list and is_entry and not isinstance(file.shown("stats"), dict)


def _is_aggregate(file: ToolFile) -> bool:
    name = file.shown("name")
    return file.is_list and file.keys >= _STATISTIC and isinstance(name, dict) and "name" in name


def _is_companion(file: ToolFile) -> bool:
    keys = file.keys
    if any(keys >= companion for companion in _COMPANIONS):
        return True
    if keys >= _TABLE:  # groups.json, and those below groups/
        header = file.shown("header")
        cells = header if isinstance(header, list) else []
        return bool(cells) and all(isinstance(cell, dict) and "value" in cell for cell in cells)
    if file.is_list:  # instances.json
        given = file.shown("input")
        is_instance = keys >= {"input", "references", "split", "id"} and keys <= _INSTANCE
        return is_instance and isinstance(given, dict) and "text" in given
    adapter = file.shown("adapter_spec")  # scenario_state.json
    return bool(keys) and keys <= _STATE and isinstance(adapter, dict) and "method" in adapter


def _folders(file: ToolFile) -> tuple[str, ...]:
    """Return where the runs are, seen from a file of their suite or of its groups."""
    return ("*", "../*", "../../*") if file.keys >= _TABLE else ("*",)


def _runs(file: ToolFile) -> Iterator[Item]:
    run = _Folder(file)
    if _is_stats(file):
        with Gathered() as gathered:
            yield from run.gather(gathered)
            yield from each(run.parts(gathered), run.runs)
        yield from run.beside()
    elif any(map(_is_stats, file.beside("*.json"))):
        yield Companion(f"{_STATS} beside it")
    elif any(file.beside(f"{folder}/{_STATS}") for folder in _folders(file)):
        yield Companion(f"{_STATS} in the folders of its suite")
    elif _is_aggregate(file):
        yield from run.wholes(file)
        yield Noted(f"no {_STATS} is beside it, so that only scores of the whole arm are there")
    else:
        yield Noted(f"it has no runs, and no {_STATS} is beside it; ingest the run's whole folder")


class _Folder:
    """The files of one run."""

    def __init__(self, file: ToolFile) -> None:
        """Look for the run's specification beside a file."""
        self._file = file
        self._trouble: list[str] = []
        self._scored: set[str] = set()
        self._unnamed = 0
        self._spec = self._read_spec()
        places = PurePath(file.path).parent.parts
        name = self._spec.name if self._spec else places[-1] if places else ""
        self._name = name if self._spec or ":" in name else ""
        base, _, arguments = self._name.partition(":")
        kept = [part for part in arguments.split(",") if part and not part.startswith(_OF_MODEL)]
        scenario = f"{base}:{','.join(kept)}" if kept else base
        adapter = self._spec.adapter_spec if self._spec else {}
        called = [part for part in arguments.split(",") if part.startswith("model=")]
        model = adapter.get("model") or (called[0].partition("=")[2] if called else None)
        self._said = {"experiment_id": scenario or "helm"}
        if model:
            self._said["model_version"] = str(model)
        self._names: dict[str, object] = {
            "model": model,
            "model_deployment": adapter.get("model_deployment"),
            "scenario": base or None,
            "run_spec": self._name or None,
            "method": adapter.get("method"),
            "suite": places[-2] if self._name and len(places) > 1 else None,
            "folder": places[-1] if places else None,
            "file": file.name,
        }

    def _read_spec(self) -> Spec | None:
        for found in self._file.beside("run_spec.json"):
            try:
                return msgspec.convert(found.outline().members, Spec)
            except (FileBroken, msgspec.ValidationError) as error:
                self._trouble.append(f"run_spec.json beside it cannot be read ({error})")
                return None
        self._trouble.append("no run_spec.json is beside it")
        return None

    def gather(self, gathered: Gathered) -> Iterator[Rejected]:
        """Put the pieces of the run's instances together; yield those that cannot be read.

        Raises:
            FileBroken: the file breaks off; none of its runs has been yielded yet.

        """
        for entry in self._file.parts("", Key):
            if isinstance(entry, Part):
                gathered.add(named(entry.value), entry.number, entry.text)
            elif entry.original:
                yield entry
            else:
                raise FileBroken(entry.rejection)
        self._file.not_numbers = 0  # they are counted below
        unread: dict[str, str] = {}
        for file in self._file.beside("scenario_state.json"):
            for state in file.parts("request_states", State):
                if isinstance(state, Part):
                    text = msgspec.json.encode(state.value)
                    gathered.add(named(key_of(state.value)), _OF_STATE, text)
                elif len(unread) < _MOST_TOLD:
                    where = f"at {state.number:,}" if state.original else "to its end"
                    unread.setdefault(where, state.rejection.reason)
        for where, reason in unread.items():
            self._trouble.append(
                "prompts, answers and times are missing: scenario_state.json beside it cannot "
                f"be read {where} ({reason})"
            )

    def parts(self, gathered: Gathered) -> Iterator[Part[list[Piece]] | Rejected]:
        """Yield the pieces of each instance."""
        number = 0
        for group in gathered.groups():
            if isinstance(group, Rejected):
                yield group
                continue
            _, pieces = group
            number = pieces[0].number if pieces[0].number != _OF_STATE else number + 1
            yield Part(number, pieces, pieces[0].text)

    def runs(self, part: Part[list[Piece]]) -> Iterator[Run]:
        """Yield the run of one instance."""
        entries: list[Entry] = []
        states: list[State] = []
        for piece in part.value:
            if piece.number == _OF_STATE:
                states.append(self._file.decode(piece.text, State))
            else:
                entries.append(self._file.decode(piece.text, Entry))
        key = entries[0] if entries else key_of(states[0])
        record = self._said | identified(key)
        names = [stat.name for entry in entries for stat in entry.stats]
        record["metadata"] = metadata(key, names, states)
        values: dict[str, float | None] = {}
        for entry in entries:
            for stat in entry.stats:
                values.setdefault(str(stat.name.get("name")), stat.value())
        record |= measured(values)
        self._scored |= record["scores"].keys()
        if states:
            record |= asked(states)
        runtime = values.get("inference_runtime")
        if runtime is None:
            # a specification has many runs, which the loader counts
            del record["repetition"]
            self._unnamed += 1
        else:
            # runs of one specification are told apart by how long the model took, which a cached
            # answer that is scored again has as well
            run = "/".join([self._name or "helm", record["task_id"], str(key.train_trial_index)])
            record["source_run_id"] = f"{run}/{runtime!r}"
        yield Run(part.number, record, self._names)

    def wholes(self, file: ToolFile) -> Iterator[Whole]:
        """Yield what `stats.json` says of the arm as a whole, and no instance has.

        Perturbed inputs are left out.

        Raises:
            FileBroken: it breaks off, or is not as the tool writes it.

        """
        file.count()
        for part in file.parts("", Statistic):
            if isinstance(part, Rejected):
                raise FileBroken(part.rejection)
            name, value = part.value.name, part.value.value()
            key = str(name.get("name"))
            if value is None or name.get("perturbation") or key.startswith(COUNTED):
                continue
            if key in self._scored:
                continue
            split = name.get("split")
            key = key if split in (None, "test") else f"{key},{split}"
            key = f"{key},{name['sub_split']}" if name.get("sub_split") else key
            yield Whole(key, value, self._said, self._names)

    def beside(self) -> Iterator[Item]:
        """Say how often each instance was to be run, what no instance has, and what is missing."""
        trials = self._spec.adapter_spec.get("num_train_trials") if self._spec else None
        if isinstance(trials, int):
            yield Planned(None, trials)
        for file in self._file.beside("stats.json"):
            try:
                yield from self.wholes(file)
            except FileBroken as broken:
                self._trouble.append(f"stats.json beside it cannot be read ({broken})")
        for trouble in self._trouble:
            yield Noted(trouble)
        if self._unnamed:
            yield Noted(
                f"{counted(self._unnamed, 'run')} without an inference_runtime, which would tell "
                "it apart: the first, second … of their task, group and version, so load all runs "
                "of an arm in one command: a later one takes the place of these"
            )
        if self._spec is None:
            told = f"the folder's name tells {self._said['experiment_id']}"
            yield Noted(
                f"{told if self._name else 'nothing tells scenario and model'}; "
                "--experiment-id NAME and --model-version MODEL say it"
            )


IMPORTER: Final = Importer(
    About(
        kind="helm",
        tool="HELM",
        files="`per_instance_stats.json` of a run's folder, with run_spec.json and "
        "scenario_state.json beside it; `stats.json` alone",
        versions=_TRIED,
        kept="statistics of an instance as scores, counts as measurements, runtime, tokens, "
        "perturbed inputs as tasks of their own, train trials as repetitions, prompts, answers, "
        "failed requests; what only stats.json has, of the whole arm",
        left_out="statistics over perturbations, probabilities of tokens, how prompts were put "
        "together",
        names={
            "model": "the model evaluated",
            "model_deployment": "what served it",
            "scenario": "the scenario, without its arguments",
            "run_spec": "the run's name: scenario, arguments and model",
            "method": "how the model was asked: generation, multiple_choice_joint",
            "suite": "the folder above the run's",
            "folder": "the run's folder",
            "file": "name of the file, without folder",
        },
    ),
    _recognises,
    _runs,
)
