"""A sample that a person believes: seeded, deterministic, fast.

Thirty repositories, 150 tasks in seven categories, five agents. Every task has one
difficulty that both arms and every version meet, so pairing by task removes most of the
spread, as it does in life. Scores come from a logistic model of skill minus difficulty,
tokens and latencies are log-normal, cost follows tokens, and one run in fifty fails and
then has no scores at all.

`baseline.jsonl` and `code-chef.jsonl` are the two arms of `exp-2025-01-001`, three
repetitions each. `history.jsonl` holds the four releases before
it: 1.9.0 routes worse than 1.8.0, 1.9.1 repairs it. `baseline_runner.json` is a small
timing run as a baseline runner writes it: that format carries no scores.
"""

from __future__ import annotations

import math
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DEFAULT_SEED: Final = 20_250_113
EXPERIMENT_ID: Final = "exp-2025-01-001"
BASELINE: Final = "baseline"
CANDIDATE: Final = "code-chef"
MODEL: Final = "qwen-coder-32b"
DATASET_VERSION: Final = "2024-11-18"
EVALUATOR_VERSIONS: Final = {
    "agent_routing_accuracy": "3",
    "workflow_completeness": "3",
    "token_efficiency": "1",
    "mcp_integration_quality": "2",
}

# US dollars per token; a quarter to a third of an agent's tokens are completions.
PROMPT_PRICE: Final = 0.50e-6
COMPLETION_PRICE: Final = 1.20e-6
CONCURRENCY: Final = 8
TIMEOUT_MS: Final = 20_000.0


class Category(NamedTuple):
    """One kind of task: what it asks for and what it usually costs."""

    name: str
    agent: str
    """The agent the task should be routed to."""
    task_count: int
    skill: float
    """The baseline's skill, in logits above a task of average difficulty."""
    lift: float
    """What the candidate adds to it, in logits."""
    tokens: float
    """Median tokens of a run of average difficulty."""
    work: tuple[str, ...]
    """What is to be done; a task is one of these in one repository."""


class Release(NamedTuple):
    """One run of the tasks by one version of the extension."""

    experiment_id: str
    version: str
    started_at: datetime
    skill: float
    """Logits on top of the category's, negative before the product matured."""
    routing: float
    """Logits on the routing of feature_dev only: where 1.9.0 went wrong."""
    pace: float
    """Factor on latency and tokens."""


class Task(NamedTuple):
    """One task; its difficulty is the same for every arm and version."""

    task_id: str
    repository: str
    category: Category
    difficulty: float
    affinity: float
    """How much more (or less) than its category this task gains by the candidate."""


CATEGORIES: Final = (
    Category("bug_fix", "feature_dev", 40, 1.05, 0.42, 2300.0, (
        "fix-race-in-retry", "fix-off-by-one-in-pagination", "fix-null-address",
        "fix-timezone-of-report", "fix-leaked-connection", "fix-duplicate-webhook",
        "fix-rounding-of-totals", "fix-stale-cache-entry",
    )),
    Category("feature", "feature_dev", 30, 0.70, 0.46, 3600.0, (
        "add-csv-import", "add-rate-limit", "add-soft-delete", "add-audit-log",
        "add-search-filter", "add-dark-mode",
    )),
    Category("refactoring", "feature_dev", 15, 0.85, 0.25, 3100.0, (
        "split-god-class", "extract-pricing-module", "remove-global-state",
    )),
    Category("review", "code_review", 20, 1.15, 0.30, 1700.0, (
        "review-auth-change", "review-schema-change", "review-large-diff",
        "review-dependency-bump",
    )),
    Category("infrastructure", "infrastructure", 15, 0.55, 0.55, 2800.0, (
        "terraform-private-subnet", "helm-resource-limits", "rotate-secrets",
    )),
    Category("ci_cd", "cicd", 15, 0.75, 0.50, 2100.0, (
        "cache-build-layers", "parallel-test-matrix", "pin-action-versions",
    )),
    Category("documentation", "documentation", 15, 1.45, -0.12, 1300.0, (
        "write-api-guide", "explain-retry-policy", "update-changelog",
    )),
)  # fmt: skip

REPOSITORIES: Final = (
    "checkout-api", "payments-worker", "catalogue-search", "identity-service",
    "web-storefront", "mobile-gateway", "invoice-renderer", "returns-portal",
    "stock-sync", "price-engine", "email-relay", "event-bus", "fraud-rules",
    "warehouse-router", "admin-console", "report-builder", "feature-flags",
    "image-resizer", "consent-store", "partner-feed", "tax-tables", "loyalty-points",
    "session-store", "support-desk", "data-export", "shipping-quotes", "ab-assigner",
    "metrics-agent", "schema-registry", "backup-runner",
)  # fmt: skip

HISTORY: Final = (
    Release("exp-2024-11-001", "1.7.0", datetime(2024, 11, 25, 19, 4, tzinfo=UTC), -0.32, 0, 1.10),
    Release("exp-2024-12-001", "1.8.0", datetime(2024, 12, 5, 18, 41, tzinfo=UTC), -0.18, 0, 1.06),
    Release(
        "exp-2024-12-002", "1.9.0", datetime(2024, 12, 16, 19, 22, tzinfo=UTC), -0.22, -0.6, 1.31
    ),
    Release("exp-2024-12-003", "1.9.1", datetime(2024, 12, 20, 17, 55, tzinfo=UTC), -0.10, 0, 1.04),
)
CURRENT: Final = Release(
    EXPERIMENT_ID, "1.10.0", datetime(2025, 1, 13, 18, 2, tzinfo=UTC), 0.0, 0, 1.0
)

# What a failed run says, how far it came (share of its tokens), and how long it took.
FAILURES: Final = (
    ("Timed out after 20 s waiting for the model", 0.6, TIMEOUT_MS),
    ("HTTP 429: rate limit reached for qwen-coder-32b, 3 retries exhausted", 0.0, 9_300.0),
    ("Tool apply_patch failed 3 times in a row: patch does not apply", 0.9, 6_100.0),
    ("Model returned no tool call and no answer", 0.3, 2_400.0),
)
TOO_LONG: Final = ("Context length exceeded: 34112 tokens, the limit is 32768", 0.0, 1_900.0)

Record = dict[str, object]


def write_sample(directory: Path, seed: int = DEFAULT_SEED) -> list[Path]:
    """Write the sample's files into a directory, creating it; existing ones are replaced.

    Args:
        directory: where the files go.
        seed: the same seed gives the same bytes on every machine.

    Returns:
        The paths written: both arms of the experiment, the history, the timing run.

    Raises:
        OSError: when the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    tasks = make_tasks(seed)
    files: dict[str, bytes] = {
        "baseline.jsonl": _lines(arm(tasks, CURRENT, BASELINE, 3, seed)),
        "code-chef.jsonl": _lines(arm(tasks, CURRENT, CANDIDATE, 3, seed)),
        "history.jsonl": _lines(history(tasks, seed)),
        "baseline_runner.json": msgspec.json.format(
            msgspec.json.encode(list(timing_run(tasks, seed))), indent=2
        )
        + b"\n",
    }
    written = []
    for name, content in files.items():
        path = directory / name
        path.write_bytes(content)
        written.append(path)
    return written


def make_tasks(seed: int = DEFAULT_SEED) -> list[Task]:
    """Return the 150 tasks: unique ids, five in each repository."""
    tasks: list[Task] = []
    for category in CATEGORIES:
        for index in range(category.task_count):
            repository = REPOSITORIES[len(tasks) % len(REPOSITORIES)]
            # Tasks of one repository and one category never ask for the same work:
            # the same repository returns after 30 tasks, with another piece of work.
            step = index + index // len(REPOSITORIES)
            task_id = f"{repository}/{category.work[step % len(category.work)]}"
            stream = _stream(seed, "task", task_id)
            home = _stream(seed, "repository", repository).gauss(0.0, 0.25)
            tasks.append(
                Task(
                    task_id,
                    repository,
                    category,
                    home + stream.gauss(0.0, 0.8),
                    stream.gauss(0.0, 0.3),
                )
            )
    return tasks


def history(tasks: Sequence[Task], seed: int = DEFAULT_SEED) -> Iterator[Record]:
    """Yield the releases before the experiment: one baseline arm, four candidates.

    The baseline was measured once; the later experiments refer to it.
    """
    first = HISTORY[0]
    yield from arm(tasks, first, BASELINE, 1, seed)
    for release in HISTORY:
        for record in arm(tasks, release, CANDIDATE, 1, seed):
            if release is not first:
                record["baseline_experiment_id"] = first.experiment_id
            yield record


def arm(
    tasks: Sequence[Task], release: Release, group: str, repetitions: int, seed: int = DEFAULT_SEED
) -> Iterator[Record]:
    """Yield one arm of an experiment as contract records, in the order they finished."""
    # The candidate starts when the baseline is through, some minutes later.
    clock = release.started_at + timedelta(minutes=35.0 if group == CANDIDATE else 0.0)
    for repetition in range(1, repetitions + 1):
        for task in tasks:
            stream = _stream(seed, release.experiment_id, group, str(repetition), task.task_id)
            record = _run(task, release, group, stream)
            latency = record["latency_ms"]
            if isinstance(latency, float):
                clock += timedelta(milliseconds=latency / CONCURRENCY + 40.0)
            yield {
                "experiment_id": release.experiment_id,
                "task_id": task.task_id,
                "experiment_group": group,
                "extension_version": release.version,
                "source_run_id": str(uuid.UUID(int=stream.getrandbits(128), version=4)),
                "repetition": repetition,
                "recorded_at": clock.isoformat(timespec="milliseconds"),
                **record,
            }


def timing_run(tasks: Sequence[Task], seed: int = DEFAULT_SEED) -> Iterator[Record]:
    """Yield a baseline runner's results: twenty tasks in both modes, times but no scores."""
    for mode in (BASELINE, CANDIDATE):
        clock = datetime(2025, 1, 14, 9, 30, tzinfo=UTC)
        for task in tasks[:: len(tasks) // 20][:20]:
            run = _run(task, CURRENT, mode, _stream(seed, "timing", mode, task.task_id))
            clock += timedelta(seconds=9)
            yield {
                "task_id": task.task_id,
                "mode": mode,
                "latency_ms": run["latency_ms"],
                "tokens_used": run["tokens_used"],
                "cost_usd": run["cost_usd"],
                "model": MODEL,
                "metadata": {"category": task.category.name},
                "timestamp": clock.isoformat(),
                "success": run["success"],
                "error": run.get("error_message"),
            }


def _run(task: Task, release: Release, group: str, stream: random.Random) -> Record:
    """Return what one run of a task measured: everything but its identity."""
    is_candidate = group == CANDIDATE
    category = task.category
    skill = category.skill - task.difficulty
    pace = 1.0
    if is_candidate:
        skill += category.lift + task.affinity + release.skill
        # Routing sends easy tasks down a short path: fewer tokens, less waiting.
        pace = 0.86 * release.pace
    routed = release.routing if is_candidate and category.agent == "feature_dev" else 0.0

    tokens = category.tokens * pace * math.exp(0.22 * task.difficulty + stream.gauss(0.0, 0.2))
    seconds = 0.35 + tokens / 1000.0 * math.exp(stream.gauss(-0.35, 0.22))
    if stream.random() < 0.02:  # noqa: PLR2004  one request in fifty queues
        seconds *= stream.uniform(2.0, 4.5)

    scores: dict[str, float | None] = {
        "agent_routing_accuracy": _score(skill + routed + stream.gauss(0.0, 0.3)),
        "workflow_completeness": _score(skill - 0.15 + 0.6 * routed + stream.gauss(0.0, 0.35)),
        "token_efficiency": _score(1.9 - tokens / category.tokens + stream.gauss(0.0, 0.15)),
        "mcp_integration_quality": _score(
            skill * 0.7 + (0.35 if is_candidate else -0.1) + stream.gauss(0.0, 0.4)
        ),
    }
    failure = _failure(task, is_candidate, stream)
    if failure is not None:
        message, progress, milliseconds = failure
        scores = dict.fromkeys(scores)
        tokens *= progress
        seconds = milliseconds / 1000.0 + stream.uniform(0.0, 0.4)

    used = round(tokens)
    completions = used * stream.uniform(0.24, 0.34)
    cost = (used - completions) * PROMPT_PRICE + completions * COMPLETION_PRICE
    record: Record = {
        "model_version": MODEL,
        "agent_name": category.agent,
        "scores": scores,
        "latency_ms": round(seconds * 1000.0, 1),
        "tokens_used": used,
        "cost_usd": round(cost, 6),
        "success": failure is None,
    }
    if failure is not None:
        record["error_message"] = message
    record |= {
        "dataset_version": DATASET_VERSION,
        "evaluator_versions": EVALUATOR_VERSIONS,
        "metadata": {
            "category": category.name,
            "difficulty": _difficulty(task.difficulty),
            "cluster_id": task.repository,
        },
    }
    return record


def _failure(
    task: Task, is_candidate: bool, stream: random.Random
) -> tuple[str, float, float] | None:
    """Return the failure of a run (message, share of tokens, milliseconds), mostly none."""
    chance, kind = stream.random(), stream.choice(FAILURES)
    if task.task_id == "email-relay/split-god-class" and not is_candidate:
        # One task never fits the plain model's window: its baseline has no score.
        return TOO_LONG
    hard = 1.0 + max(0.0, task.difficulty)
    return kind if chance < (0.011 if is_candidate else 0.017) * hard else None


def _score(logit: float) -> float:
    """Return a score 0…1 as an evaluator reports it: two decimals."""
    return round(1.0 / (1.0 + math.exp(-logit)), 2)


def _difficulty(value: float) -> str:
    """Return the label a person would give a task's difficulty (in logits)."""
    if value < -0.5:  # noqa: PLR2004
        return "easy"
    return "medium" if value < 0.5 else "hard"  # noqa: PLR2004


def _stream(seed: int, *names: str) -> random.Random:
    """Return a generator of its own for one thing, whatever else is drawn before it."""
    return random.Random("\x1f".join((str(seed), *names)))  # noqa: S311  not for secrets


def _lines(records: Iterator[Record]) -> bytes:
    """Return records as JSON Lines."""
    encoder = msgspec.json.Encoder()
    return b"".join(encoder.encode(record) + b"\n" for record in records)
