"""The app as people start it, on a warehouse that has something of everything."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import psycopg

import servers
from hostile_texts import hostile_texts
from loader.serve.app import LISTS, PAGES, TABLES
from loader.sources.sample import write_sample
from sample_marts import build, ingest, loader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TALK = "talk"
"""An experiment with texts, comments, errors, repetitions, and ids that are hostile."""
TASK = "plain-8"
RE_SCORED = "plain-9"
_WORDS = ("agent", "reads", "file", "then", "edits", "and", "runs", "tests", "before", "it", "says")


class Served(NamedTuple):
    """A server that answers."""

    url: str
    """Without a slash at the end."""
    database: str
    process: subprocess.Popen[str]


def records() -> Iterator[dict[str, object]]:
    """Yield experiments of every kind."""
    texts = hostile_texts()
    chance = random.Random(7)  # noqa: S311  the same records each time
    for place, task in enumerate([*texts[:60], *(f"plain-{n}" for n in range(20)), "50%_a\\b"]):
        name = task.replace("\0", "") or "empty"
        for group in ("baseline", "code-chef"):
            if (place % 23 == 5) is (group == "baseline") and place % 23 in {5, 6}:
                continue
            for repetition in (1, 2):
                yield talk(
                    chance,
                    name,
                    group,
                    repetition,
                    fails=chance.random() < 0.1 and name not in {TASK, RE_SCORED},
                )
    for n in range(12):
        yield {**plain("one-arm", f"t{n}", "code-chef"), "scores": {"accuracy": n / 12}}
        for group in ("baseline", "code-chef"):
            yield {**plain("no-pairs", f"{group}-{n}", group), "scores": {"accuracy": n / 12}}
            values = {f"a_long_name_of_a_metric_of_quality_{m}": (n * m % 7) / 7 for m in range(38)}
            yield {
                **plain("forty-metrics", f"t{n}", group),
                "scores": {"accuracy": chance.random(), **values},
                "latency_ms": 100 * chance.random(),
            }
    for n, text in enumerate(texts[::12]):
        yield {
            **plain(text.strip() or "x", f"t{n}", "code-chef"),
            "extension_version": text.strip() or "x",
            "agent_name": text,
            "scores": {"accuracy": 0.5},
        }


def plain(experiment: str, task: str, group: str) -> dict[str, object]:
    """Return what every record has."""
    return {
        "experiment_id": experiment, "task_id": task, "experiment_group": group,
        "extension_version": "1.0.0", "agent_name": "helper", "success": True,
    }  # fmt: skip


def talk(
    chance: random.Random, task: str, group: str, repetition: int, *, fails: bool
) -> dict[str, object]:
    """Return a run with texts."""
    text = " ".join(chance.choice(_WORDS) for _ in range(30))
    record = {
        **plain(TALK, task, group),
        "repetition": repetition,
        "source_run_id": f"{group}-{task[:80]}-{repetition}",
        "latency_ms": 100 + 900 * chance.random(),
        "cost_usd": chance.random() / 100,
        "tokens_used": chance.randint(10, 900),
        "inputs": {"messages": [{"role": "user", "content": f"{task} <b>please</b>"}]},
        "reference_outputs": {"answer": text},
        "trace_url": f"https://traces.example/{group}/{repetition}",
        "success": not fails,
        "metadata": {"category": ["bug", "billing"][len(task) % 2]},
    }
    if fails:
        return {**record, "error_message": f"TimeoutError: {task}\n  at <module>"}
    return {
        **record,
        "outputs": {"answer": f"{text} {task}"},
        "scores": {"accuracy": float(chance.random() > 0.4), "tone": chance.random()},
        "comments": {"accuracy": f"{task}: <i>well</i> done"},
    }


def fill(url: str) -> None:
    """Load and build it all."""
    loader(url, "init")
    with tempfile.TemporaryDirectory() as folder:
        ingest(url, *(path for path in write_sample(Path(folder)) if path.suffix == ".jsonl"))
        path = Path(folder) / "r.jsonl"
        again = Path(folder) / "again.jsonl"
        rows = [json.dumps(record) for record in records()]
        path.write_text("\n".join([*rows, "{broken", json.dumps({"task_id": "x"})]) + "\n", "utf-8")
        changed = [row for row in map(json.loads, rows) if row["task_id"] == RE_SCORED]
        again.write_text(
            "".join(json.dumps({**row, "scores": {"accuracy": 0}}) + "\n" for row in changed)
        )
        loader(url, "ingest", "--with-io", "--file", path)
        loader(url, "ingest", "--with-io", "--file", again)
    loader(
        url, "annotate", "--experiment", TALK, "--task", TASK, "--group", "code-chef", "--key",
        "accuracy", "--score", 0, "--author", "ana", "--reason", "made <up>",
    )  # fmt: skip
    build(url)


@contextmanager
def served(database: str, *options: str, **environment: str) -> Iterator[Served]:
    """Start the command on a free port, and end it as a person would."""
    command = [
        sys.executable, "-P", "-m", "loader", "serve", "--port", "0", "--database-url", database,
        *options,
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("serving http://"), line + process.stderr.read()
        yield Served(line.split()[1].rstrip("/"), database, process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        if process.stderr is not None:
            process.stderr.close()


def warehouse(server: str) -> servers.fresh_database:
    """Return a database with it all, to be entered."""
    return servers.fresh_database(server, servers.template(server, "served", fill))


def rows_of(database: str, query: str, parameters: Mapping[str, object] | None = None) -> list[Any]:
    """Return what a statement finds."""
    with psycopg.connect(database) as connection:
        return connection.execute(query.encode(), parameters).fetchall()


SAMPLE = "exp-2025-01-001"
OF = {"experiment": TALK, "group": "code-chef", "version": "1.0.0"}
ASKED: dict[str, dict[str, str]] = {
    "/experiments": {},
    "/experiment": {"id": SAMPLE},
    "/experiment/beside": {"id": SAMPLE},
    "/experiment/metrics": {"id": SAMPLE},
    "/experiment/segments": {"id": SAMPLE},
    "/experiment/arms": {"id": SAMPLE},
    "/tasks": OF,
    "/task": {**OF, "task": TASK},
    "/task/history": {**OF, "task": TASK},
    "/task/scores": {**OF, "task": TASK},
    "/task/runs": {**OF, "task": TASK},
    "/agents": {},
    "/agent": {"name": "feature_dev"},
    "/agent/versions": {"name": "feature_dev"},
    "/alerts": {},
    "/compare": {"a": SAMPLE, "b": "exp-2024-12-002"},
    "/decisions": {},
    "/decisions/replay": {},
    "/loads": {},
    "/load": {"id": "2"},
    "/load/rejected": {"id": "2"},
    "/metrics": {},
}
"""What each page has to be asked for."""


def ask(
    app: Served, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Send one request as it is written; nothing is followed or put right."""
    place = urlsplit(app.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def address(path: str, **parameters: str) -> str:
    """Return the address of a page."""
    return f"{path}?{urlencode(parameters)}" if parameters else path


def page(app: Served, path: str, **parameters: str) -> str:
    """Return a page, which has to be there."""
    status, _, body = ask(app, address(path, **parameters))
    assert status == 200, body
    return body.decode()


def table(app: Served, path: str, **parameters: str) -> list[dict[str, str]]:
    """Return a table as CSV, which has to be there."""
    status, headers, body = ask(app, address(f"{path}.csv", **parameters))
    assert status == 200, body
    assert headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(body.decode())))


def sentence(body: bytes) -> str:
    """Return what a page of an error says."""
    found = re.search(rb'<p class="lead"><bdi>(.*?)</bdi>', body, re.DOTALL)
    assert found is not None, body
    return found[1].decode()


EVERY = [*PAGES, *(f"{path}.csv" for path in [*LISTS, *TABLES])]
