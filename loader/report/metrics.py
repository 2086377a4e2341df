"""Every metric of a comparison: the forest plot, the table, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..show.metric_page import kind_of_values
from ..show.render import NULL
from ..show.wording import RATIOS, ROLES, finding, improvement_of, notes, say
from .forest import style_of
from .grids import (
    Cell,
    Grid,
    Heading,
    count_of,
    figures,
    interval,
    number_of,
    probability,
    signed,
    text_of,
    texts_of,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..marts.pages import Record

_ORDER: Final = list(ROLES)


def in_order(rows: Sequence[Record], decided: Sequence[str] = ()) -> list[Record]:
    """Return metrics as a person reads them: who has most say first.

    Args:
        rows: of `experiment_metric_comparisons`.
        decided: metrics that the reasons of the verdict name, which come first, as they do there.

    """
    return sorted(
        rows,
        key=lambda row: (
            row.get("role") != "deciding",
            decided.index(str(row["metric"])) if row["metric"] in decided else len(decided),
            _ORDER.index(str(row["role"])) if row.get("role") in ROLES else len(_ORDER),
            -(number_of(row, "weight") or 0.0),
            str(row["metric"]),
        ),
    )


def decided(summary: Record) -> list[str]:
    """Return the metrics that the reasons of a verdict name, in their order."""
    raw = summary.get("recommendation_reasons")
    reasons = [one for one in (raw if isinstance(raw, list) else []) if isinstance(one, dict)]
    named = dict.fromkeys(reason.get("metric") for reason in reasons)
    return [str(name) for name in named if name is not None]


def has_say(row: Record) -> bool:
    """Tell whether a metric can decide, reject or stop."""
    return row.get("role") in ROLES and row["role"] != "none"


def metric_grid(rows: Sequence[Record]) -> Grid:
    """Return the table of every metric, the deciding one first."""
    headings = [
        Heading("metric"), Heading("say"), figures("pairs"), figures("baseline"),
        figures("candidate"), figures("improvement"), figures("95 % interval"),
        figures("margin"), figures("p"), Heading("which says", is_wide=True),
        Heading("notes", is_wide=True),
    ]  # fmt: skip
    return Grid(
        "Candidate against baseline, mean over tasks that both arms have",
        headings,
        [_metric_cells(row) for row in in_order(rows)],
        note="improvement: + is better; points of scores, per cent saved of the rest.",
    )


def brief_grid(rows: Sequence[Record]) -> Grid:
    """Return what a pull request has room for."""
    whole = metric_grid(rows)
    chosen = [0, 1, 3, 4, 5, 6, 7, 9]
    return Grid(
        whole.caption,
        [whole.headings[place] for place in chosen],
        [[row[place] for place in chosen] for row in whole.rows],
    )


def missing_grid(rows: Sequence[Record]) -> Grid:
    """Return what each metric lacks, and what that could change."""
    headings = [
        Heading("metric"), figures("tasks"), figures("pairs"),
        figures("only baseline"), figures("only candidate"),
        figures("not comparable"), figures("neither scored"),
        figures("coverage"), figures("improvement, missing as the worst"),
        figures("difference, worst … best case"),
    ]  # fmt: skip
    return Grid(
        "What is missing, metric by metric", headings, [_missing_cells(row) for row in rows]
    )


def _metric_cells(row: Record) -> list[Cell]:
    kind = kind_of_values(row)
    shown = improvement_of(row)
    return [
        Cell(str(text_of(row, "metric"))),
        Cell(say(row)),
        Cell(f"{count_of(row, 'n_pairs'):,}"),
        Cell(told(number_of(row, "baseline_mean"), kind)),
        Cell(told(number_of(row, "candidate_mean"), kind)),
        Cell(shown.text(), style_of(row)),
        Cell(shown.interval()),
        Cell(shown.accepted()),
        Cell(probability(number_of(row, "p_value"))),
        Cell(finding(row)),
        Cell(", ".join(notes(texts_of(row, "flags"), text_of(row, "finding"))) or NULL),
    ]


def _missing_cells(row: Record) -> list[Cell]:
    kind = kind_of_values(row)
    coverage = number_of(row, "pair_coverage")
    ends = (number_of(row, "worst_case_low"), number_of(row, "best_case_high"))
    second = None if row["kind"] in RATIOS else number_of(row, "improvement_missing_as_zero")
    counts = (
        "n_tasks", "n_pairs", "n_baseline_only", "n_candidate_only", "n_incomparable", "n_unscored",
    )  # fmt: skip
    return [
        Cell(str(text_of(row, "metric"))),
        *(Cell(f"{count_of(row, name):,}" if name in row else NULL) for name in counts),
        Cell(NULL if coverage is None else f"{100 * coverage:.1f} %"),
        Cell(signed(second, kind)),
        Cell(interval(*(signed(end, kind) for end in ends))),
    ]
