"""What is shown beside a verdict and decides nothing.

Which bias of its judge would turn it, categories that runs were put into, preferences of a
judge who had two arms side by side, scores of an arm as a whole, how often all of several runs
pass, and single tasks that broke or were mended beyond chance. Every number is a mart's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..tools.tables import Column, Format, Kind, Table
from .render import NULL, markdown_text, printable, render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    Record = Mapping[str, object]

_CATEGORIES: Final = "Categories, of the runs that have one (they decide nothing):"
_PREFERENCES: Final = "Preferred when judged side by side, by task (it decides nothing):"
_SCORES: Final = "Scores of a whole arm (they decide nothing):"
_SENSITIVITY: Final = "What a bias of its judge between the arms would turn (it decides nothing):"
_JUDGES: Final = "What labels of people, of all experiments, tell of that judge:"
_CURVES: Final = "How often all of k runs of a task pass (it decides nothing):"
_TASKS: Final = "Single tasks that broke or were mended beyond chance (they decide nothing):"
_UNTOLD: Final = "What this does not tell:"
UNTESTED: Final = {
    "direction_unknown": "which way is better is not known",
    "too_many_arrangements": "no exact test of so unequal numbers of runs",
    "zero_variance": "all runs of either arm are the same",
}
"""`untested_reason` of `experiment_task_comparisons`."""
_MOST_REMARK: Final = 60
_MOST_TASKS: Final = 20
_MOST_K: Final = 8
_MOST_RUNS: Final = 3


class Shown(NamedTuple):
    """What is shown of some arms; rows of categories, scores and curves say which arm."""

    arms: Sequence[str] = ()
    """Names for people, in order: baseline, candidate; else group and version."""
    categories: Sequence[Record] = ()
    """`category_counts`."""
    preferences: Sequence[Record] = ()
    """`pairwise_preferences`."""
    scores: Sequence[Record] = ()
    """`summary_scores`."""
    sensitivity: Sequence[Record] = ()
    """As `loader.marts.sensitivity` returns it."""
    curves: Sequence[Record] = ()
    """`pass_curves`."""
    tasks: Sequence[Record] = ()
    """`experiment_task_comparisons` beyond chance, what broke first."""


class Section(NamedTuple):
    """A table and the line above it."""

    heading: str
    table: Table


def sections(shown: Shown) -> list[Section]:
    """Return a table for each that there is anything of."""
    tables = (
        (_SENSITIVITY, _sensitivity_table(shown.sensitivity)),
        (_JUDGES, _judge_table(shown.sensitivity)),
        (_CATEGORIES, _category_table(shown)),
        (_PREFERENCES, _preference_table(shown.preferences)),
        (_SCORES, _score_table(shown)),
        (_CURVES, _curve_table(shown)),
        (_TASKS, task_table(shown.tasks[:_MOST_TASKS])),
    )
    return [Section(heading, table) for heading, table in tables if table.rows]


def notes(shown: Shown) -> list[str]:
    """Say what the tables do not tell."""
    without = {
        (str(row["arm"]), str(row["evaluator_key"])): _count(row, "total_runs")
        - _count(row, "labelled_runs")
        for row in shown.categories
    }
    told = [
        f"what {printable(key)} would say of {count:,} {'run' if count == 1 else 'runs'} of the "
        f"{printable(arm)} without a category"
        for (arm, key), count in without.items()
        if count
    ]
    unsure = {str(row["evaluator_key"]) for row in shown.preferences if not row["is_oriented"]}
    told += [
        f"which arm is the baseline by {printable(key)}: the roles of the groups do not say, and "
        "the first by alphabet is taken for it"
        for key in sorted(unsure)
    ]
    if len(shown.tasks) > _MOST_TASKS:
        told.append(
            f"{len(shown.tasks) - _MOST_TASKS:,} more single tasks: the mart "
            "experiment_task_comparisons has them all"
        )
    return told


def for_programs(shown: Shown) -> dict[str, list[dict[str, object]]]:
    """Return the rows by mart or question, without the names for people."""
    return {
        mart: [{name: row[name] for name in row if name != "arm"} for row in rows]
        for mart, rows in zip(
            (
                "category_counts",
                "pairwise_preferences",
                "summary_scores",
                "judge_sensitivity",
                "pass_curves",
                "experiment_task_comparisons",
            ),
            (
                shown.categories,
                shown.preferences,
                shown.scores,
                shown.sensitivity,
                shown.curves,
                shown.tasks,
            ),
            strict=True,
        )
    }


def write(shown: Shown, output: Format, stream: TextIO) -> None:
    """Print what decides nothing, and what it does not tell, where there is any of it."""
    escape = markdown_text if output is Format.MARKDOWN else str
    for section in sections(shown):
        stream.write(f"\n{escape(section.heading)}\n\n")
        render(section.table, output, stream)
    told = notes(shown)
    if told:
        stream.write(f"\n{_UNTOLD}\n\n")
        stream.writelines(f"- {escape(line)}\n" for line in told)


def _sensitivity_table(rows: Sequence[Record]) -> Table:
    """Return what the verdict would be, and from which bias on."""
    columns = (Column("score"), Column("verdict", heading="the verdict would be"), Column("bias"))
    return Table(
        columns,
        [
            (
                printable(str(row["metric"])),
                str(row["turned_recommendation"] or NULL).replace("_", " "),
                _bias(row),
            )
            for row in rows
        ],
    )


def _bias(row: Record) -> str:
    bias = row["turning_bias"]
    if isinstance(bias, int | float):
        arm = "candidate" if bias >= 0 else "baseline"
        return f"if it favours the {arm} by more than {100 * abs(bias):.3g} points"
    if row["note"] == "no_bias":
        return "no bias turns it"
    return "cannot be told: by the t test, without a composite, it is another already"


def _judge_table(rows: Sequence[Record]) -> Table:
    """Return a row for each labelled judge of the deciding score."""
    columns = (
        Column("judge"),
        Column("version"),
        Column("labels", Kind.INTEGER),
        Column("kappa", Kind.NUMBER),
        Column("favours", heading="favours the candidate by"),
    )
    judges = rows[0]["judges"] if rows else ()
    return Table(
        columns,
        [
            (
                printable(str(one["evaluator_key"])),
                printable(str(one["judge_version"])) or NULL,
                one["n_labels"],
                one["kappa"],
                _favour(one),
            )
            for one in judges
        ]
        if isinstance(judges, list)
        else [],
    )


def _favour(judge: Record) -> str:
    bias, low, high = (judge[f"bias_between_arms{end}"] for end in ("", "_low", "_high"))
    if not isinstance(bias, int | float):
        return NULL
    ends = (
        f" ({100 * low:+.3g} … {100 * high:+.3g})"
        if isinstance(low, int | float) and isinstance(high, int | float)
        else ""
    )
    return f"{100 * bias:+.3g} points{ends}"


def _category_table(shown: Shown) -> Table:
    """Return a row for each category of a key, a column for each arm."""
    counted = {(row["evaluator_key"], row["category"], row["arm"]): row for row in shown.categories}
    labelled = {
        (row["evaluator_key"], row["arm"]): _count(row, "labelled_runs") for row in shown.categories
    }
    places: dict[tuple[str, str], tuple[bool, int]] = {}
    for row in shown.categories:
        name = (str(row["evaluator_key"]), str(row["category"]))
        place = row["category_position"]
        order = (False, place) if isinstance(place, int) else (True, 0)
        places[name] = min(order, places.get(name, order))
    rows = [
        (
            printable(key),
            printable(category),
            *(
                _share(counted.get((key, category, arm)), labelled.get((key, arm)))
                for arm in shown.arms
            ),
        )
        for key, category in sorted(places, key=lambda name: (name[0], places[name], name[1]))
    ]
    columns = [Column("key"), Column("category")]
    return Table((*columns, *_of_arms(shown)), rows)


def _curve_table(shown: Shown) -> Table:
    """Return a row for each of the first k, a column for each arm; none for one run a task."""
    found = {(row["k"], row["arm"]): row for row in shown.curves}
    most = sorted({_count(row, "k") for row in shown.curves})[:_MOST_K]
    rows = [(str(k), *(_pass(found.get((k, arm))) for arm in shown.arms)) for k in most]
    return Table((Column("k"), *_of_arms(shown)), rows if len(rows) > 1 else [])


def _pass(row: Record | None) -> str:
    """Return pass^k of an arm in per cent, its interval, and over how many tasks."""
    if row is None:
        return NULL
    low, high = (_percent(row[f"pass_hat_k_{end}"]) for end in ("low", "high"))
    tasks = _count(row, "tasks")
    named = f"{tasks:,} {'task' if tasks == 1 else 'tasks'}"
    return f"{_percent(row['pass_hat_k'])} % ({low} … {high}, {named})"


def task_table(rows: Sequence[Record]) -> Table:
    """Return a row for each task and metric of `experiment_task_comparisons`."""
    columns = (
        Column("task"),
        Column("metric"),
        Column("baseline", heading="passed before"),
        Column("candidate", heading="passed now"),
        Column("p_value_bh", Kind.PROBABILITY, "p (BH)"),
        Column("found"),
        Column("runs", heading="runs to look at"),
    )
    return Table(
        columns,
        [
            (
                printable(str(row["task_id"])),
                printable(str(row["metric"])),
                *(_passed(row, arm) for arm in ("baseline", "candidate")),
                row["p_value_bh"],
                _found(row),
                _runs(row["candidate_run_ids"]),
            )
            for row in rows
        ],
    )


def _passed(row: Record, arm: str) -> str:
    """Return how many runs of an arm passed, or their mean."""
    passes, runs, value = (row[f"{arm}_{name}"] for name in ("passes", "runs", "value"))
    if passes is not None:
        return f"{passes:,} of {runs:,}"
    mean = f"{value:.3g}" if isinstance(value, int | float) else NULL
    return f"mean {mean} of {runs:,}"


def _found(row: Record) -> str:
    told = "broke" if row["broke_beyond_chance"] else ""
    told = "mended" if row["fixed_beyond_chance"] else told or "not beyond chance"
    if row["untested_reason"] is not None:
        told = UNTESTED.get(str(row["untested_reason"]), "not tested")
    if row["is_quarantined"]:
        told += ", in quarantine"
    return told + (", critical" if row["is_critical"] else "")


def _runs(ids: object) -> str:
    """Return the first ids of runs, and how many more there are."""
    named = [printable(str(one)) for one in ids] if isinstance(ids, list) else []
    more = len(named) - _MOST_RUNS
    return ", ".join([*named[:_MOST_RUNS], *([f"{more} more"] if more > 0 else [])]) or NULL


def _share(row: Record | None, labelled: int | None) -> str:
    """Return the share of an arm's runs; none where it has other categories, else a dash."""
    if labelled is None:
        return NULL
    share, count = (row["share_of_runs"], _count(row, "runs")) if row else (0.0, 0)
    return f"{_percent(share)} % ({count:,} of {labelled:,})"


def _percent(share: object) -> str:
    """Return a share of 0 to 1 in per cent."""
    return f"{100 * share:.1f}" if isinstance(share, int | float) else NULL


def _preference_table(rows: Sequence[Record]) -> Table:
    columns = (
        Column("key"),
        Column("candidate"),
        Column("baseline"),
        Column("won", Kind.INTEGER),
        Column("lost", Kind.INTEGER),
        Column("tied", Kind.INTEGER),
        Column("unpaired", Kind.INTEGER),
        Column("share", heading="share won"),
        Column("p", Kind.PROBABILITY),
    )
    return Table(
        columns,
        [
            (
                printable(str(row["evaluator_key"])),
                _side(row, "candidate"),
                _side(row, "baseline"),
                row["wins"],
                row["losses"],
                row["ties"],
                row["unpaired"],
                _share_won(row),
                row["p_value"],
            )
            for row in rows
        ],
    )


def _side(row: Record, side: str) -> str:
    names = [row[f"{side}_{part}"] for part in ("group", "version", "experiment_id")]
    if names[0] is None:
        return "not here"
    group, version, experiment = (printable(str(name)) for name in names)
    return f"{group} {version} of {experiment}"


def _share_won(row: Record) -> str:
    share, low, high = (_percent(row[f"win_share{end}"]) for end in ("", "_low", "_high"))
    return share if share == NULL else f"{share} % ({low} … {high})"


def _score_table(shown: Shown) -> Table:
    """Return a row for each key, a column for each arm."""
    scores = {(str(row["evaluator_key"]), row["arm"]): row for row in shown.scores}
    keys = sorted({key for key, _ in scores})
    rows = [
        (printable(key), *(_score(scores.get((key, arm))) for arm in shown.arms)) for key in keys
    ]
    return Table((Column("key"), *_of_arms(shown)), rows)


def _score(row: Record | None) -> str:
    if row is None:
        return NULL
    score, label, comment = row["score"], row["label"], row["comment"]
    said = [] if score is None else [f"{score:.4g}"]
    said += [] if label is None else [printable(str(label))]
    if not said:
        remark = printable(str(comment or ""))
        said = [remark if len(remark) <= _MOST_REMARK else remark[: _MOST_REMARK - 1] + "…"]
    text = ", ".join(said) or NULL
    return f"{text} (a person)" if row["author_kind"] == "person" else text


def _of_arms(shown: Shown) -> list[Column]:
    return [Column(f"arm_{place}", heading=printable(arm)) for place, arm in enumerate(shown.arms)]


def _count(row: Record, name: str) -> int:
    value = row[name]
    return value if isinstance(value, int) else 0
