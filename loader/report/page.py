"""A report as one file: HTML that needs no network and works without script, or markdown.

The templates escape every value; pictures come drawn and escaped from `charts`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..marts.evidence import without_candidate
from ..marts.pages import read_agent, read_contents, read_experiment, read_trials
from ..marts.reading import reading
from ..show import escape
from ..show.beside import Shown, notes
from ..show.metric_page import kind_of_values
from ..show.render import NULL, cell, printable
from ..tools.extras import needed
from ..tools.tables import Kind
from . import beside, forest, metrics, segments, tasks, trends
from .answers import answered
from .arms import arms_of
from .grids import Cell, count_of, text_of
from .three import three
from .verdict import verdict_of

with needed("report"):
    import jinja2
    from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..marts.pages import Agent, Experiment, Record
    from ..warehouse.connection import Connection
    from .answers import Answered
    from .arms import Arm
    from .drawing import Chart
    from .forest import Forest
    from .grids import Grid
    from .three import Number
    from .verdict import Verdict

_SUFFIXES: Final = {".html": "html", ".htm": "html", ".md": "md", ".markdown": "md"}
_NO_METRIC: Final = "no score"
# A comment on a pull request holds 65,536 characters.
_MOST_IN_MARKDOWN: Final = 15
_CELL_IN_MARKDOWN: Final = 160
_LINE_IN_MARKDOWN: Final = 600
# What names a p-value stays on one line with it.
_P_VALUE: Final = re.compile(r"(\(p) ([<=]) ")
_LINK_HOSTS: Final = "EVALMART_LINK_HOSTS"
_LANGSMITH: Final = "smith.langchain.com"


class Comparison(NamedTuple):
    """One candidate as the page shows it."""

    anchor: str
    verdict: Verdict
    arms: Sequence[Arm]
    three: Sequence[Number]
    forest: Forest | None
    """Every metric that has a say, what decided first."""
    no_say: Forest | None
    metrics: Grid | None
    differences: Chart | None
    flipped: Sequence[Grid]
    extremes: Sequence[Grid]
    answers: Sequence[Answered]
    every_task: Grid
    distributions: Sequence[Chart]
    segment_forest: Forest | None
    segments: Grid | None
    opposes_the_whole: bool
    missing: Grid | None
    left_out: Grid | None
    brief: Grid | None
    """For markdown: a row per metric, few columns."""
    beside: Sequence[Grid]
    """What decides nothing."""

    @property
    def row(self) -> Sequence[str]:
        """Return the row of this candidate in the table of all."""
        verdict = self.verdict
        best = self.three[-1].value if self.three else NULL
        return [verdict.candidate, verdict.word, verdict.tasks, best, verdict.headline]


def format_of(path: str) -> str:
    """Return "html" or "md" by a file's suffix; raises `ConfigurationError` for another."""
    for suffix, name in _SUFFIXES.items():
        if path.lower().endswith(suffix):
            return name
    raise ConfigurationError(f"{printable(path)} tells no format; end it in .html or .md")


def experiment_report(connection: Connection, experiment_id: str, output: str) -> str:
    """Return the report of one experiment.

    Args:
        connection: to the warehouse.
        experiment_id: which.
        output: "html" or "md".

    Raises:
        ConfigurationError: no such experiment, marts not built, the extra not installed.
        WarehouseUnavailable: the server fails.
    """
    with reading(connection):
        experiment = read_experiment(connection, experiment_id)
        chosen = [tasks.choose(_of(experiment, summary)) for summary in experiment.summaries]
        baselines = (str(row["baseline_experiment_id"]) for row in experiment.summaries)
        sources = sorted({experiment_id, *baselines})
        results = [name for part in chosen for name in part.result_ids()]
        runs = read_trials(connection, sources, results)
        contents = read_contents(connection, sources, results) if output == "html" else {}
    return render_experiment(experiment, runs, output, contents)


def render_experiment(
    experiment: Experiment,
    runs: tasks.Runs,
    output: str,
    contents: Mapping[object, Record] = MappingProxyType({}),
) -> str:
    """Return the report of what was read.

    Args:
        experiment: as `read_experiment` returns it.
        runs: as `read_trials` returns them.
        output: "html" or "md".
        contents: as `read_contents` returns them; markdown has no room for any.

    """
    with_charts = output == "html"
    comparisons = [
        _comparison(experiment, summary, place, runs, contents, with_charts=with_charts)
        for place, summary in enumerate(experiment.summaries, 1)
    ]
    return _render(
        f"experiment.{output}.j2",
        {
            "title": printable(experiment.experiment_id),
            "as_of": cell(experiment.newest_at, Kind.TIMESTAMP),
            "nothing": without_candidate(experiment.experiment_id),
            "alone": [grid for shown in experiment.shown for grid in beside.grids(shown)],
            "comparisons": comparisons,
            **_trend(experiment, "agent_name", with_charts=with_charts),
        },
    )


def agent_report(connection: Connection, agent_name: str, output: str) -> str:
    """Return the report of one agent over its versions; raises like `experiment_report`."""
    return render_agent(read_agent(connection, agent_name), output)


def render_agent(agent: Agent, output: str) -> str:
    """Return the report of what was read."""
    return _render(
        f"agent.{output}.j2",
        {
            "title": printable(agent.agent_name),
            "as_of": cell(agent.newest_at, Kind.TIMESTAMP),
            "experiments": trends.experiment_grid(agent.summaries) if agent.summaries else None,
            **_trend(agent, "metric", with_charts=output == "html"),
        },
    )


def _of(experiment: Experiment, summary: Record) -> list[Record]:
    candidate = (str(summary["candidate_group"]), str(summary["candidate_version"]))
    return experiment.of(experiment.tasks, candidate) or []


def _comparison(  # noqa: PLR0913  what was read, and where it goes
    experiment: Experiment,
    summary: Record,
    place: int,
    runs: tasks.Runs,
    contents: Mapping[object, Record],
    *,
    with_charts: bool,
) -> Comparison:
    """Return what the page shows of one candidate."""
    candidate = (str(summary["candidate_group"]), str(summary["candidate_version"]))
    primary = text_of(summary, "primary_metric")
    metric = primary or _NO_METRIC
    of_tasks = _of(experiment, summary)
    known = experiment.of(experiment.comparisons, candidate)
    compared = [row for row in known or [] if _has_tasks(row)]
    kind = next((kind_of_values(row) for row in compared if row["metric"] == primary), Kind.NUMBER)
    ordered = metrics.in_order(compared, metrics.decided(summary))
    with_say = [row for row in ordered if metrics.has_say(row)]
    without = [row for row in ordered if not metrics.has_say(row)]
    in_segments = segments.labelled(experiment.of(experiment.segments, candidate) or [], primary)
    chosen = tasks.choose(of_tasks)
    total = sum(
        count_of(summary, name)
        for name in ("total_tasks", "baseline_only_tasks", "candidate_only_tasks")
    )
    verdict = verdict_of(
        summary,
        known,
        experiment.of(experiment.segment_verdicts, candidate) or [],
        experiment.examples.get(candidate, {}),
        experiment.set_aside,
    )
    shown = experiment.shown[place - 1] if experiment.shown else Shown()
    return Comparison(
        f"c{place}",
        verdict._replace(unknowns=[*verdict.unknowns, *notes(shown)]),
        arms_of(experiment.of(experiment.arms, candidate) or []),
        three(summary, with_say),
        forest.of_metrics(with_say, "Every metric that has a say") if with_say else None,
        forest.of_metrics(without, "Metrics that have no say") if without else None,
        metrics.metric_grid(compared) if compared else None,
        tasks.chart(of_tasks, metric, kind) if with_charts else None,
        tasks.flipped_grids(chosen, metric, kind, runs),
        tasks.extreme_grids(chosen, metric, kind, runs),
        answered(chosen, contents),
        tasks.every_grid(of_tasks, metric, kind, total),
        tasks.distribution_charts(of_tasks) if with_charts else [],
        forest.of_segments(in_segments, f"Segments by {metric}"),
        segments.segment_grid(in_segments, metric) if in_segments else None,
        segments.opposes_the_whole(in_segments),
        metrics.missing_grid(compared) if compared else None,
        tasks.incomparable_grid(chosen),
        metrics.brief_grid(compared) if compared else None,
        beside.grids(shown),
    )


def _has_tasks(row: Record) -> bool:
    return bool(count_of(row, "n_tasks") or count_of(row, "n_pairs"))


def _trend(read: Experiment | Agent, by: str, *, with_charts: bool) -> dict[str, object]:
    """Return the parts of the page that show an agent over its versions."""
    shown = {(row["agent_name"], row["metric"]) for row in read.trends}
    regressions, alerts = (
        None
        if rows is None
        else [row for row in rows if (row["agent_name"], row.get("metric")) in shown]
        for rows in (read.regressions, read.alerts)
    )
    worse = trends.marked(regressions, alerts)
    return {
        "trend_charts": trends.small_charts(read.trends, worse, by) if with_charts else [],
        "open_now": trends.open_now(alerts),
        "falls": trends.falls(regressions, alerts),
        "regressions_known": regressions is not None,
        "versions": trends.version_grid(read.trends) if read.trends else None,
    }


def _render(template: str, values: Mapping[str, object]) -> str:
    environment = _environment(is_html=".html." in template)
    return environment.get_template(template).render(values)


def _environment(*, is_html: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=is_html,  # noqa: S701  markdown is escaped by its finalize
        finalize=_html if is_html else _markdown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    script = _source("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals["style"] = Markup(_source("style.css"))  # noqa: S704  the package's own file
    environment.globals["script"] = Markup(script)  # noqa: S704  likewise
    environment.globals["script_hash"] = Markup(f"sha256-{digest}")  # noqa: S704  of base64 alone
    environment.filters["code"] = _code
    environment.filters["tag"] = lambda text: Markup(escape.markdown_html(str(text)))  # noqa: S704  escaped there
    environment.filters["row"] = _markdown_row
    environment.filters["together"] = lambda text: _P_VALUE.sub("\\1\u00a0\\2\u00a0", str(text))
    environment.filters["line"] = _line
    environment.globals["most_rows"] = _MOST_IN_MARKDOWN
    return environment


def _source(name: str) -> str:
    folder = resources.files(__name__.rpartition(".")[0])
    part = folder / name if name.endswith((".css", ".js")) else folder / "templates" / name
    return part.read_text(encoding="utf-8")


def _html(value: object) -> object:
    """Prepare what a template for HTML prints, which then has its `<` and `&` escaped."""
    return escape.html(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _markdown(value: object) -> object:
    """Escape what a template for markdown prints, unless it is escaped already."""
    return value if isinstance(value, Markup) else escape.markdown(str(value))


def _code(text: str) -> Markup:
    """Return text as a code span, in which nobody is mentioned and nothing is linked."""
    shown = printable(text)
    shown = shown if len(shown) <= _CELL_IN_MARKDOWN else shown[: _CELL_IN_MARKDOWN - 1] + "…"
    fence = "`"
    while fence in shown:
        fence += "`"
    padding = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return Markup(fence + padding + shown + padding + fence)  # noqa: S704  quoted above


def _in_row(code: str) -> str:
    """Return a code span as a row of a table may hold it."""
    return str(code).replace("|", "\\|")


def _line(text: str) -> str:
    """Return a sentence of a length that a comment has room for."""
    return text if len(text) <= _LINE_IN_MARKDOWN else text[: _LINE_IN_MARKDOWN - 1] + "…"


def _markdown_row(cells: Sequence[Cell]) -> Markup:
    """Return one row of a markdown table: the first cell as code, the rest escaped."""
    first, *rest = cells
    texts = [_in_row(_code(first.text))]
    for part in rest:
        text = part.text if len(part.text) <= _CELL_IN_MARKDOWN else part.text[:158] + "…"
        linked = [
            f"[{escape.markdown(name)}](<{_address(address)}>)"
            if _is_trusted(address)
            else _in_row(_code(f"{name}: {address}"))
            for name, address in part.links
        ]
        texts.append(" ".join([escape.markdown(text), *linked]).strip())
    return Markup("| " + " | ".join(texts) + " |")  # noqa: S704  escaped above


def _is_trusted(address: str) -> bool:
    """Whether a comment may link there: a record chooses the address, not the host.

    Hosts are LangSmith's own, that of LANGSMITH_ENDPOINT, and those of EVALMART_LINK_HOSTS,
    divided by commas.
    """
    try:
        parts, service = urlsplit(address), urlsplit(os.environ.get("LANGSMITH_ENDPOINT", ""))
        host = parts.hostname or ""
        is_plain = parts.scheme == "https" and parts.username is None and parts.password is None
    except ValueError:
        return False
    named = {each.strip() for each in os.environ.get(_LINK_HOSTS, "").lower().split(",")}
    known = ({service.hostname} | named) - {None, ""}
    return is_plain and (host in known or host == _LANGSMITH or host.endswith(f".{_LANGSMITH}"))


def _address(address: str) -> str:
    """Return an address that cannot leave its brackets."""
    unsafe = {"<": "%3C", ">": "%3E", "|": "%7C", "\\": "%5C", " ": "%20"}
    return "".join(unsafe.get(char, char) for char in printable(address))
