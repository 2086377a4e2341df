"""A stand-in for LangSmith on a real socket, written from its OpenAPI document.

It holds datasets, examples, sessions (projects), runs and feedback in memory, takes what
the langsmith SDK sends (also as multipart), answers both run queries, and misbehaves on
request: see `Fault`. It is as strict as the service where that has bitten somebody.

As a program it fills itself, prints its address, and serves until it is killed:
    python tests/support/langsmith_server.py --runs 10000 --feedback 4
"""

from __future__ import annotations

import argparse
import re
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from langsmith_handler import Handler, now
from langsmith_runs import Usage, instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

Row = dict[str, Any]
KEY = "lsv2_pt_0123456789abcdef_stand_in"


@dataclass
class Fault:
    """Misbehaviour on the requests in whose path `path` is found, a regular expression.

    The first `after` such requests are served, the next `times` go wrong: by `status`
    with `headers` and `body`, or by `act`: reset, hang, truncate.
    """

    path: str
    after: int = 0
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"detail": "out of order"}'
    act: str = ""
    seen: int = 0

    def strikes(self, path: str) -> bool:
        """Count a request; say whether it goes wrong."""
        if not re.search(self.path, path):
            return False
        self.seen += 1
        return self.after < self.seen <= self.after + self.times


class LangSmithServer:
    """The stand-in; a context manager that serves in threads."""

    def __init__(self, backend: str = "dual", flags: Row | None = None) -> None:
        self.backend = backend
        self.flags = (
            {"ch_query_enabled": backend != "v2", "sdb_query_enabled": backend != "v1"}
            if flags is None
            else flags
        )
        self.version = "0.16.2"
        self.key = KEY
        self.workspaces: list[Row] = []
        self.needs_workspace = False
        self.naive_times = True
        self.not_in_v2: set[str] = set()
        self.cost_form: Callable[[Any], Any] = lambda cost: cost
        self.datasets: dict[str, Row] = {}
        self.examples: dict[str, Row] = {}
        self.sessions: dict[str, Row] = {}
        self.runs: dict[str, Row] = {}
        self.feedback: dict[str, Row] = {}
        self.configs: dict[str, Row] = {}
        self.heeds_keys = True
        self.comparisons: dict[str, Row] = {}
        self.faults: list[Fault] = []
        self.log: list[tuple[str, str]] = []
        self.bodies: list[Row] = []
        self.on_request: Callable[[str], None] = lambda _path: None
        self.repeat_rows = False
        self.lock = threading.RLock()
        self.released = threading.Event()
        self._orders: dict[tuple[str, int], list[Row]] = {}
        handler = type("BoundHandler", (Handler,), {"stand_in": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()

    def counts(self) -> Counter[str]:
        """Count the requests served so far by route, ids left out."""
        return Counter(re.sub(r"[0-9a-f-]{36}", "*", path) for _, path in self.log)

    # ---- filling ----

    def add_dataset(self, name: str) -> Row:
        return self.store_dataset({"name": name})

    def store_dataset(self, body: Row) -> Row:
        row = {
            "id": str(body.get("id") or uuid.uuid4()), "name": body["name"],
            "description": body.get("description"), "data_type": "kv",
            "tenant_id": str(uuid.uuid4()), "created_at": now(), "modified_at": now(),
            "example_count": 0, "session_count": 0,
        }  # fmt: skip
        self.datasets[row["id"]] = row
        return row

    def counted(self, dataset: Row) -> Row:
        """Return a dataset with what the service counts of it."""
        examples = [row["dataset_id"] for row in self.examples.values()]
        begun = [
            row["start_time"] for row in self.sessions.values()
            if row["reference_dataset_id"] == dataset["id"]
        ]  # fmt: skip
        return {
            **dataset, "example_count": examples.count(dataset["id"]),
            "session_count": len(begun), "last_session_start_time": max(begun, default=None),
        }  # fmt: skip

    def add_example(self, dataset: Row, inputs: Row, outputs: Row, metadata: Row) -> Row:
        row = {
            "id": str(uuid.uuid4()), "dataset_id": dataset["id"], "name": "example",
            "inputs": inputs, "outputs": outputs, "metadata": metadata,
            "created_at": now(), "modified_at": now(),
        }  # fmt: skip
        self.examples[row["id"]] = row
        return row

    def add_session(self, name: str, **given: Any) -> Row:  # noqa: ANN401
        row = {
            "id": str(given.pop("id", None) or uuid.uuid4()), "name": name,
            "start_time": given.pop("start_time", None) or now(), "end_time": None,
            "extra": None, "reference_dataset_id": None, "trace_tier": "shortlived",
            "tenant_id": str(uuid.uuid4()), "description": None, "default_dataset_id": None,
            **given,
        }  # fmt: skip
        self.sessions[row["id"]] = row
        return row

    def add_run(self, session: Row, start: datetime | None = None, **given: Any) -> Row:  # noqa: ANN401
        begin = start or datetime.now(UTC)
        seconds = given.pop("seconds", 1.5)
        run_id = str(given.pop("id", None) or uuid.uuid4())
        row = {
            "id": run_id, "trace_id": run_id, "session_id": session["id"], "name": "Target",
            "run_type": "chain", "parent_run_id": None, "status": "success", "error": None,
            "start_time": begin.isoformat(),
            "end_time": (begin + timedelta(seconds=seconds)).isoformat(),
            "extra": {"metadata": {}}, "reference_example_id": None, "tags": None,
            "total_tokens": 100, "prompt_tokens": 60, "completion_tokens": 40,
            "total_cost": 0.001, "inputs": {"question": "private"}, "outputs": {"answer": "yes"},
            **given,
        }  # fmt: skip
        if row["status"] == "pending":
            row["end_time"] = None
        with self.lock:
            self.runs[run_id] = row
            self._orders.clear()
        return row

    def add_feedback(self, run: Row | None, key: str, score: Any = None, **given: Any) -> Row:  # noqa: ANN401
        source = {"type": given.pop("source", "model"), "metadata": given.pop("about", {})}
        row = {
            "id": str(given.pop("id", None) or uuid.uuid4()), "key": key, "score": score,
            "value": None, "comment": None, "correction": None, "extra": None,
            "run_id": run["id"] if run else None,
            "session_id": run["session_id"] if run else given.pop("session_id"),
            "comparative_experiment_id": None,
            "created_at": now(), "modified_at": now(), "feedback_source": source, **given,
        }  # fmt: skip
        with self.lock:
            self.feedback[row["id"]] = row
            self._orders.clear()
        return row

    def remove_run(self, run_id: str) -> Row:
        """Delete a run with its feedback, as somebody does on the service's page."""
        with self.lock:
            self._orders.clear()
            for row in [row for row in self.feedback.values() if row["run_id"] == run_id]:
                del self.feedback[row["id"]]
            return self.runs.pop(run_id)

    def remove_feedback(self, row_id: str) -> Row:
        """Delete a feedback row."""
        with self.lock:
            self._orders.clear()
            return self.feedback.pop(row_id)

    def add_config(self, key: str, lower: bool | None = False, **config: Any) -> Row:  # noqa: ANN401
        """Say what a key means; `config` holds type, min, max, categories."""
        row = {
            "feedback_key": key, "is_lower_score_better": lower, "modified_at": now(),
            "tenant_id": str(uuid.uuid4()),
            "feedback_config": {"min": None, "max": None, "categories": None, **config},
        }  # fmt: skip
        self.configs[key] = row
        return row

    # ---- reading ----

    def ordered(self, what: str, key: Callable[[Row], Any]) -> list[Row]:
        """Return rows newest first; sorted once as long as nothing changes."""
        rows: dict[str, Row] = getattr(self, what)
        with self.lock:
            cached = self._orders.get((what, len(rows)))
            if cached is None:
                cached = sorted(rows.values(), key=key, reverse=True)
                self._orders[what, len(rows)] = cached
            return cached

    def session_feedback(self, session_id: str | None) -> list[Row]:
        """Return the feedback of a session, newest first; of all without one."""
        rows = self.ordered("feedback", lambda row: (row["created_at"], row["id"]))
        with self.lock:
            cached = self._orders.get((f"feedback of {session_id}", len(rows)))
            if cached is None:
                cached = [row for row in rows if session_id in (None, row["session_id"])]
                self._orders[f"feedback of {session_id}", len(rows)] = cached
            return cached

    def runs_of(self, session_ids: list[str], *, is_root: bool | None = True) -> list[Row]:
        """Return the root runs of a session, those below them, or all, newest first."""
        rows = self.ordered("runs", _newness)
        # several sessions in one query: only the first is honoured
        return [
            run for run in rows
            if run["session_id"] == session_ids[0]
            and is_root in {None, not run.get("parent_run_id")}
        ]  # fmt: skip

    def ancestors(self, run: Row) -> list[str]:
        """Return the ids of the runs above one, the root first."""
        found: list[str] = []
        parent = run.get("parent_run_id")
        while parent:
            found.insert(0, parent)
            parent = self.runs[parent].get("parent_run_id")
        return found

    def stats(self, session: Row) -> Row:
        runs = self.runs_of([session["id"]])
        usage = Usage(self.runs.values(), is_whole=True)
        rows = [row for row in self.feedback.values() if row["session_id"] == session["id"]]
        last = runs[0]["start_time"] if runs else None
        return {
            **session, "run_count": len(runs), "last_run_start_time": last,
            "total_tokens": sum(usage.of(run, "total_tokens") or 0 for run in runs),
            "feedback_stats": feedback_stats(row for row in rows if row["run_id"]),
            "session_feedback_stats": feedback_stats(row for row in rows if not row["run_id"]),
            "total_cost": "0.001",
        }  # fmt: skip


def feedback_stats(rows: Iterable[Row]) -> Row | None:
    """Return what the service says of feedback: by key, rows, mean, labels."""
    keys: Row = {}
    scores: dict[str, list[float]] = {}
    for row in rows:
        said = keys.setdefault(row["key"], {"n": 0, "avg": None, "values": {}})
        said["n"] += 1
        if isinstance(row["value"], str):
            said["values"][row["value"]] = said["values"].get(row["value"], 0) + 1
        if row["score"] is not None:
            scores.setdefault(row["key"], []).append(row["score"])
    for key, known in scores.items():
        keys[key]["avg"] = sum(known) / len(known)
    return keys or None


def _newness(run: Row) -> tuple[datetime, str]:
    """Return what runs are sorted by; one without a start is the oldest."""
    start = run["start_time"]
    return instant(start) if start else datetime.min.replace(tzinfo=UTC), run["id"]


def fill(
    server: LangSmithServer, runs: int, feedback: int, name: str = "large", output_bytes: int = 3
) -> Row:
    """Add a project of so many runs with so many feedback rows each."""
    outputs = {"answer": "y" * output_bytes}
    session = server.add_session(
        name, extra={"metadata": {"experiment_group": "code-chef", "extension_version": "1.0.0"}}
    )
    begin = datetime.now(UTC) - timedelta(hours=6)
    for number in range(runs):
        run = server.add_run(
            session,
            begin + timedelta(seconds=number),
            extra={"metadata": {"task_id": f"t{number}"}},
            outputs=outputs,
        )
        for key in range(feedback):
            server.add_feedback(run, f"metric_{key}", (number + key) % 10 / 10, comment="because")
    return session


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--feedback", type=int, default=4)
    parser.add_argument("--output-bytes", type=int, default=3)
    options = parser.parse_args()
    with LangSmithServer() as running:
        fill(running, options.runs, options.feedback, output_bytes=options.output_bytes)
        print(running.url, flush=True)  # noqa: T201
        while True:
            time.sleep(60)
