"""Feedback: reading a project's rows, and deciding which row of a key counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .answers import Answer
from .client import LangSmith, Parameters
from .meaning import Meaning
from .times import utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PAGE = 100
# How keys begin that this project writes to a project of LangSmith, when asked to.
OWN_PREFIX = "evalmart_"
# Runs that one request may name: their ids make the address long.
RUNS_AT_ONCE = 100
# Where evaluators of LangSmith and of its users leave their version.
VERSION_NAMES = ("evaluator_version", "version", "rule_version", "revision_id")
_UNKNOWN = Meaning()


@dataclass
class Verdict:
    """What the feedback on one run comes to."""

    scores: dict[str, float | bool | None] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    """Key to the category it put the run into."""
    scales: dict[str, list[float]] = field(default_factory=dict)
    """Of scores, where the service says them."""
    versions: dict[str, str] = field(default_factory=dict)
    kept: list[dict[str, object]] = field(default_factory=list)
    """Every row with its provenance, oldest first; `outcome` says what became of it."""
    crashed: list[str] = field(default_factory=list)
    """Keys whose counting row is an evaluator that raised."""
    pairwise: Counter[str] = field(default_factory=Counter)
    """Preferences between this run and another, by key: no scores of it."""
    left_out: list[str] = field(default_factory=list)
    """Keys whose counting row says in words what is no label."""


class _Ranked(NamedTuple):
    """What decides between rows of one key: the greatest counts."""

    is_human: bool
    created_at: str
    modified_at: str
    feedback_id: str


def read_page(
    client: LangSmith,
    project_id: str,
    offset: int,
    min_created_at: str | None = None,
    run_ids: Sequence[str] = (),
) -> list[msgspec.Raw]:
    """Read one page of a project's feedback, each row still JSON, the newest first.

    Args:
        client: the connection.
        project_id: the project.
        offset: how many rows to pass over.
        min_created_at: only rows created then or later, ISO 8601; all without it.
        run_ids: only rows on these runs, at most `RUNS_AT_ONCE`; on any if none is named.
    """
    query = [("session", project_id), ("limit", str(PAGE)), ("offset", str(offset))]
    query += [("run", run_id) for run_id in run_ids]
    if min_created_at:
        query.append(("min_created_at", min_created_at))
    found = client.ask("GET", "/feedback", list[msgspec.Raw], Parameters(query), missing=())
    if isinstance(found, Answer):  # no status is left to the caller
        raise TypeError("unreachable")
    return found


def is_own(row: Mapping[str, object]) -> bool:
    """Whether a row is a verdict that was written back: no score of the experiment."""
    return not row.get("run_id") and str(row.get("key")).startswith(OWN_PREFIX)


def compact(row: Mapping[str, object]) -> dict[str, object]:
    """Bring one feedback row to the shape that raw keeps; absent parts are left out.

    Keys: id, key, score, value, comment, correction, source, evaluator, user_id,
    judge_run_id, evaluator_version, comparative_experiment_id, feedback_group_id, error,
    created_at, modified_at. Times are ISO, UTC.
    """
    source = row.get("feedback_source")
    source = source if isinstance(source, dict) else {}
    about = source.get("metadata")
    about = about if isinstance(about, dict) else {}
    judge = about.get("__run")
    judge_id = judge.get("run_id") if isinstance(judge, dict) else None
    extra = row.get("extra")
    crashed = extra.get("error") if isinstance(extra, dict) else None
    shaped = {
        "id": row.get("id"),
        "key": row.get("key"),
        "score": row.get("score"),
        "value": row.get("value"),
        "comment": row.get("comment"),
        "correction": row.get("correction"),
        "source": source.get("type"),
        "evaluator": about.get("evaluator_name") or about.get("name"),
        "user_id": source.get("user_id"),
        "judge_run_id": row.get("source_run_id") or judge_id,
        "evaluator_version": next(
            (str(about[name]) for name in VERSION_NAMES if about.get(name) is not None), None
        ),
        "comparative_experiment_id": row.get("comparative_experiment_id"),
        "feedback_group_id": row.get("feedback_group_id"),
        "error": True if crashed is True or crashed == "true" else None,
        "created_at": utc_text(row.get("created_at")),
        "modified_at": utc_text(row.get("modified_at")),
    }
    return {
        name: value
        for name, value in shaped.items()
        if value is not None or name in {"key", "score"}
    }


def judge(
    rows: Iterable[dict[str, object]],
    anew: Iterable[dict[str, object]] = (),
    meaning: Meaning = _UNKNOWN,
) -> Verdict:
    """Decide the scores and labels of one run from its feedback rows.

    The newest row of a key counts; a human's row, or a human's correction of a
    model's row, outranks every other. A pairwise preference is no score of the run.
    An evaluator that raised, or returned nothing, leaves null.

    Args:
        rows: as `compact` gives them.
        anew: rows of evaluators applied at this ingest, in the same shape: they
            count as the newest of their key, but do not outrank a human.
        meaning: what the keys mean.
    """
    verdict = Verdict()
    counting: dict[str, tuple[_Ranked, dict[str, object]]] = {}
    ordered = sorted(rows, key=lambda row: (str(row.get("created_at") or ""), str(row.get("id"))))
    fresh = list(anew)
    for number, row in enumerate([*ordered, *fresh]):
        entry = dict(row)
        verdict.kept.append(entry)
        if entry.get("comparative_experiment_id"):
            entry["outcome"] = "pairwise"
            verdict.pairwise[str(entry.get("key"))] += 1
            continue
        is_human = entry.get("source") == "app" or meaning.is_corrected(entry)
        if is_human and not _is_verdict(entry, meaning):
            # a remark without a verdict hides no score
            entry["outcome"] = "remark"
            if meaning.is_freeform(str(entry.get("key"))):
                verdict.left_out.append(str(entry.get("key")))
            continue
        is_fresh = number >= len(ordered)
        rank = _Ranked(
            is_human,
            "~" if is_fresh else str(entry.get("created_at") or ""),
            str(entry.get("modified_at") or ""),
            str(entry.get("id") or ""),
        )
        key = str(entry.get("key"))
        best = counting.get(key)
        if best is None or rank >= best[0]:
            if best is not None:
                best[1]["outcome"] = (
                    "outranked" if rank.is_human > best[0].is_human else "superseded"
                )
            counting[key] = (rank, entry)
            entry["outcome"] = "counts"
        else:
            entry["outcome"] = "outranked" if best[0].is_human > rank.is_human else "superseded"
    for key, (_, entry) in counting.items():
        _take(verdict, key, entry, meaning)
        version = entry.get("evaluator_version")
        if version is not None:
            verdict.versions[key] = str(version)
        if entry.get("error"):
            verdict.crashed.append(key)
    return verdict


def _is_verdict(entry: dict[str, object], meaning: Meaning) -> bool:
    """Whether a row says anything of its run beside a remark."""
    said = (meaning.score(entry), meaning.label(entry), entry.get("value"))
    return any(one is not None for one in said)


def _take(verdict: Verdict, key: str, entry: dict[str, object], meaning: Meaning) -> None:
    """Take what the counting row of a key says as score, label, or neither."""
    score, label = meaning.score(entry), meaning.label(entry)
    if label is not None:
        verdict.labels[key] = label
    if meaning.is_left_out(entry):
        verdict.left_out.append(key)
    if score is None and (
        label is not None or meaning.is_of_words(key) or meaning.is_freeform(key)
    ):
        return
    verdict.scores[key] = score
    scale = meaning.scale(key)
    if scale is not None:
        verdict.scales[key] = scale
