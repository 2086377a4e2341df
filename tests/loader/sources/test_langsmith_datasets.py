"""`datasets`: what the old `--list-datasets` printed, over a real socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from langsmith_server import Fault, fill
from loader.cli import cli
from loader.sources.langsmith.datasets import list_datasets

if TYPE_CHECKING:
    from collections.abc import Callable

    from langsmith_server import LangSmithServer
    from loader.sources.langsmith import LangSmith


def test_datasets_are_listed_with_examples_and_experiments(stand_in: LangSmithServer) -> None:
    scenarios, other = stand_in.add_dataset("ib-scenarios"), stand_in.add_dataset("other")
    for place in range(3):
        stand_in.add_example(scenarios, {"question": place}, {"answer": place}, {})
    session = fill(stand_in, 1, 0, "exp")
    session["reference_dataset_id"] = other["id"]
    session["start_time"] = "2026-03-01T10:00:00+00:00"
    result = CliRunner().invoke(cli, ["datasets", "--format", "json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [(row["dataset"], row["examples"], row["experiments"]) for row in rows] == [
        ("other", 0, 1),
        ("ib-scenarios", 3, 0),
    ]
    assert rows[0]["last_experiment_at"].startswith("2026-03-01T10:00:00")
    assert rows[1]["last_experiment_at"] is None
    assert rows[1]["changed_at"]
    told = CliRunner().invoke(cli, ["datasets", "--name", "SCEN"]).stdout
    assert "ib-scenarios" in told
    assert "other" not in told
    empty = CliRunner().invoke(cli, ["datasets", "--name", "nothing"])
    assert empty.stdout == "LangSmith has no such dataset.\n"


def test_as_many_pages_are_read_as_there_are_and_no_more_than_asked_for(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    for place in range(201):
        stand_in.add_dataset(f"d{place:03}")
    client = connect_langsmith()
    assert len({each.name for each in list_datasets(client)}) == 201
    assert stand_in.counts()["/datasets"] == 3
    assert len(list(list_datasets(client, limit=100))) == 100
    assert stand_in.counts()["/datasets"] == 4
    assert len(list(list_datasets(client, limit=150))) == 150
    assert stand_in.counts()["/datasets"] == 6


def test_a_count_that_the_service_does_not_say_stays_unknown(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    body = b'[{"id": "1", "name": "bare", "example_count": null}]'
    stand_in.faults.append(
        Fault("/datasets", status=200, body=body, headers={"Content-Type": "application/json"})
    )
    (found,) = list_datasets(connect_langsmith(), limit=5)
    assert found.name == "bare"
    assert [found.example_count, found.experiment_count, found.changed_at] == [None] * 3
