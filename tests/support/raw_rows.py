"""Write raw rows as the loader does, but exactly those a test wants, and when it wants them."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Jsonb

from loader.ingest import withdrawals
from loader.ingest.annotations import annotate
from loader.ingest.said import Said
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg

Record = dict[str, Any]
RunKey = tuple[str, str, str]

_COLUMNS = (
    "load_id, experiment_id, source, source_run_id, run_version, content_hash, task_id,"
    " experiment_group, extension_version, repetition, recorded_at, model_version, agent_name,"
    " scores, measurements, latency_ms, tokens_used, cost_usd, success, error_message,"
    " dataset_version, evaluator_versions, feedback, baseline_experiment_id, metadata, labels,"
    " loaded_at"
)
_DEFAULTS: dict[str, Any] = {
    "repetition": None,
    "recorded_at": None,
    "model_version": "unknown",
    "agent_name": None,
    "scores": {},
    "measurements": {},
    "latency_ms": None,
    "tokens_used": None,
    "cost_usd": None,
    "success": True,
    "error_message": None,
    "dataset_version": None,
    "evaluator_versions": {},
    "feedback": {},
    "baseline_experiment_id": None,
    "metadata": {},
    "labels": None,
}
_JSON = ("scores", "measurements", "evaluator_versions", "feedback", "metadata", "labels")


class RawRows:
    """The raw schema, and a copy of its current rows for an independent computation."""

    def __init__(self, connection: psycopg.Connection) -> None:
        """Write through this connection, one transaction a load."""
        self.connection = connection
        self.versions: dict[RunKey, list[Record]] = {}
        self.withdrawn: dict[int, withdrawals.Slice] = {}
        """Withdrawals in force, by their load id."""
        self.annotations: list[Record] = []

    def load(self, records: Iterable[Mapping[str, Any]], source: str = "file") -> int:
        """Write one load; a record whose run exists becomes its next version."""
        load_id = self._next_load_id()
        loaded_at = datetime(2026, 1, 1, tzinfo=UTC).replace(
            hour=load_id // 3600 % 24, minute=load_id // 60 % 60, second=load_id % 60
        )
        rows: list[Record] = []
        for record in records:
            row: Record = {
                **_DEFAULTS,
                "source_run_id": str(
                    [
                        record["task_id"],
                        record["experiment_group"],
                        record["extension_version"],
                        record.get("repetition") or 1,
                    ]
                ),
                **record,
                "source": source,
                "load_id": load_id,
                "loaded_at": loaded_at,
            }
            known = self.versions.setdefault(
                (row["experiment_id"], source, row["source_run_id"]), []
            )
            row["run_version"] = len(known) + 1
            content = json.dumps({**record, "v": row["run_version"]}, default=str, sort_keys=True)
            row["content_hash"] = uuid.UUID(hashlib.md5(content.encode()).hexdigest())  # noqa: S324
            known.append(row)
            rows.append(row)
        with self.connection.transaction():
            cursor = self.connection.cursor()
            with cursor.copy(f"copy raw_evals.evaluation_runs ({_COLUMNS}) from stdin") as copy:
                for row in rows:
                    copy.write_row(
                        [
                            Jsonb(row[name])
                            if name in _JSON and row[name] is not None
                            else row[name]
                            for name in _COLUMNS.replace(",", "").split()
                        ]
                    )
            self._announce(
                load_id,
                source,
                len(rows),
                {(row["experiment_id"], row["baseline_experiment_id"]) for row in rows},
            )
        return load_id

    def tell(self, table: str, load_id: int, **values: object) -> None:
        """Write a row of what a load said beside its runs: `score_configs`, `summary_scores`."""
        told = {"load_id": load_id, **values}
        self.connection.execute(
            sql.SQL("insert into {} ({}) values ({})").format(
                sql.Identifier("raw_evals", table),
                sql.SQL(", ").join(map(sql.Identifier, told)),
                sql.SQL(", ").join([sql.Placeholder()] * len(told)),
            ),
            [Jsonb(value) if isinstance(value, list) else value for value in told.values()],
        )

    def purge(self, keys: Sequence[RunKey]) -> int:
        """Remove whole runs, as retention does."""
        load_id = self._next_load_id()
        links = {
            (key[0], version["baseline_experiment_id"])
            for key in keys
            for version in self.versions[key]
        }
        with self.connection.transaction():
            self.connection.execute("set local evalmart.purging to 'on'")
            self.connection.cursor().executemany(
                "delete from raw_evals.evaluation_runs"
                " where (experiment_id, source, source_run_id) = (%s, %s, %s)",
                keys,
            )
            self._announce(load_id, "purge", 0, links)
        for key in keys:
            del self.versions[key]
        return load_id

    def withdraw(self, meant: withdrawals.Slice) -> None:
        """Take a slice back, as a person does."""
        for entry in withdrawals.withdraw(self.connection, meant, "a test", None):
            self.withdrawn[entry.load_id] = meant._replace(experiment=entry.experiment)

    def undo(self, load_id: int) -> None:
        """Lift a withdrawal."""
        withdrawals.undo(self.connection, [load_id], "a test", None)
        del self.withdrawn[load_id]

    def annotate(self, run: Record, key: str, score: float, author: str) -> None:
        """Say what a person thinks of a run."""
        names = [run[f"{part}_id"] for part in ("experiment", "task")]
        said = Said(1, *names, None, None, run["source_run_id"], key, score, author, "a test")
        outcome = annotate(self.connection, [said], read_vocabulary())
        assert not outcome.faults
        if outcome.load_id is not None:
            new = {**run, "load_id": outcome.load_id, "key": key, "score": score, "author": author}
            self.annotations.append(new)

    def counted(self) -> list[Record]:
        """Return the current runs with what people say in place of what judges gave."""
        latest: dict[RunKey, dict[str, dict[str, float]]] = {}
        for said in self.standing(self.annotations):
            run = (said["experiment_id"], said["source"], said["source_run_id"])
            latest.setdefault(run, {}).setdefault(said["key"], {})[said["author"]] = said["score"]
        return [
            {
                **run,
                "scores": {
                    **run["scores"],
                    **{
                        key: sum(scores.values()) / len(scores)
                        for key, scores in latest.get(
                            (run["experiment_id"], run["source"], run["source_run_id"]), {}
                        ).items()
                    },
                },
            }
            for run in self.current()
        ]

    def standing(self, versions: Sequence[Record]) -> list[Record]:
        """Return the versions of a run, or annotations, that no withdrawal covers."""
        return [
            version
            for version in versions
            if not any(
                version["load_id"] < load_id
                and (meant.load or version["load_id"]) == version["load_id"]
                and meant.experiment == version["experiment_id"]
                and (meant.group or version["experiment_group"]) == version["experiment_group"]
                and (meant.version or version["extension_version"]) == version["extension_version"]
                and (meant.task or version["task_id"]) == version["task_id"]
                for load_id, meant in self.withdrawn.items()
            )
        ]

    def current(self) -> list[Record]:
        """Return the latest version of every run that was not withdrawn, dated by its first."""
        standing = [self.standing(versions) for versions in self.versions.values()]
        return [
            {**versions[-1], "first_loaded_at": versions[0]["loaded_at"]}
            for versions in standing
            if versions
        ]

    def _next_load_id(self) -> int:
        [(load_id,)] = self.connection.execute("select nextval('raw_evals.load_ids')").fetchall()
        return int(load_id)

    def _announce(
        self, load_id: int, source: str, count: int, links: set[tuple[str, str | None]]
    ) -> None:
        cursor = self.connection.cursor()
        cursor.execute(
            "insert into raw_evals.loads (load_id, source, loader_version, started_at, finished_at,"
            " rows_read, rows_loaded, rows_unchanged, rows_rejected)"
            " values (%s, %s, 'test', now(), now(), %s, %s, 0, 0)",
            (load_id, source, count, count),
        )
        cursor.executemany(
            "insert into raw_evals.load_experiments values (%s, %s, %s)",
            [(load_id, *link) for link in links],
        )
