"""What `declare` writes into the team's folder: metrics, groups, evaluators' keys, quarantine."""

from __future__ import annotations

import codecs
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigurationError, InvalidRecord
from ..records import checks
from ..tools.files import whole_file
from ..tools.metric_names import resolve
from ..warehouse.folder import shown, team_folder
from ..warehouse.seed_rules import seed_rules
from ..warehouse.seeds import check_team_folder, read_seed
from .edit import put_row
from .files import folder_to_edit, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Options that are not named as the columns they set.
_OPTIONS: Final = {
    "non_inferiority_margin": "--margin",
    "scale_min": "--scale",
    "scale_max": "--scale",
    "agent_name": "--agent",
}
_RATIOS: Final = ("latency", "tokens", "cost")
_UNITS: Final = {"score": "fraction", "latency": "ms", "tokens": "tokens", "cost": "US dollars"}
_MARGINS: Final = {"score": "0.05", **dict.fromkeys(_RATIOS, "0.20")}
_GROUPS: Final = {"control": "What a candidate is compared with", "treatment": "A candidate"}


class Row(NamedTuple):
    """A row to be written: its seed, the columns that name it, and what was asked of it."""

    seed: str
    keys: tuple[str, ...]
    """The first is what people call it by."""
    cells: Mapping[str, str]
    """As asked; what a new row lacks comes from `defaults`."""
    defaults: Mapping[str, str]


def declare_metric(name: str, asked: Mapping[str, str], scale: str | None = None) -> list[str]:
    """Write a metric, and the scale of its scores if one is given; return what to say.

    Args:
        name: of the metric; `latency`, `tokens` and `cost` mean the built-in ones.
        asked: cells of its row in `metrics.csv`, by column.
        scale: of the scores of that key, such as `1:5`.

    Raises:
        ConfigurationError: names everything that is wrong, or the file cannot be written.

    """
    declared = {row["metric"]: row for row in read_seed("metrics")}
    metric = resolve(name, declared)
    faults = _name_faults("scores", metric)
    old = declared.get(metric, {})
    kind = asked.get("kind") or old.get("kind") or "score"
    defaults = {
        "position": str(1 + max((int(row["position"]) for row in declared.values()), default=0)),
        "kind": kind,
        "unit": _UNITS.get(kind, ""),
        "direction": {"score": "higher", "measurement": ""}.get(kind, "lower"),
        "weight": "0",
        "tie_margin": "0.05" if kind == "score" else "0",
        "non_inferiority_margin": _MARGINS.get(kind, "0"),
        "description": f"What {metric} says",
    }
    if not old and kind == "measurement" and not asked.get("direction"):
        faults.append("--direction is needed of a measurement: write higher or lower")
        defaults["direction"] = "higher"
    if kind == "score":
        faults += [
            f"{_option(column)} is {asked[column]}; a score's goes from 0 to 1: "
            "for three points write 0.03"
            for column in ("tie_margin", "non_inferiority_margin")
            if _number(asked.get(column, "")) > 1
        ]
    rows = [Row("metrics", ("metric",), {"metric": metric, **asked}, defaults)]
    if scale is not None:
        if kind != "score":
            faults.append(f"--scale belongs to a score, and {metric} is of the kind {kind}")
        rows.append(_evaluator_row(metric, metric, scale, faults))
    said = _write(rows, faults)
    return [f"{name} is {metric}", *said] if name != metric else said


def declare_evaluator(key: str, metric: str | None, scale: str | None) -> list[str]:
    """Write which metric an evaluator's key counts for, and its scale; return what to say.

    Raises:
        ConfigurationError: as `declare_metric`.

    """
    faults = _name_faults("scores", key)
    kinds = {row["metric"]: row["kind"] for row in read_seed("metrics")}
    if metric is not None:
        faults += _name_faults("scores", metric)
        name = resolve(metric, kinds)
        if kinds.get(name, "score") != "score":
            faults.append(f"--metric is {metric}, of the kind {kinds[name]}; name one of scores")
    return _write([_evaluator_row(key, metric, scale, faults)], faults)


def declare_group(name: str, asked: Mapping[str, str]) -> list[str]:
    """Write a group and its role; return what to say.

    Args:
        name: of the group.
        asked: cells of its row in `experiment_groups.csv`, by column.

    Raises:
        ConfigurationError: as `declare_metric`.

    """
    faults = _name_faults("experiment_group", name)
    known = {row["experiment_group"] for row in read_seed("experiment_groups")}
    role = asked.get("role")
    if role is None and name not in known:
        faults.append("--role is needed of a new group: write control or treatment")
    defaults = {"role": role or "treatment", "description": _GROUPS.get(role or "", "A candidate")}
    row = Row(
        "experiment_groups", ("experiment_group",), {"experiment_group": name, **asked}, defaults
    )
    return _write([row], faults)


def declare_quarantine(task: str, agent: str, asked: Mapping[str, str]) -> list[str]:
    """Write a task that verdicts leave out, and why; return what to say.

    Args:
        task: its id.
        agent: whose results are left out; * for those of all.
        asked: cells of its row in `quarantine.csv`, by column: reason, until.

    Raises:
        ConfigurationError: as `declare_metric`.

    """
    faults = _name_faults("task_id", task)
    if agent != "*":
        faults += [f"--agent: {fault}" for fault in _name_faults("agent_name", agent)]
    cells = {"task_id": task, "agent_name": agent}
    is_known = any(cells.items() <= row.items() for row in read_seed("quarantine"))
    if not is_known and not asked.get("reason", "").strip():
        faults.append("--reason is needed of a task that is not in quarantine yet")
    defaults = {"reason": asked.get("reason") or "-", "until": ""}
    row = Row("quarantine", ("task_id", "agent_name"), {**cells, **asked}, defaults)
    return _write([row], faults)


def _evaluator_row(key: str, metric: str | None, scale: str | None, faults: list[str]) -> Row:
    cells = {"evaluator_key": key}
    if metric is not None:
        cells["metric"] = metric
    if scale is not None:
        low, _, high = scale.partition(":")
        cells |= {"scale_min": low.strip(), "scale_max": high.strip()}
        if not _number(low) < _number(high):
            faults.append(f"--scale is {scale!r}; write the lowest and the highest value, as 1:5")
    return Row(
        "evaluator_metrics", ("evaluator_key",), cells,
        {"metric": key, "scale_min": "0", "scale_max": "1"},
    )  # fmt: skip


def _write(rows: Sequence[Row], faults: list[str]) -> list[str]:
    """Check and write rows, all or none."""
    check_team_folder()
    told = {row.seed: _faults(row) for row in rows}
    # a scale that makes no sense is told once
    every = list(dict.fromkeys([*faults, *(fault for found in told.values() for fault in found)]))
    if every:
        lines = "".join(f"\n  {fault}" for fault in every)
        raise ConfigurationError(f"nothing was declared:{lines}")
    folder = folder_to_edit()
    is_new = team_folder() is None
    said = []
    for row in rows:
        path = folder / f"{row.seed}.csv"
        if write_file(folder, path.name):
            made = f"made {shown(folder)}/ and in it " if is_new else "made "
            said.append(f"{made}{path.name}, a copy of the project's own")
            is_new = False
        said.append(_put(row, path))
    return said


def _put(row: Row, path: Path) -> str:
    """Write a row; return what changed, in words."""
    key = row.cells[row.keys[0]]
    is_known = any(
        all(each[name] == row.cells[name] for name in row.keys) for each in read_seed(row.seed)
    )
    content = path.read_bytes()
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    cells = row.cells if is_known else {**row.defaults, **row.cells}
    changed, changes = put_row(content.removeprefix(mark).decode(), row.keys, cells)
    if not changes:
        return f"{shown(path)}: {key} is there as asked; nothing changed"
    with whole_file(path) as stream:
        stream.write(mark + changed.encode())
    if is_known:
        told = ", ".join(f"{each.column} {each.old or 'empty'} → {each.new}" for each in changes)
        return f"{shown(path)}: {key}: {told}"
    told = ", ".join(f"{each.column} {each.new}" for each in changes if each.column != row.keys[0])
    return f"{shown(path)}: added {key}: {told}"


def _faults(row: Row) -> list[str]:
    """Return what is wrong with the cells that were asked for, by option."""
    rules = seed_rules(row.seed)
    columns = {rule.column: rule for rule in rules.columns}
    found = []
    for column, value in row.cells.items():
        if column in row.keys:
            continue
        fault = columns[column].fault(value)
        if fault:
            found.append(f"{_option(column)} {fault}")
    taken = {row["position"]: row["metric"] for row in read_seed("metrics")}
    position = row.cells.get("position")
    if position in taken and taken[position] != row.cells.get("metric"):
        found.append(f"--position is {position}, which {taken[position]} has; choose another")
    return found


def _name_faults(field: str, name: str) -> list[str]:
    if not name.strip() or name != name.strip():
        return [f"the name is {name!r}; write it without spaces around it"]
    try:
        if field == "scores":
            checks.refuse_name(field, name)
        else:
            checks.repair({field: name})
    except InvalidRecord as error:
        return [error.reason]
    return []


def _option(column: str) -> str:
    return _OPTIONS.get(column, "--" + column.replace("_", "-"))


def _number(text: str) -> float:
    """Return a number; one that no comparison is true of where it is none."""
    with suppress(ValueError):
        return float(text)
    return float("nan")
