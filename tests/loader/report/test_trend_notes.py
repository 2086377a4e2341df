from __future__ import annotations

import pytest

from loader.show.views import misleading_means
from loader.tools.tables import Column, Table

VERSION = {
    "experiment_group": "code-chef",
    "extension_version": "1.1.0",
    "model_version": "m-1",
    "previous_extension_version": "1.0.0",
    "plain_change": 0.02,
    "shared_task_count": 40,
    "change_method": "paired",
    "change_p_value": 0.031,
    "has_opposite_signs": True,
}


def notes(*changes: dict[str, object]) -> list[str]:
    rows = [tuple({**VERSION, **change}.values()) for change in changes]
    return list(misleading_means(Table([Column(name) for name in VERSION], rows)))


@pytest.mark.parametrize(
    ("change", "ending"),
    [
        ({}, "it fell (p = 0.031)."),
        ({"plain_change": -0.02}, "it rose (p = 0.031)."),
        ({"change_p_value": 0.00001}, "it fell (p < 0.0001)."),
        ({"change_p_value": None, "change_method": None}, "it fell."),
        # that test is about all tasks, the shared ones are too few
        ({"change_method": "welch", "shared_task_count": 4}, "it fell."),
    ],
)
def test_the_p_value_is_that_of_the_shared_tasks(change: dict[str, object], ending: str) -> None:
    (note,) = notes(change)
    assert note.startswith("code-chef 1.1.0: the mean ")
    assert note.endswith(ending)


def test_nothing_is_said_where_both_agree_or_none_is_known() -> None:
    assert notes({"has_opposite_signs": False}, {"has_opposite_signs": None}) == []


def test_models_are_told_apart_where_there_are_several() -> None:
    first, second = notes({}, {"model_version": "m-2"})
    assert first.startswith("code-chef 1.1.0 m-1: ")
    assert second.startswith("code-chef 1.1.0 m-2: ")
