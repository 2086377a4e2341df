"""Experiments whose verdict a person can tell: name, records, what is right.

Each comes from a report of somebody whom an earlier rule answered wrongly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Record = dict[str, Any]
BASELINE, CANDIDATE = "baseline", "code-chef"


class Right(NamedTuple):
    """What a verdict has to say; None does not matter."""

    recommendation: str
    label: str | None = None
    route: str | None = None
    headline: str | None = None
    """What the sentence has to contain."""
    code: str | None = None
    """A reason that has to be given."""


class Case(NamedTuple):
    """One experiment."""

    name: str
    records: list[Record]
    right: Right


def pairs(
    name: str, n: int, arms: Callable[[int, str], Record], repetitions: int = 1
) -> list[Record]:
    """Give n tasks in both arms; what a run looks like comes from its task and arm."""
    return [
        {
            "experiment_id": name,
            "task_id": f"t{task}",
            "experiment_group": arm,
            "extension_version": "1",
            "repetition": repetition,
            "success": None,
            **arms(task, arm),
        }
        for task in range(n)
        for arm in (BASELINE, CANDIDATE)
        for repetition in range(1, repetitions + 1)
    ]


def scored(
    key: str, baseline: Callable[[int], float], candidate: Callable[[int], float]
) -> Callable[[int, str], Record]:
    """Give the arms of one score."""

    def arms(task: int, arm: str) -> Record:
        return {"scores": {key: (baseline if arm == BASELINE else candidate)(task)}}

    return arms


def one_if(condition: Callable[[int], bool]) -> Callable[[int], float]:
    """Give 1 for the tasks of which the condition holds."""
    return lambda task: float(condition(task))


def cases() -> Iterator[Case]:
    """Give every case."""
    yield from _own_metric()
    yield from _hard_benchmarks()
    yield from _missing()
    yield from _zeros()
    yield from _directions()


def _own_metric() -> Iterator[Case]:
    collapse = scored("correct", one_if(lambda t: t % 300 < 243), one_if(lambda t: t % 300 < 108))
    yield Case(
        "own_collapse",
        pairs(
            "own_collapse",
            300,
            lambda t, a: {
                **collapse(t, a),
                "latency_ms": (1000 + t % 90) * (1 if a == BASELINE else 0.8),
            },
        ),
        Right("reject", code="harmed", headline="Worse in correct (-45 points"),
    )
    gain = scored("correct", one_if(lambda t: t % 100 < 50), one_if(lambda t: t % 100 < 71))
    yield Case(
        "own_gain",
        pairs("own_gain", 300, lambda t, a: {**gain(t, a), "latency_ms": 1000 + t % 90}),
        Right("deploy", route="better", code="direction_assumed"),
    )
    twelve = scored("accuracy", one_if(lambda t: t % 100 < 50), one_if(lambda t: t % 100 < 62))
    yield Case(
        "twelve_points",
        pairs(
            "twelve_points",
            1000,
            lambda t, a: {**twelve(t, a), "latency_ms": 1000 + (t * 31 + len(a) * 17) % 97},
        ),
        Right("deploy", route="better", headline="More accurate (+12 points, p < 0.0001)"),
    )


def _hard_benchmarks() -> Iterator[Case]:
    same = one_if(lambda t: t % 10 < 3)
    yield Case(
        "identical",
        pairs("identical", 100, scored("accuracy", same, same)),
        Right("needs_review", label="not_worse", headline="both arms are equal"),
    )
    yield Case(
        "ten_to_thirty_five",
        pairs(
            "ten_to_thirty_five",
            100,
            scored("accuracy", one_if(lambda t: t < 10), one_if(lambda t: t < 35)),
        ),
        Right("deploy", route="better"),
    )
    yield Case(
        "quarter_to_near_half",
        pairs(
            "quarter_to_near_half",
            1000,
            scored("accuracy", one_if(lambda t: t % 20 < 5), one_if(lambda t: t % 20 < 9)),
        ),
        Right("deploy", route="better"),
    )
    yield Case(
        "from_nothing",
        pairs(
            "from_nothing",
            2000,
            scored("accuracy", one_if(lambda _: False), one_if(_three_of_five)),
        ),
        Right("deploy", route="better"),
    )
    yield Case(
        "to_nothing",
        pairs(
            "to_nothing", 200, scored("accuracy", one_if(_three_of_five), one_if(lambda _: False))
        ),
        Right("reject", code="harmed"),
    )


def _three_of_five(task: int) -> bool:
    return task % 5 < 3


def _missing() -> Iterator[Case]:
    same = one_if(lambda t: t % 10 < 3)
    yield Case(
        "equal_with_gaps",
        pairs(
            "equal_with_gaps",
            100,
            lambda t, a: (
                {"scores": {}}
                if a == CANDIDATE and t >= 88
                else scored("accuracy", same, same)(t, a)
            ),
        ),
        Right("needs_review", headline="No different in accuracy (p = 1), but only 88 %"),
    )
    hidden = [
        {
            "experiment_id": "hidden_failures",
            "task_id": f"t{task}",
            "experiment_group": arm,
            "extension_version": "1",
            "repetition": run,
            "success": None,
            # half of the candidate's failing runs have no score
            "scores": {}
            if arm == CANDIDATE and run > 3 and (task + run) % 2
            else {"accuracy": float(run <= 3)},
        }
        for task in range(100)
        for arm in (BASELINE, CANDIDATE)
        for run in range(1, 6)
    ]
    yield Case("hidden_failures", hidden, Right("needs_review", code="low_coverage"))

    def times_out(task: int, arm: str) -> Record:
        if arm == BASELINE and task >= 2:
            return {"scores": {"accuracy": 1.0}, "success": True}
        return {"scores": {}, "success": False, "error_message": "timed out"}

    yield Case(
        "times_out", pairs("times_out", 30, times_out), Right("reject", code="success_harmed")
    )


def _zeros() -> Iterator[Case]:
    gain = scored("accuracy", one_if(lambda t: t % 2 == 1), one_if(lambda t: t % 5 > 0))

    def with_cost(baseline: float, candidate: float) -> Callable[[int, str], Record]:
        return lambda task, arm: {
            **gain(task, arm),
            "cost_usd": baseline if arm == BASELINE else candidate,
            "latency_ms": 1000 + (task * 31) % 97,
        }

    for name, costs, right in (
        ("cost_both_zero", (0.0, 0.0), Right("deploy", route="better")),
        ("cost_to_zero", (0.02, 0.0), Right("deploy", route="better")),
        ("cost_same", (0.02, 0.02), Right("deploy", route="better")),
        (
            "cost_from_zero",
            (0.0, 0.02),
            Right("needs_review", code="guardrail_open", headline="any change of cost"),
        ),
    ):
        yield Case(name, pairs(name, 100, with_cost(*costs)), right)
    some = pairs("cost_some_zero", 100, with_cost(0.02, 0.02))
    for record in some:
        if record["experiment_group"] == CANDIDATE and int(record["task_id"][1:]) % 10 == 0:
            record["cost_usd"] = 0.0
    yield Case("cost_some_zero", some, Right("deploy", route="better"))


def _directions() -> Iterator[Case]:
    yield Case(
        "lower_is_better",
        pairs(
            "lower_is_better",
            200,
            scored("declared_rate", lambda _: 0.4, lambda t: 0.10 if t % 2 else 0.12),
        ),
        Right("deploy", route="better", headline="Better in declared_rate (+29 points"),
    )
    yield Case(
        "undeclared_rate",
        pairs(
            "undeclared_rate",
            200,
            scored(
                "hallucination_rate",
                lambda t: 0.1 + 0.001 * (t % 7),
                lambda t: 0.3 - 0.001 * (t % 5),
            ),
        ),
        Right("needs_review", code="direction_unknown", headline="nobody has said"),
    )

    def times(task: int, arm: str) -> Record:
        value = 300 + task % 13 if arm == BASELINE else 894 + task % 11
        return {
            "scores": {"accuracy": float(task % 2)},
            "measurements": {"time_to_first_token_ms": value},
        }

    yield Case(
        "undeclared_time",
        pairs("undeclared_time", 200, times),
        Right("needs_review", label="not_worse"),
    )
