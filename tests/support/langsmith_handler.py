"""The routes of the stand-in for LangSmith: what each request does to its store."""

from __future__ import annotations

import re
import socket
import struct
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from langsmith_datasets import selected, splits_of
from langsmith_runs import USAGE, Refused, Usage, asked_v1, asked_v2, instant, shown_v2

if TYPE_CHECKING:
    from langsmith_server import Fault, LangSmithServer

Row = dict[str, Any]


class Handler(BaseHTTPRequestHandler):
    """One connection; routes to the methods named by `ROUTES`."""

    stand_in: LangSmithServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments: object) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        self.serve("GET")

    def do_POST(self) -> None:
        self.serve("POST")

    def do_PATCH(self) -> None:
        self.serve("PATCH")

    def serve(self, method: str) -> None:
        parts = urlsplit(self.path)
        path = re.sub(r"^/api(/v1)?(?=/(?!v2/))", "", parts.path)
        self.query = parse_qs(parts.query)
        self.raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.stand_in.lock:
            self.stand_in.log.append((method, path))
            struck = next((f for f in self.stand_in.faults if f.strikes(path)), None)
        if struck and self.misbehave(struck):
            return
        self.stand_in.on_request(path)
        if self.headers.get("x-api-key") != self.stand_in.key:
            self.answer({"detail": f"Invalid token {self.headers.get('x-api-key')}"}, 401)
            return
        if self.stand_in.needs_workspace and not self.headers.get("X-Tenant-Id"):
            # as the service: a key of the whole organisation is of no workspace
            self.answer({"error": "org_scoped_key_requires_workspace"}, 403)
            return
        for verb, pattern, name in ROUTES:
            found = re.fullmatch(pattern, path)
            if verb == method and found:
                with self.stand_in.lock:
                    getattr(self, name)(*found.groups())
                return
        self.answer({"detail": "Not Found"}, 404)

    def misbehave(self, fault: Fault) -> bool:
        """Do what the fault says; False when the answer is only to be cut short."""
        # what closes after a whole answer without a word may cost its client the next request, too
        self.close_connection = fault.act in {"reset", "hang", "truncate"}
        if fault.act == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif fault.act == "hang":
            self.stand_in.released.wait(20)
        elif fault.act == "truncate":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "4000")
            self.end_headers()
            self.wfile.write(b'{"items": [{"id": "')
        else:
            self.answer(fault.body, fault.status, fault.headers)
        return True

    def answer(self, body: object, status: int = 200, headers: Row | None = None) -> None:
        encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def json(self) -> Row:
        body: Row = msgspec.json.decode(self.raw or b"{}")
        self.stand_in.bodies.append(body)
        return body

    def one(self, name: str) -> str | None:
        return self.query.get(name, [None])[0]

    def page(self, rows: list[Row]) -> list[Row]:
        offset, limit = int(self.one("offset") or 0), int(self.one("limit") or 100)
        return rows[offset : offset + limit]

    # ---- routes ----

    def info(self) -> None:
        self.answer({
            "version": self.stand_in.version, "instance_flags": self.stand_in.flags,
            "batch_ingest_config": {
                "use_multipart_endpoint": True, "scale_up_qsize_trigger": 1000,
                "scale_up_nthreads_limit": 16, "scale_down_nempty_trigger": 4,
                "size_limit": 100, "size_limit_bytes": 20971520,
            },
        })  # fmt: skip

    def list_workspaces(self) -> None:
        self.answer(self.stand_in.workspaces)

    def list_sessions(self) -> None:
        rows = sorted(
            self.stand_in.sessions.values(),
            key=lambda s: instant(s["start_time"] or "0001-01-01"),
            reverse=True,
        )
        name, dataset = self.one("name"), self.one("reference_dataset")
        rows = [
            row for row in rows
            if (name is None or row["name"] == name)
            and (dataset is None or row["reference_dataset_id"] == dataset)
        ]  # fmt: skip
        with_stats = self.one("include_stats") in {"true", "True"}
        self.answer([self.stand_in.stats(r) if with_stats else r for r in self.page(rows)])

    def read_session(self, session_id: str) -> None:
        row = self.stand_in.sessions.get(session_id)
        self.answer(self.stand_in.stats(row) if row else {"detail": "?"}, 200 if row else 404)

    def create_session(self) -> None:
        body = self.json()
        self.answer(self.stand_in.add_session(body.pop("name"), **body))

    def update_session(self, session_id: str) -> None:
        changes = {name: value for name, value in self.json().items() if value is not None}
        self.stand_in.sessions[session_id].update(changes)
        self.answer(self.stand_in.sessions[session_id])

    def list_datasets(self) -> None:
        name, wanted = self.one("name"), self.query.get("id")
        part = (self.one("name_contains") or "").casefold()
        rows = [
            self.stand_in.counted(row) for row in self.stand_in.datasets.values()
            if (name is None or row["name"] == name) and (not wanted or row["id"] in wanted)
            and part in row["name"].casefold()
        ]  # fmt: skip
        column = self.one("sort_by") or "last_session_start_time"
        rows.sort(
            key=lambda row: str(row[column] or ""), reverse=self.one("sort_by_desc") != "false"
        )
        self.answer(self.page(rows))

    def create_dataset(self) -> None:
        self.answer(self.stand_in.store_dataset(self.json()))

    def read_dataset(self, dataset_id: str) -> None:
        self.answer(self.stand_in.datasets[dataset_id])

    def examples(self) -> list[Row]:
        return selected(list(self.stand_in.examples.values()), self.query, instant)

    def list_examples(self) -> None:
        self.answer(self.page(self.examples()))

    def count_examples(self) -> None:
        self.answer(len(self.examples()))

    def list_splits(self, dataset_id: str) -> None:
        self.query["dataset"] = [dataset_id]
        self.answer(sorted({split for row in self.examples() for split in splits_of(row)}))

    def list_versions(self, dataset_id: str) -> None:
        self.answer(self.page(self.stand_in.datasets[dataset_id].get("versions", [])))

    def read_feedback(self, feedback_id: str) -> None:
        row = self.stand_in.feedback.get(feedback_id)
        self.answer(row or {"detail": "Feedback not found"}, 200 if row else 404)

    def update_feedback(self, feedback_id: str) -> None:
        self.stand_in.feedback[feedback_id].update(self.json(), modified_at=now())
        self.answer(self.stand_in.feedback[feedback_id])

    def query_v1(self) -> None:
        if self.stand_in.backend == "v2":
            self.answer({"detail": "v1 run queries are not available here"}, 501)
            return
        body = self.json()
        try:
            rows = asked_v1(self.stand_in.runs_of, body)
        except Refused as reason:
            self.answer({"detail": str(reason)}, 400)
            return
        items, cursor = self.slice(rows, body.get("cursor"), body.get("limit", 100))
        self.usage = Usage(self.stand_in.runs.values(), is_whole=True)
        runs = [{name: self.v1_value(run, name) for name in body["select"]} for run in items]
        self.answer({"runs": runs, "cursors": {"next": cursor, "prev": None}})

    def v1_value(self, run: Row, name: str) -> object:
        value = run.get(name)
        if name in USAGE:
            value = self.usage.of(run, name)
        if name in {"start_time", "end_time"} and value and self.stand_in.naive_times:
            return instant(value).replace(tzinfo=None).isoformat()
        return self.stand_in.cost_form(value) if name == "total_cost" else value

    def query_v2(self) -> None:
        if self.stand_in.backend == "v1":
            self.answer({"detail": "Not Found"}, 404)
            return
        body = self.json()
        try:
            rows = asked_v2(self.stand_in.runs_of, body)
            rows = [run for run in rows if run["id"] not in self.stand_in.not_in_v2]
        except Refused as reason:
            self.answer({"title": "Bad Request", "status": 400, "detail": str(reason)}, 400)
            return
        items, cursor = self.slice(rows, body.get("cursor"), body.get("page_size", 100))
        selects = body.get("selects") or ["ID"]
        is_whole = body.get("include_subtree_usage", False)
        self.usage = Usage(self.stand_in.runs.values(), is_whole=is_whole)
        runs = [{name.lower(): self.v2_value(run, name) for name in selects} for run in items]
        page: Row = {"items": runs, "has_more": cursor is not None}
        self.answer({**page, "next_cursor": cursor} if cursor else page)

    def v2_value(self, run: Row, name: str) -> object:
        if name == "PARENT_RUN_IDS":
            return self.stand_in.ancestors(run)
        if name.lower() in USAGE:
            run = {**run, **{one: self.usage.of(run, one) for one in (name.lower(), "total_cost")}}
        return shown_v2(run, name)

    def slice(self, rows: list[Row], cursor: str | None, size: int) -> tuple[list[Row], str | None]:
        """Cut a page after the run that the cursor names, as keyset paging does."""
        begin = 0
        if cursor:
            ids = [row["id"] for row in rows]
            begin = ids.index(cursor) + 1
            if self.stand_in.repeat_rows:
                begin -= 1
        items = rows[begin : begin + size]
        return items, items[-1]["id"] if begin + size < len(rows) else None

    def list_feedback(self) -> None:
        # as the service: without a filter, the whole workspace
        rows = self.stand_in.session_feedback(self.one("session"))
        runs, since = self.query.get("run"), self.one("min_created_at")
        if runs:
            rows = [row for row in rows if row["run_id"] in runs]
        if since:
            rows = [row for row in rows if instant(row["created_at"]) >= instant(since)]
        self.answer(self.page(rows))

    def create_feedback(self) -> None:
        self.keep_feedback(self.json())
        self.answer({})

    def keep_feedback(self, body: Row) -> None:
        score = body.get("score")
        if isinstance(score, float):
            body["score"] = round(score, 4)
        extra = body.get("extra")
        if body.pop("error", None):
            extra = {**(extra or {}), "error": True}
        run = self.stand_in.runs.get(body.get("run_id") or "")
        session = run["session_id"] if run else body.get("session_id")
        config = body.pop("feedback_config", None)
        if config and body["key"] not in self.stand_in.configs:
            self.stand_in.add_config(body["key"], **config)
        absent = ("score", "value", "comment", "correction", "run_id")
        of_pairs = ("comparative_experiment_id", "feedback_group_id")
        self.stand_in.feedback[body["id"]] = {
            **dict.fromkeys((*absent, *of_pairs)), **body, "session_id": session, "extra": extra,
            "created_at": now(), "modified_at": now(),
        }  # fmt: skip

    def list_configs(self) -> None:
        wanted = self.query.get("key", [])
        if len(wanted) > 50 or int(self.one("limit") or 100) > 100:
            self.answer({"detail": "too many"}, 422)
            return
        rows = [self.stand_in.configs[key] for key in sorted(self.stand_in.configs)]
        wanted = wanted if self.stand_in.heeds_keys else []
        self.answer(self.page([row for row in rows if not wanted or row["feedback_key"] in wanted]))

    def create_config(self) -> None:
        body = self.json()
        lower = body.get("is_lower_score_better") or False
        self.answer(
            self.stand_in.add_config(body["feedback_key"], lower, **body["feedback_config"])
        )

    def create_comparison(self) -> None:
        body = self.json()
        sessions = [self.stand_in.sessions[session_id] for session_id in body["experiment_ids"]]
        row = {
            **body, "tenant_id": sessions[0]["tenant_id"], "modified_at": now(),
            "experiments_info": [{"id": row["id"], "name": row["name"]} for row in sessions],
        }  # fmt: skip
        self.stand_in.comparisons[row["id"]] = row
        self.answer(row)

    def ingest_multipart(self) -> None:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        for part in message_from_bytes(head + self.raw).walk():
            name = part.get_param("name", header="content-disposition")
            if not isinstance(name, str):
                continue
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            value = msgspec.json.decode(payload)
            event, row_id, *rest = name.split(".")
            if event == "feedback":
                self.keep_feedback(value)
            else:
                self.keep_run(row_id, {rest[0]: value} if rest else value, event)
        self.answer({"message": "accepted"}, 202)

    def keep_run(self, run_id: str, value: Row, event: str) -> None:
        row = self.stand_in.runs.setdefault(run_id, {"id": run_id})
        # an end may come before the beginning, which names the session and has no outputs yet
        known = {n for n, held in row.items() if held} if event == "post" else ()
        row.update({n: given for n, given in value.items() if given is not None and n not in known})
        by_name = {s["name"]: s["id"] for s in self.stand_in.sessions.values()}
        if not row.get("session_id"):
            row["session_id"] = by_name.get(row.get("session_name", ""), "")
        row["status"] = (
            "error" if row.get("error") else "success" if row.get("end_time") else "pending"
        )


ROUTES = (
    ("GET", "/info", "info"),
    ("GET", "/workspaces", "list_workspaces"),
    ("GET", "/sessions", "list_sessions"),
    ("POST", "/sessions", "create_session"),
    ("GET", "/sessions/([^/]+)", "read_session"),
    ("PATCH", "/sessions/([^/]+)", "update_session"),
    ("GET", "/datasets", "list_datasets"),
    ("POST", "/datasets", "create_dataset"),
    ("POST", "/datasets/comparative", "create_comparison"),
    ("GET", "/datasets/([^/]+)", "read_dataset"),
    ("GET", "/datasets/([^/]+)/splits", "list_splits"),
    ("GET", "/datasets/([^/]+)/versions", "list_versions"),
    ("GET", "/examples", "list_examples"),
    ("GET", "/examples/count", "count_examples"),
    ("POST", "/runs/query", "query_v1"),
    ("POST", "/api/v2/runs/query", "query_v2"),
    ("POST", "/runs/multipart", "ingest_multipart"),
    ("GET", "/feedback", "list_feedback"),
    ("POST", "/feedback", "create_feedback"),
    ("GET", "/feedback/([^/]+)", "read_feedback"),
    ("PATCH", "/feedback/([^/]+)", "update_feedback"),
    ("GET", "/feedback-configs", "list_configs"),
    ("POST", "/feedback-configs", "create_config"),
)


def now(days: float = 0) -> str:
    """Return the time so many days from now, ISO, UTC."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()
