"""What hangs on the page of an experiment: what stands beside its verdict, its tables as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...marts import browsing
from ...show import beside
from ...show.render import printable
from ...tools.tables import Table
from ..asking import Unanswerable
from ..grids import Grid, of_table
from ..view import Page, Rows, of_records

if TYPE_CHECKING:
    from ...marts.browsing import Candidate
    from ..view import View


def beside_verdict(view: View) -> Page:
    """Return what stands beside a verdict and decides nothing, which may take a while."""
    summaries = browsing.summaries(view.connection, view.asked.name("id"))
    if not summaries:
        raise Unanswerable("The experiment has no candidate yet, and so no verdict.")
    candidate = view.asked.candidate(summaries)
    summary = next(
        row
        for row in summaries
        if (row["candidate_group"], row["candidate_version"]) == candidate[1:]
    )
    shown = browsing.shown_beside(view.connection, summary)
    return Page(
        "beside.html.j2",
        f"Beside the verdict on {printable(candidate.experiment_id)}",
        {
            "candidate": candidate,
            "experiment": view.link("/experiment", **of(candidate)),
            "tables": grids(shown),
            "notes": beside.notes(shown),
        },
        "experiments",
    )


def metric_rows(view: View) -> Rows:
    """Return `experiment_metric_comparisons` of a candidate, for programs."""
    summaries = browsing.summaries(view.connection, view.asked.name("id"))
    if not summaries:
        return Rows("metrics", Table((), []))
    candidate = view.asked.candidate(summaries)
    return Rows("metrics", of_records(browsing.metrics(view.connection, candidate)))


def segment_rows(view: View) -> Rows:
    """Return `experiment_segment_verdicts` of a candidate, for programs."""
    summaries = browsing.summaries(view.connection, view.asked.name("id"))
    if not summaries:
        return Rows("segments", Table((), []))
    candidate = view.asked.candidate(summaries)
    return Rows("segments", of_records(browsing.segments(view.connection, candidate)))


def arm_rows(view: View) -> Rows:
    """Return `arm_summaries` of an experiment, for programs."""
    experiment_id = view.asked.name("id")
    summaries = browsing.summaries(view.connection, experiment_id)
    baselines = {str(row["baseline_experiment_id"] or experiment_id) for row in summaries}
    return Rows(
        "arms", of_records(browsing.arms(view.connection, sorted({experiment_id, *baselines})))
    )


def of(candidate: Candidate) -> dict[str, object]:
    """Return a candidate as the parameters of an address."""
    return {
        "id": candidate.experiment_id, "group": candidate.group, "version": candidate.version,
    }  # fmt: skip


def grids(shown: beside.Shown) -> list[Grid]:
    """Return what stands beside a verdict, as tables of a page."""
    return [
        of_table(section.heading.removesuffix(":"), section.table)
        for section in beside.sections(shown)
    ]
