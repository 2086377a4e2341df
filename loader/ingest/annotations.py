"""What people say of runs: scores with an author and a reason, beside what judges gave.

A statement is about one run, or about every run that a task has in the arms it names. In the
marts the latest of each author counts, several authors of a key give their mean, and that
stands in place of the judge's score. Nothing is overwritten: `score_history` has them all.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from psycopg import sql

from ..records.scales import as_number
from ..tools.metric_names import declaring
from ..tools.sql_files import read_sql
from ..tools.tables import Column, Kind, Table
from . import known_files, naming, statements
from .entries import ANNOTATION, Counts, draw_load_id, server_errors, write_entry
from .side_rows import WITHHELD, Kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..records.vocabulary import Vocabulary
    from ..sources.digests import FileRead
    from ..warehouse.connection import Connection
    from .said import Fault, Said

_FIELDS: Final = frozenset({"latency_ms", "tokens_used", "cost_usd"})
_UNDECLARED: Final = (
    "nobody declared the scale of {key}, and other values of it are off 0 to 1: "
    "declare it ({command})"
)
_COLUMNS: Final = (
    "load_id", "annotation_id", "experiment_id", "source", "source_run_id", "task_id",
    "experiment_group", "extension_version", "evaluator_key", "author", "reason", "score",
    "scale_min", "scale_max",
)  # fmt: skip


class Match(NamedTuple):
    """A run that a statement is about."""

    source: str
    run: str
    task: str
    group: str
    version: str
    own_scale: list[float] | None
    """Ends of the scale that the key has in the run; None where the run does not say."""
    is_undeclared: bool
    """Whether other runs of the experiment have values of the key off 0 to 1, on no scale."""
    last_score: float | None
    """What the author said of it last, if that was by the same key."""
    last_reason: str | None
    judged_keys: list[str]
    """Keys under which the run has a score."""


class Taken(NamedTuple):
    """A statement that was taken."""

    said: Said
    annotation_id: int
    runs: int
    others: tuple[str, ...]
    """Where no judge scored the key in those runs: the keys that they have."""


class Outcome(NamedTuple):
    """What became of every statement: read = loaded + unchanged + rejected."""

    load_id: int | None
    """None if nothing was written."""
    counts: Counts
    taken: tuple[Taken, ...]
    faults: tuple[Fault, ...]
    known_load: int | None = None
    """The load that brought the file before: what it said then changes nothing."""


class _Run(NamedTuple):
    """One row to be stored, but for its ids."""

    match: Match
    score: float
    low: float
    high: float


def annotate(  # noqa: PLR0913  a load's own options, by name
    connection: Connection,
    statements_said: Sequence[Said],
    vocabulary: Vocabulary,
    *,
    faults: Sequence[Fault] = (),
    origin: str = "",
    strict: bool = False,
    file: FileRead | None = None,
) -> Outcome:
    """Store what people say of runs, in one transaction.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        statements_said: what they say.
        vocabulary: scales of keys that runs do not state themselves.
        faults: of statements that could not be read.
        origin: the file that they came from.
        strict: store nothing if any is rejected.
        file: the content of that file: if it was loaded before, what it said then is not said
            again over what was said since.

    Raises:
        ConfigurationError: the raw schema, or a right on it, is missing.
        WarehouseUnavailable: the server fails; nothing is written.

    """
    rejected = list(faults)
    with server_errors(), connection.transaction():
        load_id = draw_load_id(connection)
        matches = _match(connection, statements_said, vocabulary)
        sound: list[tuple[Said, list[_Run]]] = []
        seen: dict[tuple[str, ...], tuple[int, float]] = {}
        for said in statements_said:
            runs, fault = _runs_of(connection, said, matches.get(said.row, []), vocabulary, seen)
            if fault is not None:
                rejected.append(said.fault(*fault))
            else:
                sound.append((said, runs))
        rejected.sort(key=lambda fault: fault.row)
        read = len(statements_said) + len(faults)
        if strict and rejected:
            held = [said.fault(WITHHELD, "sound, but others were rejected") for said, _ in sound]
            return Outcome(None, Counts(read, 0, 0, read), (), (*rejected, *held))
        known = known_files.find(connection, ANNOTATION, [file] if file else [])
        if known:
            sound = _news(connection, sound)
        loads = [(said, runs) for said, runs in sound if runs]
        kept = _kept(rejected)
        counts = Counts(
            read,
            len(loads),
            len(sound) - len(loads),
            len(rejected),
            reject_counts=Counter(fault.reason_code for fault in rejected),
            rejects_left_out=len(rejected) - len(kept),
        )
        taken = _store(connection, load_id, loads)
        if not taken and not (rejected and origin):
            return Outcome(None, counts, (), tuple(rejected), known.get(origin))
        _store_faults(connection, load_id, kept)
        write_entry(
            connection,
            load_id,
            ANNOTATION,
            _reference(origin, loads),
            experiments=dict.fromkeys(said.experiment for said, _ in loads),
            counts=counts,
        )
        if file and taken and not known:
            known_files.insert(connection, load_id, ANNOTATION, [file])
    return Outcome(load_id, counts, taken, tuple(rejected), known.get(origin))


def entries(connection: Connection, experiment: str | None) -> Table:
    """Return every statement that was not withdrawn, the latest first."""
    with server_errors():
        rows = connection.execute(
            read_sql(__name__, "list_annotations"), {"experiment_id": experiment}
        ).fetchall()
    return Table(
        (
            Column("annotation", Kind.TEXT),
            Column("experiment_id", heading="experiment"),
            Column("task_id", heading="task"),
            Column("run_count", Kind.INTEGER, "runs"),
            Column("evaluator_key", heading="key"),
            Column("score", Kind.NUMBER),
            Column("author"),
            Column("reason"),
            Column("annotated_at", Kind.TIMESTAMP, "at (UTC)"),
        ),
        rows,
    )


def _match(
    connection: Connection, said: Sequence[Said], vocabulary: Vocabulary
) -> dict[int, list[Match]]:
    """Return the runs that statements are about, by the statement's row."""
    names = ("row", "experiment", "task", "group", "version", "run", "key", "author")
    columns: dict[str, list[object]] = {
        name: [getattr(one, name) for one in said] for name in names
    }
    rows = connection.execute(
        read_sql(__name__, "match_runs"),
        {
            "experiments": list(dict.fromkeys(columns["experiment"])),
            "numbers": columns["row"],
            "wanted": columns["experiment"],
            "named_keys": list(vocabulary.scales),
            "named_metrics": [scale.metric for scale in vocabulary.scales.values()],
            **{f"{name}s": columns[name] for name in names[2:]},
        },
    )
    found: dict[int, list[Match]] = {}
    for number, *rest in rows:
        found.setdefault(int(str(number)), []).append(Match(*rest))  # type: ignore[arg-type]
    return found


def _runs_of(
    connection: Connection,
    said: Said,
    matches: Sequence[Match],
    vocabulary: Vocabulary,
    seen: dict[tuple[str, ...], tuple[int, float]],
) -> tuple[list[_Run], tuple[str, str] | None]:
    """Return the rows that a statement adds, or why it is rejected (code and sentence).

    `seen` has what sound statements before it said: its line and score, by run, key and author.
    """
    if said.key in _FIELDS or said.key in vocabulary.measures:
        return [], ("not_a_score", f"{said.key} is no score; people say scores")
    if not matches:
        unknown = naming.unknown(connection, said._asdict())
        return [], ("unknown_run", unknown or "every run of it was withdrawn")
    runs: list[_Run] = []
    told: dict[tuple[str, ...], tuple[int, float]] = {}
    for match in matches:
        scale = _scale(said.key, match, vocabulary)
        if scale is None:
            command = declaring(said.key, "--scale MIN:MAX")
            return [], ("undeclared_scale", _UNDECLARED.format(key=said.key, command=command))
        low, high = scale
        score = as_number(said.score, low, high)
        if not low <= score <= high:
            off = f"{said.key} {score:g} is off its scale of {low:g} to {high:g}"
            return [], ("off_scale", off)
        key = (said.experiment, match.source, match.run, said.key, said.author)
        row, other = seen.get(key, (said.row, score))
        if other != score:
            conflict = (
                f"{said.author} says {score:g} here and {other:g} in line {row} "
                f"of {said.key} of run {match.run}; keep one of them"
            )
            return [], ("conflicting_scores", conflict)
        if key not in seen:
            told[key] = (said.row, score)
        if key in told and (match.last_score, match.last_reason) != (score, said.reason):
            runs.append(_Run(match, score, low, high))
    seen |= told
    return runs, None


def _news(
    connection: Connection, sound: Sequence[tuple[Said, list[_Run]]]
) -> list[tuple[Said, list[_Run]]]:
    """Leave out what the same author has said before of the same run."""
    rows = connection.execute(
        "select experiment_id, source, source_run_id, evaluator_key, author, score, reason "
        "from raw_evals.standing_annotations where experiment_id = any(%s)",
        [list({said.experiment for said, _ in sound})],
    ).fetchall()
    before = set(rows)
    return [
        (
            said,
            [
                run
                for run in runs
                if (said.experiment, run.match.source, run.match.run, said.key, said.author,
                    run.score, said.reason) not in before
            ],
        )
        for said, runs in sound
    ]  # fmt: skip


def _scale(key: str, match: Match, vocabulary: Vocabulary) -> tuple[float, float] | None:
    """Return the ends of a key's scale in a run: its own, else as declared, else 0 and 1."""
    declared = vocabulary.scales.get(key)
    if match.own_scale is not None:
        low, high = match.own_scale
        return low, high
    if declared is not None:
        return declared.low, declared.high
    return None if match.is_undeclared else (0, 1)


def _others(key: str, runs: Sequence[_Run]) -> tuple[str, ...]:
    """Return the keys that judges scored in runs, in none of which they scored this one."""
    judged = {name for run in runs for name in run.match.judged_keys}
    return () if key in judged else tuple(sorted(judged))


def _store(
    connection: Connection, load_id: int, loads: Sequence[tuple[Said, Sequence[_Run]]]
) -> tuple[Taken, ...]:
    drawn = connection.execute(
        "select nextval('raw_evals.annotation_ids') from generate_series(1, %s)", [len(loads)]
    ).fetchall()
    taken = tuple(
        Taken(said, int(str(annotation_id)), len(runs), _others(said.key, runs))
        for (said, runs), (annotation_id,) in zip(loads, drawn, strict=True)
    )
    names = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
    statement = sql.SQL("copy raw_evals.annotations ({}) from stdin").format(names)
    with connection.cursor().copy(statement) as copy:
        for (said, annotation_id, *_), (_, runs) in zip(taken, loads, strict=True):
            for match, score, low, high in runs:
                copy.write_row((
                    load_id, annotation_id, said.experiment, match.source, match.run, match.task,
                    match.group, match.version, said.key, said.author, said.reason, score, low,
                    high,
                ))  # fmt: skip
    return taken


def _kept(faults: Sequence[Fault]) -> list[Fault]:
    """Return the faults that are kept, as of any load."""
    kept = Kept()
    return [
        fault
        for fault in faults
        if kept.takes(fault.reason_code, len(fault.payload) + len(fault.reason))
    ]


def _store_faults(connection: Connection, load_id: int, faults: Sequence[Fault]) -> None:
    connection.cursor().executemany(
        statements.INSERT_REJECTED_ROW,
        [{"load_id": load_id, **fault._asdict()} for fault in faults],
    )


def _reference(origin: str, loads: Sequence[tuple[Said, Sequence[_Run]]]) -> Mapping[str, object]:
    """Return what the entry of the ledger is about."""
    authors = sorted({said.author for said, _ in loads})
    runs = sum(len(runs) for _, runs in loads)
    return {"authors": authors, "scores": runs, **({"file": origin} if origin else {})}
