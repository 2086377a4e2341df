"""What is answered to whom: addresses, filters, places, tables, and what is refused."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

import served
from loader.serve.app import PAGES
from served import ASKED, EVERY, OF, SAMPLE, TALK, TASK, address, ask, page, sentence, table

if TYPE_CHECKING:
    from served import Served

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]


@pytest.mark.parametrize("path", EVERY)
def test_head_says_what_get_says_and_nothing_is_cached_for_others(app: Served, path: str) -> None:
    whole = address(path, **ASKED[path.removesuffix(".csv")])
    status, headers, body = ask(app, whole)
    head_status, head, nothing = ask(app, whole, "HEAD")
    assert (status, head_status, nothing) == (200, 200, b"")
    assert body
    changing = {"date"}
    assert {k: v for k, v in headers.items() if k not in changing} == {
        k: v for k, v in head.items() if k not in changing
    }
    assert headers["cache-control"] == "private, no-cache"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
def test_nothing_but_get_and_head_is_answered(app: Served, method: str) -> None:
    for path in ("/experiments", "/nowhere"):
        status, headers, body = ask(app, path, method)
        assert status == 405
        assert headers["allow"] == "GET, HEAD"
        assert sentence(body).startswith("Nothing is changed here")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "",
     "localhost@evil.example", "localhost, evil.example", "localhost/", "[::1", "local host"],
)  # fmt: skip
def test_another_hosts_name_is_refused(app: Served, host: str) -> None:
    status, _, body = ask(app, "/experiments", Host=host)
    assert status == 400
    assert b"exp-2025" not in body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:8"])
def test_loopbacks_names_are_right(app: Served, host: str) -> None:
    assert ask(app, "/experiments", Host=host)[0] == 200


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/..", "//", "/etc",
     "/static/", "/static/serve.css/", "/experiments/", "/experiments.csv/", "/task/nothing",
     "/%00", "/\\..\\app.py", "/static/%252e%252e/app.py", "/report/", "/.git/config"],
)  # fmt: skip
def test_what_is_no_page_is_not_there(app: Served, path: str) -> None:
    status, _, body = ask(app, path)
    assert status == 404
    assert sentence(body) == "There is no page at this address."


@pytest.mark.parametrize(
    ("path", "parameters", "status", "told"),
    [
        ("/experiment", {}, 400, "does not say which id"),
        ("/experiment", {"id": "exp-2025-01-01"}, 404, "did you mean exp-2025-01-001"),
        ("/experiment", {"id": SAMPLE, "version": "9"}, 400, "no such candidate"),
        ("/experiment", {"id": "a\0b"}, 400, "no text has"),
        ("/experiment", {"id": "x" * 3000}, 400, "longer than"),
        ("/experiments", {"verdict": "maybe"}, 400, "verdict is one of"),
        ("/experiments", {"since": "yesterday"}, 400, "a day such as"),
        ("/experiments", {"since": "2025-02-30"}, 400, "a day such as"),
        ("/experiments", {"until": "9999-12-31"}, 400, "a day such as"),
        ("/experiments", {"sort": "headline; drop table"}, 400, "no column"),
        ("/experiments", {"after": "x"}, 400, "no place"),
        ("/experiments", {"after": "[" * 5000}, 400, "no place"),
        (
            "/experiments",
            {"sort": "improvement_pct", "after": '["1e999","a","b","c"]'},
            400,
            "no p",
        ),
        ("/experiments", {"sort": "total_tasks", "after": '[1e300,"a","b","c"]'}, 400, "no place"),
        ("/experiments", {"after": '["soon","a","b","c"]'}, 400, "no place"),
        ("/experiments", {"after": '[null,"a\\u0000","b","c"]'}, 400, "no place"),
        ("/tasks", {"experiment": "one-arm-x"}, 404, "no experiment"),
        ("/tasks", {**OF, "segment": "colour:red"}, 400, "KIND:NAME"),
        ("/tasks", {**OF, "show": "all"}, 400, "show is one of"),
        ("/task", {**OF, "task": "nothing"}, 404, "no task"),
        ("/agent", {"name": "nobody"}, 404, "no agent"),
        ("/agent", {"name": "feature_dev", "metric": "x"}, 400, "metric is one of"),
        ("/compare", {"a": SAMPLE, "b": '["a"]'}, 400, "is an experiment, or a list"),
        ("/compare", {"a": SAMPLE, "b": '["a","\\ud800","c"]'}, 400, "is an experiment, or a list"),
        ("/load", {"id": "99"}, 404, "no load 99"),
        ("/load", {"id": "²"}, 400, "whole number"),
        ("/load", {"id": "9" * 40}, 400, "whole number"),
        ("/metrics", {"experiment": "nothing"}, 404, "no experiment"),
        ("/report", {"id": "--help"}, 404, "no experiment"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(
    app: Served, path: str, parameters: dict[str, str], status: int, told: str
) -> None:
    found, _, body = ask(app, address(path, **parameters))
    assert found == status, body
    assert told.lower() in sentence(body).lower()


def test_a_parameter_said_twice_is_refused(app: Served) -> None:
    assert ask(app, "/experiments?q=a&q=b")[0] == 400


@pytest.mark.parametrize(
    "sort", ["improvement_pct", "-improvement_pct", "experiment_id", "-last_recorded_at"]
)
def test_every_page_forwards_and_back_is_every_row_once(
    app: Served, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # over a socket a page has a hundred rows, so here the same with few
    import psycopg

    from loader.marts import listing
    from loader.marts.lists import EXPERIMENTS
    from loader.marts.reading import reading

    monkeypatch.setattr(listing, "MOST_ROWS", 3)
    none = dict.fromkeys(("search", "agent", "verdict", "since", "until"))
    order = listing.Order(sort.removeprefix("-"), sort.startswith("-"))
    expected = table(app, "/experiments", sort=sort)

    def place(row: dict[str, object]) -> listing.Place:
        return listing.Place(row[order.column], [str(row[name]) for name in EXPERIMENTS.key])  # type: ignore[arg-type]

    with psycopg.connect(app.database) as connection, reading(connection):
        rows: list[dict[str, object]] = []
        found = listing.page(connection, EXPERIMENTS, none, order)
        assert not found.has_before
        rows += found.table.records()
        while found.has_after:
            found = listing.page(connection, EXPERIMENTS, none, order, place(rows[-1]))
            rows += found.table.records()
            assert found.has_before
        assert found.total == len(rows) == len(expected)
        back = [rows[-1]]
        found = listing.page(connection, EXPERIMENTS, none, order, None, place(back[0]))
        back = found.table.records() + back
        while found.has_before:
            found = listing.page(connection, EXPERIMENTS, none, order, None, place(back[0]))
            back = found.table.records() + back
    names = [(row["experiment_id"], row["candidate_version"]) for row in rows]
    assert len(set(names)) == len(names)
    assert [(row["experiment_id"], row["candidate_version"]) for row in back] == names
    assert [str(row["improvement_pct"]) for row in rows] == [
        row["improvement_pct"] or "None" for row in expected
    ]


@pytest.mark.parametrize(
    ("show", "condition"),
    [
        ("flipped", "baseline_passed != candidate_passed"),
        ("broke", "baseline_passed and not candidate_passed"),
        ("mended", "candidate_passed and not baseline_passed"),
        ("worse", "winner = 'baseline'"),
        ("better", "winner = 'candidate'"),
        ("failed", "not candidate_success"),
        ("missing", "not_comparable_reason is not null"),
    ],
)
def test_a_filter_of_tasks_lists_what_the_mart_has(app: Served, show: str, condition: str) -> None:
    expected = {
        name
        for (name,) in served.rows_of(
            app.database,
            "select task_id from evals.evaluation_comparison_view"
            f" where experiment_id = '{TALK}' and {condition}",
        )
    }
    found = table(app, "/tasks", **OF, show=show)
    assert expected, "nothing to tell apart"
    assert len(found) == len(expected)
    plain = {row["task_id"] for row in found if row["task_id"] in expected}
    assert len(expected - plain) == sum(row["task_id"][:1] == "'" for row in found)


def test_a_segment_has_as_many_tasks_as_its_verdict_says(app: Served) -> None:
    found = served.rows_of(
        app.database,
        "select experiment_id, candidate_group, candidate_version, segment_kind, segment, n_tasks"
        " from evals.experiment_segment_comparisons where metric = 'accuracy'"
        " and experiment_id = any(%(names)s)",
        {"names": [TALK, SAMPLE]},
    )
    assert len(found) > 8
    for experiment, group, version, kind, name, tasks in found:
        rows = table(
            app, "/tasks", experiment=experiment, group=group, version=version,
            segment=f"{kind}:{name}",
        )  # fmt: skip
        assert len(rows) == tasks, (kind, name)


def test_a_search_takes_wildcards_for_what_they_are(app: Served) -> None:
    names = [row["task_id"] for row in table(app, "/tasks", **OF)]
    for part in ("%", "_", "\\", "plain-1", "PLAIN-1"):
        found = [row["task_id"] for row in table(app, "/tasks", **OF, q=part)]
        assert sorted(found) == sorted(n for n in names if part.lower() in n.lower()), part
        assert 0 < len(found) < len(names)


def test_a_table_of_a_page_leads_no_spreadsheet_astray(app: Served) -> None:
    text = ask(app, address("/tasks.csv", **OF))[2].decode()
    for row in csv.reader(io.StringIO(text)):
        assert not row[0].startswith(("=", "+", "@", "-", "\t", "\r")), row[0]


def test_every_link_of_every_page_leads_somewhere(app: Served) -> None:
    seen: set[str] = set()
    waiting = [address(path, **ASKED[path]) for path in PAGES]
    while waiting and len(seen) < 400:
        here = waiting.pop(0)
        if here in seen:
            continue
        seen.add(here)
        status, headers, body = ask(app, here)
        assert status == (302 if here == "/" else 200), (here, body[-500:])
        if here.count("after") + here.count("sort=") == 0 and "html" in headers.get(
            "content-type", ""
        ):
            links = re.findall(r'(?:href|src)="(/[^"]*)"', body.decode())
            new = [link.replace("&amp;", "&").partition("#")[0] for link in links]
            kinds = {}
            for link in new:
                kinds.setdefault((urlsplit(link).path, *parse_qs(urlsplit(link).query)), link)
            waiting += [link for link in kinds.values() if not link.startswith("/report")]
    assert len(seen) > 60


def test_a_task_says_everything_of_its_runs(app: Served) -> None:
    text = page(app, "/task", **OF, task=TASK)
    for told in (
        "<ins>", "<del>", "baseline, run 2", "traces.example/code-chef/1", "made &lt;up&gt;", "ana",
        "Reference", "user: plain-8 &lt;b&gt;please&lt;/b&gt;", "&lt;i&gt;well&lt;/i&gt; done",
    ):  # fmt: skip
        assert told in text, told
    again = page(app, "/task", **OF, task=served.RE_SCORED)
    assert "scored</b> <bdi>2 times" in again
    assert "What was believed, and when" in again


def test_the_numbers_of_a_page_are_those_of_the_marts(app: Served) -> None:
    ((gain, low, high, total, wins),) = served.rows_of(
        app.database,
        "select improvement_pct, improvement_low_pct, improvement_high_pct, total_tasks,"
        f" candidate_wins from evals.experiment_summaries where experiment_id = '{SAMPLE}'",
    )
    text = page(app, "/experiment", id=SAMPLE)
    assert f">{gain:+.1f} points<" in text
    assert f"{low:+.1f} … {high:+.1f}" in text
    assert f"the candidate won {wins}" in text
    assert f"of the {total} tasks" in text
    for metric, mean, pairs in served.rows_of(
        app.database,
        "select metric, candidate_mean, n_pairs from evals.experiment_metric_comparisons"
        f" where experiment_id = '{SAMPLE}' and kind = 'score'",
    ):
        row = text[text.index(f"<bdi>{metric}</bdi><small>") :].partition("</tr>")[0]
        assert f">{mean:.3f}<" in row, metric
        assert f"{pairs} pairs" in row, metric


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/tasks", f"evaluation_comparison_view where experiment_id = '{TALK}'"),
        ("/alerts", "metric_alerts"),
        ("/loads", "load_history"),
        ("/agent/versions", "version_trends where agent_name = 'feature_dev'"),
        ("/experiment/metrics", f"experiment_metric_comparisons where experiment_id = '{SAMPLE}'"),
        ("/experiment/segments", f"experiment_segment_verdicts where experiment_id = '{SAMPLE}'"),
        ("/experiment/arms", f"arm_summaries where experiment_id = '{SAMPLE}'"),
    ],
)
def test_a_table_has_every_row_of_its_mart(app: Served, path: str, count: str) -> None:
    ((rows,),) = served.rows_of(app.database, f"select count(*) from evals.{count}")
    assert len(table(app, path, **ASKED[path])) == rows > 0


def test_a_report_is_whole_and_runs_nothing_of_anybody_elses(app: Served) -> None:
    status, headers, body = ask(app, address("/report", id=SAMPLE))
    assert status == 200
    assert b"<title>exp-2025-01-001" in body
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "script-src 'unsafe" not in policy
