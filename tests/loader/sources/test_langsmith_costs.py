"""Tokens and cost of LangSmith's runs: zeros nobody measured, costs by a list of prices."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from langsmith_records import read
from langsmith_server import Fault, fill
from loader.cli import cli
from loader.sources.langsmith import LangSmithSource, Wishes
from loader.tools.prices import PriceList
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from langsmith_server import LangSmithServer
    from loader.sources.langsmith import LangSmith

    Connect = Callable[[], LangSmith]

BEGUN = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING = {"total_tokens": 0, "prompt_tokens": 0, "completion_tokens": 0, "total_cost": 0}
SPENT = {"total_tokens": 9, "prompt_tokens": 6, "completion_tokens": 3}
ANSWER = {"text": "yes"}


def trace(server: LangSmithServer, root: dict[str, Any], *below: dict[str, Any]) -> None:
    """Make a run of a project, and runs below it."""
    session = next(iter(server.sessions.values()), None) or server.add_session(
        "one", start_time=BEGUN.isoformat()
    )
    example = str(uuid.uuid4())
    run = server.add_run(session, BEGUN, reference_example_id=example, **root)
    for each in below:
        place = {"trace_id": run["id"], "parent_run_id": run["id"], "run_type": "llm"}
        server.add_run(session, BEGUN, **place | each)


@pytest.mark.parametrize(
    ("root", "below", "expected"),
    [
        # nobody measured
        (NOTHING, [{**NOTHING, "outputs": ANSWER}], (None, None)),
        (NOTHING, [{**NOTHING, "total_tokens": None, "outputs": ANSWER}], (None, None)),
        # tokens are known, a price is not
        ({**SPENT, "total_cost": 0}, [{**SPENT, "total_cost": None, "outputs": ANSWER}], (9, None)),
        # a model of one's own: tokens counted, and it costs nothing
        ({**SPENT, "total_cost": 0}, [{**SPENT, "total_cost": 0, "outputs": ANSWER}], (9, 0)),
        # one of two models has no price
        (
            {**SPENT, "total_cost": 0},
            [{**SPENT, "total_cost": total, "outputs": ANSWER} for total in (0, None)],
            (9, None),
        ),
        # no model answered
        (NOTHING, [], (0, 0)),
        (NOTHING, [{**NOTHING, "run_type": "tool", "outputs": ANSWER}], (0, 0)),
        (NOTHING, [{**NOTHING, "outputs": None, "error": "refused"}], (0, 0)),
    ],
)
def test_a_zero_is_one_only_where_it_was_measured(
    stand_in: LangSmithServer,
    connect_langsmith: Connect,
    root: dict[str, Any],
    below: list[dict[str, Any]],
    expected: tuple[int | None, float | None],
) -> None:
    trace(stand_in, root, *below)
    source = LangSmithSource(connect_langsmith(), "one")
    [row] = source.rows()
    assert row.fields is not None
    assert (row.fields["tokens_used"], row.fields["cost_usd"]) == expected
    was_zero = (root["total_tokens"], root["total_cost"])
    assert any("unknown, not 0" in note for note in source.notes()) == (expected != was_zero)
    assert source.reference().get("unmeasured") == (1 if expected != was_zero else None)
    if expected[0] is None:
        about: Any = row.fields["metadata"]
        assert "prompt_tokens" not in about["langsmith"]


@pytest.mark.backends("dual")
def test_models_below_are_asked_for_only_where_a_zero_is_and_all_at_once(
    stand_in: LangSmithServer, connect_langsmith: Connect
) -> None:
    fill(stand_in, 300, 0)
    read(connect_langsmith)
    asked = len(stand_in.log)
    for run in stand_in.runs.values():
        run["total_cost"] = 0
    assert [fields["cost_usd"] for fields in read(connect_langsmith)] == [0] * 300
    # no model answered anywhere: one request says so
    assert len(stand_in.log) - asked == asked + 1


PRICES = PriceList(
    [
        {"model": "m", "valid_from": since, "input_usd_per_million_tokens": price,
         "output_usd_per_million_tokens": "10", "cached_input_usd_per_million_tokens": "0.5"}
        for since, price in (("", "1"), ("2026-03-01", "2"), ("2026-03-02", "9"))
    ],
    "prices.csv",
)  # fmt: skip
COUNTED = {"total_tokens": 1500, "prompt_tokens": 1000, "completion_tokens": 500}


@pytest.mark.parametrize(
    ("run", "expected", "told"),
    [
        ({**COUNTED, "total_cost": None}, 0.007, "cost of 1 run is by prices.csv"),
        ({**COUNTED, "total_cost": 0.5}, 0.5, ""),
        ({**COUNTED, "total_cost": 0}, 0, ""),
        (
            {**COUNTED, "total_cost": None, "prompt_token_details": {"cache_read": 400}},
            0.0064, "cost of 1 run",
        ),
        (
            {**COUNTED, "total_cost": None, "extra": {"metadata": {"model": "other"}}},
            None, "no price of the model of 1 run: other 1",
        ),
        ({**COUNTED, "total_cost": None, "prompt_tokens": None}, None, "without counts of tokens"),
    ],
)  # fmt: skip
def test_a_price_list_makes_the_cost_that_the_service_lacks(
    stand_in: LangSmithServer,
    connect_langsmith: Connect,
    run: dict[str, Any],
    expected: float | None,
    told: str,
) -> None:
    trace(stand_in, {"extra": {"metadata": {"model": "provider/m"}}} | run)
    source = LangSmithSource(connect_langsmith(), "one", Wishes(prices=PRICES))
    [row] = source.rows()
    assert row.fields is not None
    assert row.fields["cost_usd"] == (None if expected is None else pytest.approx(expected))
    about: Any = row.fields["metadata"]
    is_made = "cost of 1 run" in told
    assert about["langsmith"].get("cost_source") == ("prices" if is_made else None)
    assert told in " ".join(source.notes())
    assert bool(source.notes()) == bool(told)
    [plain] = read(connect_langsmith, "one")
    assert plain["cost_usd"] == run["total_cost"]


@pytest.mark.backends("dual")
@pytest.mark.newest_server
def test_the_command_prices_by_the_seed(stand_in: LangSmithServer, database_url: str) -> None:
    metadata = {"model": "gpt-4.1", "experiment_group": "code-chef", "extension_version": "1"}
    # not measured, and so priced by nobody
    trace(stand_in, {**NOTHING, "extra": {"metadata": metadata}}, {**NOTHING, "outputs": ANSWER})
    trace(stand_in, {**COUNTED, "total_cost": None, "extra": {"metadata": metadata}})
    done = CliRunner().invoke(
        cli, ["ingest", "--project", "one", "--price", "--database-url", database_url]
    )
    assert done.exit_code == 0, done.output
    assert "The cost of 1 run is by seeds/model_prices.csv" in done.output
    assert "without counts of tokens by which to price: 1 run." in done.output
    with connect(database_url) as connection:
        found = connection.execute(
            "select cost_usd, tokens_used from raw_evals.evaluation_runs order by cost_usd"
        ).fetchall()
    assert found == [(pytest.approx(0.006), 1500), (None, None)]
    of_a_file = ["ingest", "--file", "x.jsonl", "--price", "--database-url", database_url]
    refused = CliRunner().invoke(cli, of_a_file)
    assert (refused.exit_code, "--price is for LangSmith" in refused.output) == (2, True)


@pytest.mark.backends("v2")
def test_a_model_run_that_is_no_sound_json_costs_no_load(
    stand_in: LangSmithServer, connect_langsmith: Connect
) -> None:
    trace(stand_in, NOTHING, {**NOTHING, "outputs": ANSWER})
    body = b'{"items": [{"id": "a", "outputs": {"text": NaN}, "error": "\\ud800"}]}'
    stand_in.faults = [Fault("/runs/query", after=1, status=200, body=body)]
    source = LangSmithSource(connect_langsmith(), "one")
    [row] = source.rows()
    assert row.fields is not None
    # what it would have told is not known: the zeros stay as they were
    assert (row.fields["tokens_used"], row.fields["cost_usd"]) == (0, 0)
