"""Runs whose keys a service explains, or that a judge had side by side, and what is said."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from raw_rows import RawRows

Row = dict[str, Any]

TASKS = 30
# Experiment → its key, and what the service says of it (None: nothing at all).
SAID = {
    "lower": ("toxicity", "lower"),
    "higher": ("toxicity", "higher"),
    "unsaid": ("toxicity", None),
    "short": ("length", "lower"),
    "assumed": ("length", None),
    "seed": ("agent_routing_accuracy", "lower"),
}
ARMS = {"left": "baseline", "right": "code-chef", "third": "code-chef"}
# Comparison of left and right → task → scores of either at each meeting; ... is no row at all.
PREFERENCES: Mapping[str, Mapping[str, list[tuple[Any, Any]]]] = {
    "cmp": {
        **{f"t{task}": [(0, 1)] for task in range(9)},
        "t9": [(True, False)],
        "t10": [(1, 0)],
        "t11": [(0.5, 0.5)],
        "t12": [(0, None)],
        "t13": [(1, ...)],
        # one task, however often it was judged
        "t14": [(0, 1), (1, 0), (0, 1), (0, 1)],
        "t15": [(0, 1), (1, 0)],
        # graded: the higher wins, by however little
        "t16": [(0.7, 0.7000000001)],
    },
    "silent": {"t1": [(None, None)], "t2": [(0, None)]},
    "ties": {"t1": [(1, 1)], "t2": [(0, 0)]},
    "lone": {"t1": [(1, ...)], "t2": [(0, ...)]},
}


def run(experiment: str, group: str, task: object, **more: object) -> Row:
    return {
        "experiment_id": experiment, "task_id": f"t{task}", "experiment_group": group,
        "extension_version": "1.0.0", "agent_name": experiment, **more,
    }  # fmt: skip


def falling(experiment: str, version: str = "1.0.0", *, rising: bool = False) -> list[Row]:
    """Return both arms of an experiment whose only score is lower in the candidate's."""
    key, _ = SAID[experiment]
    return [
        run(experiment, group, task, scores={key: level + task % period / 50})
        | {"extension_version": version}
        for task in range(TASKS)
        for group, level, period in (
            ("baseline", 0.7, 7),
            ("code-chef", 0.8 if rising else 0.3, 5),
        )
    ]


def say(raw: RawRows, load_id: int, experiment: str, key: str, **more: object) -> None:
    told = {"kind": "continuous", "direction": None, **more}
    raw.tell("score_configs", load_id, experiment_id=experiment, evaluator_key=key, **told)


def summarise(raw: RawRows, load_id: int, feedback: str, **more: object) -> None:
    told = {
        "experiment_id": "right", "experiment_group": "code-chef", "extension_version": "1.0.0",
        "evaluator_key": "f1", "author_kind": "evaluator", "scored_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    raw.tell("summary_scores", load_id, **{**told, "feedback_id": feedback, **more})


def preferred(experiment: str) -> Iterator[Row]:
    """Return the runs of left or right, with what a judge said that had both before it."""
    side = 0 if experiment == "left" else 1
    tasks: dict[str, list[Row]] = defaultdict(list)
    for comparison, meetings in PREFERENCES.items():
        for task, scores in meetings.items():
            for number, pair in enumerate(scores):
                if pair[side] is ...:
                    continue
                entry = {
                    "key": "better", "score": pair[side], "outcome": "pairwise",
                    "comparative_experiment_id": comparison,
                    "id": f"{comparison}-{task}-{number}-{side}",
                    "created_at": f"2026-01-01T00:00:0{number}.000000+00:00",
                }  # fmt: skip
                if task == "t9":  # set right by a person
                    entry |= {"score": 0.5, "correction": {"score": pair[side]}}
                if task == "t10":  # a person's remark, which sets nothing right
                    entry["correction"] = {"score": None, "comment": "fine"}
                # without a group's id they meet by the task
                if len(scores) > 1 or task != "t1":
                    entry["feedback_group_id"] = f"{comparison}-{task}-{number}"
                tasks[task].append(entry)
    for place, (task, entries) in enumerate(tasks.items()):
        label = None if place < 2 else {"tone": "cold" if place < (9 if side else 6) else "warm"}
        own = {"key": "tone", "score": None, "value": "warm", "outcome": "counts"}
        yield run(experiment, ARMS[experiment], task[1:], feedback=[*entries, own], labels=label)


def third() -> Iterator[Row]:
    """Return runs of an arm that has the same role as right, and met it in two repetitions."""
    for experiment, scores in (("right", (0, 0)), ("third", (0, 1))):
        for repetition, score in enumerate(scores, 1):
            entry = {
                "key": "better", "score": score, "outcome": "pairwise", "id": f"r{repetition}",
                "comparative_experiment_id": "same", "feedback_group_id": "g",
            }  # fmt: skip
            again = {**entry, "score": 1, "id": "q", "created_at": "2025-01-01T00:00:00+00:00"}
            late = {**entry, "created_at": "2026-01-01T00:00:00+00:00"}
            yield run(experiment, "code-chef", 99, repetition=repetition, feedback=[late, again])
