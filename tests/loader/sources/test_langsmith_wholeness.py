"""What an experiment lacks is told: runs, repetitions, examples, and what chance left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from loader.records.checker import Defaults
from loader.sources import ArmPlan
from loader.sources.langsmith import LangSmithSource, Wishes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langsmith_server import LangSmithServer
    from loader.sources.langsmith import LangSmith

    Connect = Callable[[], LangSmith]

BEGUN = datetime.now(UTC) - timedelta(hours=1)
ARM = ("exp", "code-chef", "1.0.0")
WISHES = Wishes(Defaults(**dict(zip(  # type: ignore[arg-type]
    ("experiment_id", "experiment_group", "extension_version"), ARM, strict=True
))))  # fmt: skip


def notes(
    server: LangSmithServer,
    connect: Connect,
    runs: Sequence[int],
    metadata: dict[str, Any],
    **run: Any,  # noqa: ANN401
) -> tuple[list[str], Sequence[ArmPlan]]:
    """Read an experiment with so many runs of each example."""
    dataset = server.add_dataset("scenarios")
    session = server.add_session(
        "exp", reference_dataset_id=dataset["id"], start_time=BEGUN.isoformat(),
        extra={"metadata": metadata},
    )  # fmt: skip
    for count in runs:
        example = server.add_example(dataset, {}, {}, {})
        example["created_at"] = (BEGUN - timedelta(days=1)).isoformat()
        for _ in range(count):
            server.add_run(session, BEGUN, reference_example_id=example["id"], **run)
    source = LangSmithSource(connect(), "exp", WISHES)
    assert len(list(source.rows())) == sum(runs)
    return source.notes(), source.plans()


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        ([3, 3], []),
        # more than were planned of one do not make up for another
        ([5, 2], ["5 of 6 runs finished (2 examples, 3 times each)"]),
        ([3, 0], ["1 example of the dataset without a run.", "3 of 6 runs finished"]),
    ],
)
def test_runs_are_held_against_examples_times_repetitions(
    stand_in: LangSmithServer, connect_langsmith: Connect, runs: list[int], told: list[str]
) -> None:
    found, plans = notes(stand_in, connect_langsmith, runs, {"num_repetitions": 3})
    assert plans == [ArmPlan(*ARM, 3, len(runs))]
    assert len(found) == len(told)
    for note, part in zip(found, told, strict=True):
        assert part in note


def test_an_evaluation_that_broke_off_is_told(
    stand_in: LangSmithServer, connect_langsmith: Connect
) -> None:
    found, plans = notes(stand_in, connect_langsmith, [1, 0, 0], {})
    assert found == [
        "2 examples of the dataset without a run; its evaluation has not ended, or broke off."
    ]
    assert plans == [ArmPlan(*ARM, None, 3)]


@pytest.mark.parametrize(
    ("variable", "rate", "told"),
    [
        ("LANGSMITH_TRACING_SAMPLING_RATE", "0.5", "sampling rate 0.5"),
        ("LANGCHAIN_TRACING_SAMPLING_RATE", 0.25, "sampling rate 0.25"),
        ("LANGSMITH_TRACING_SAMPLING_RATE", "1.0", ""),
        ("LANGSMITH_TRACING_SAMPLING_RATE", "all", ""),
    ],
)
def test_a_sample_is_told(
    stand_in: LangSmithServer,
    connect_langsmith: Connect,
    variable: str,
    rate: object,
    told: str,
) -> None:
    extra = {"metadata": {variable: rate}}
    found, _ = notes(stand_in, connect_langsmith, [1], {"num_repetitions": 1}, extra=extra)
    assert told in " ".join(found)
    assert bool(found) == bool(told)
