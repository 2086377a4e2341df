"""One experiment: the verdict, what it rests on, and where to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ...marts import browsing
from ...marts.evidence import without_candidate
from ...show import asides, beside, wording
from ...show.metric_page import arm_table, kind_of_values
from ...show.render import NULL, cell, named_p, printable, with_unit
from ...show.summary_page import outcome, title, unknowns
from ...tools.tables import Kind
from .. import drawing
from ..grids import Cell, Grid, Heading, of_table, word
from ..view import Page, of_records
from . import experiment_parts as parts
from .experiments import ENDS, improvement, interval
from .tasks import address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...marts.browsing import Candidate, Overview
    from ..view import View

    Record = Mapping[str, object]

_STYLES: Final = {"deploy": "good", "reject": "bad"}
_MARKS: Final = {"deploy": "✓", "reject": "✗"}
_TILES: Final = ("cost_usd", "latency_ms", "tokens_used")
_TILE_NAMES: Final = {"cost_usd": "cost", "latency_ms": "latency", "tokens_used": "tokens"}


class Tile(NamedTuple):
    """One number that matters."""

    name: str
    value: str
    note: str
    style: str = ""


class MetricRow(NamedTuple):
    """A metric of a comparison."""

    name: str
    say: str
    baseline: str
    candidate: str
    improvement: str
    interval: str
    margin: str
    finding: str
    notes: str
    style: str
    bar: drawing.Bar | None
    pairs: str


def experiment(view: View) -> Page:
    """Return the page of one experiment."""
    experiment_id = view.asked.name("id")
    summaries = browsing.summaries(view.connection, experiment_id)
    common: dict[str, object] = {
        "experiment": experiment_id,
        "looks": view.link("/decisions", experiment=experiment_id),
        "report": view.link("/report", id=experiment_id),
    }
    if not summaries:
        arms, shown = browsing.alone(view.connection, experiment_id)
        return Page(
            "experiment_alone.html.j2",
            printable(experiment_id),
            {
                **common,
                "nothing": without_candidate(experiment_id),
                "arms": _of_arms(view, arms),
                "beside": parts.grids(shown),
            },
            "experiments",
        )
    candidate = view.asked.candidate(summaries)
    summary = next(
        row
        for row in summaries
        if (row["candidate_group"], row["candidate_version"]) == candidate[1:]
    )
    found = browsing.overview(view.connection, summary)
    arms = browsing.arms(
        view.connection,
        sorted({experiment_id, str(summary["baseline_experiment_id"] or experiment_id)}),
    )
    return Page(
        "experiment.html.j2",
        printable(experiment_id),
        {
            **common,
            **_verdict(found),
            "candidate": candidate,
            "candidates": _candidates(view, summaries, candidate) if len(summaries) > 1 else None,
            "metrics": (metrics := _metrics(found.metrics)),
            "with_say": sum(not row.say.startswith("no say") for row in metrics),
            "metrics_csv": view.link("/experiment/metrics.csv", **parts.of(candidate)),
            "segments": _segments(view, found, candidate),
            "ways": _ways(view, found, candidate),
            "tasks": view.link("/tasks", **address(candidate)),
            "arms": _of_arms(view, arms),
            "beside": [] if found.shown is None else parts.grids(found.shown),
            "beside_link": view.link("/experiment/beside", **parts.of(candidate))
            if found.shown is None
            else None,
        },
        "experiments",
    )


def _verdict(found: Overview) -> dict[str, object]:
    """Return the verdict in words."""
    summary, counts = found.summary, found.counts
    decided = str(summary["recommendation"])
    told = wording.word(summary)
    decides = wording.would_decide(summary, found.examples)
    total = int(str(summary["total_tasks"] or 0))
    parts = [
        (name, int(str(summary[column] or 0)), style)
        for name, column, style in (
            ("better", "candidate_wins", "good"),
            ("tied", "ties", "tied"),
            ("worse", "baseline_wins", "bad"),
            ("undecided", "undecided_tasks", "unsure"),
        )
    ]
    begun = 0.0
    shares = []
    for name, count, style in parts:
        width = 100 * count / total if total else 0.0
        shares.append((name, count, style, round(begun, 3), round(width, 3)))
        begun += width
    worse = [row for row in found.segments if row["is_proven_worse"]]
    return {
        "style": _STYLES.get(decided, "unsure"),
        "mark": _MARKS.get(decided, "?"),
        "word": told[:1].upper() + told[1:],
        "headline": wording.headline(summary),
        "against": title(summary).partition(": ")[2],
        "would_decide": decides,
        "reasons": wording.reasons(summary),
        "worse_segments": [wording.worse_segment(row) for row in worse],
        "outcome": outcome(summary),
        "shares": shares,
        "total": total,
        "tiles": _tiles(found),
        "set_aside": asides.sentences(found.set_aside),
        "unknowns": [
            *unknowns(summary, found.metrics),
            *(beside.notes(found.shown) if found.shown is not None else []),
        ],
        "legacy": wording.legacy(summary),
        "facts": _facts(summary, counts),
    }


def _facts(summary: Record, counts: Record) -> list[tuple[str, str]]:
    """Return what was compared with what."""

    def several(name: str, other: str) -> str:
        one, another = counts[name], counts[other]
        told = cell(one, Kind.TEXT)
        return told if one == another else f"{told} … {cell(another, Kind.TEXT)}"

    baseline = f"{cell(counts['baseline_group'], Kind.TEXT)} " + several(
        "baseline_version", "baseline_other_version"
    )
    candidate = f"{summary['candidate_group']} {summary['candidate_version']}"
    return [
        ("candidate", printable(candidate)),
        ("its model", several("candidate_model", "candidate_other_model")),
        ("baseline", baseline if counts["baseline_group"] is not None else NULL),
        ("its model", several("baseline_model", "baseline_other_model")),
        ("agent", cell(summary["agent_name"], Kind.TEXT)),
        ("recorded until", f"{cell(summary['last_recorded_at'], Kind.TIMESTAMP)} UTC"),
    ]


def _tiles(found: Overview) -> list[Tile]:
    """Return the numbers that matter: what got better, what it costs, how sure."""
    by_name = {row["metric"]: row for row in found.metrics}
    primary = found.summary["primary_metric"]
    tiles = []
    for name in (primary, *_TILES):
        row = by_name.get(name)
        if row is None or not row["n_pairs"]:
            continue
        shown = wording.improvement_of(row)
        label = _TILE_NAMES.get(str(name), printable(str(name)))
        told = shown.text()
        if shown.is_known and shown.value is not None and shown.value > 0:
            told = told if told.startswith("+") else f"+{told}"
        tiles.append(
            Tile(
                label if name == primary else f"{label} saved",
                told,
                f"95 %: {shown.interval()}" if shown.interval() != NULL else "no interval",
                _style(row),
            )
        )
    p_value = drawing.known(found.summary["statistical_significance"])
    tiles.append(
        Tile(
            "how sure",
            NULL if p_value is None else named_p(p_value),
            f"{cell(found.summary['total_tasks'] or 0, Kind.INTEGER)} tasks in both arms",
        )
    )
    return tiles


def _style(row: Record) -> str:
    found = row["finding"]
    return {"better": "good", "harmed": "bad", "worse": "bad"}.get(str(found), "")


def _metrics(rows: Sequence[Record]) -> list[MetricRow]:
    """Return the metrics, each unit on an axis of its own."""
    shown = [(row, wording.improvement_of(row)) for row in rows]
    ends: dict[str, list[float | None]] = {}
    for _, each in shown:
        ends.setdefault(each.unit, []).extend([each.low, each.high])
    extents = {unit: drawing.extent(values) for unit, values in ends.items()}
    told = []
    for row, each in shown:
        kind = kind_of_values(row)
        picture = None
        if each.unit and None not in (each.low, each.value, each.high) and each.is_known:
            picture = drawing.bar(
                each.low or 0.0, each.value or 0.0, each.high or 0.0,
                extents[each.unit], each.margin,
            )  # fmt: skip
            picture = picture._replace(style=_style(row) or "unsure")
        flags = row["flags"] if isinstance(row["flags"], list) else []
        told.append(
            MetricRow(
                printable(str(row["metric"])),
                wording.say(row),
                with_unit(drawing.known(row["baseline_mean"]), kind),
                with_unit(drawing.known(row["candidate_mean"]), kind),
                each.text(),
                each.interval(),
                each.accepted(),
                wording.finding(row),
                ", ".join(wording.notes([str(flag) for flag in flags], _text(row["finding"]))),
                _style(row),
                picture,
                cell(row["n_pairs"], Kind.INTEGER),
            )
        )
    return told


def _segments(view: View, found: Overview, candidate: Candidate) -> Grid | None:
    """Return the parts of the tasks, each with its own verdict."""
    if not found.segments:
        return None
    extent = drawing.extent([drawing.known(row[name]) for row in found.segments for name in ENDS])
    return Grid(
        "Segments",
        [
            Heading("segment"), Heading("verdict"), Heading("tasks", is_numeric=True),
            Heading("improvement", is_numeric=True), Heading("worse … better"),
            Heading("in one sentence"),
        ],
        [
            [
                Cell(
                    printable(str(row["segment"])),
                    view.link(
                        "/tasks",
                        **address(candidate),
                        segment=f"{row['segment_kind']}:{row['segment']}",
                    ),
                    small=str(row["segment_kind"]),
                ),
                word(row["recommendation"]),
                Cell(cell(row["total_tasks"], Kind.INTEGER)),
                improvement(row),
                interval(row, extent),
                Cell(printable(str(row["headline"]))),
            ]
            for row in found.segments
        ],
        view.link("/experiment/segments.csv", **parts.of(candidate)),
    )  # fmt: skip


def _ways(view: View, found: Overview, candidate: Candidate) -> list[tuple[str, int, str, str]]:
    """Return the lists of tasks that are worth a look: name, size, address, class."""
    counts = found.counts
    return [
        (
            text,
            int(str(counts[show])),
            view.link("/tasks", **address(candidate), show=show),
            style,
        )
        for show, text, style in (
            ("broke", "passed before, fail now", "bad"),
            ("mended", "failed before, pass now", "good"),
            ("worse", "scored worse", "bad"),
            ("better", "scored better", "good"),
            ("failed", "ended badly in the candidate", "bad"),
            ("missing", "cannot be compared", "unsure"),
        )
    ]


def _candidates(view: View, summaries: Sequence[Record], chosen: Candidate) -> Grid:
    """Return every candidate of the experiment."""
    extent = drawing.extent([drawing.known(row[name]) for row in summaries for name in ENDS])
    return Grid(
        "Candidates of this experiment",
        [
            Heading("candidate"), Heading("verdict"), Heading("improvement", is_numeric=True),
            Heading("worse … better"), Heading("tasks", is_numeric=True),
            Heading("in one sentence"),
        ],
        [
            [
                Cell(
                    printable(f"{row['candidate_group']} {row['candidate_version']}"),
                    view.link(
                        "/experiment",
                        id=row["experiment_id"],
                        group=row["candidate_group"],
                        version=row["candidate_version"],
                    ),
                    small="shown below"
                    if (row["candidate_group"], row["candidate_version"]) == chosen[1:]
                    else "",
                ),
                word(row["recommendation"]),
                improvement(row),
                interval(row, extent),
                Cell(cell(row["total_tasks"], Kind.INTEGER)),
                Cell(wording.headline(row)),
            ]
            for row in summaries
        ],
    )  # fmt: skip


def _of_arms(view: View, arms: Sequence[Record]) -> Grid | None:
    """Return how reliable each arm is by itself."""
    if not arms:
        return None
    names = ("experiment_id", "experiment_group", "extension_version")
    several = len({row["experiment_id"] for row in arms}) > 1
    told = arm_table(of_records(arms))
    grid = of_table(
        "Each arm by itself", told, view.link("/experiment/arms.csv", id=view.asked.text("id"))
    )
    if not several:
        return grid
    rows = [
        [line[0]._replace(small=printable(str(row[names[0]]))), *line[1:]]
        for line, row in zip(grid.rows, arms, strict=True)
    ]
    return grid._replace(rows=rows)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
