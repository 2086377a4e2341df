"""What calls cost: prices that hold on a day, tokens from a cache, tokens of reasoning."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chat_server import ChatServer, sums
from loader.errors import ConfigurationError
from loader.runner.answers import read_answer
from loader.runner.arms import Arm, Settings
from loader.runner.chat import ChatTarget
from loader.runner.session import run_missing
from loader.runner.tasks import read_tasks
from loader.tools.prices import Price, price_of
from loader.warehouse.connection import connect
from loader.warehouse.prices import read_prices

if TYPE_CHECKING:
    from pathlib import Path

    from loader.runner.outcome import Outcome

pytestmark = pytest.mark.newest_server

HEADER = (
    "model,valid_from,input_usd_per_million_tokens,cached_input_usd_per_million_tokens,"
    "output_usd_per_million_tokens,reasoning_usd_per_million_tokens\n"
)


def test_prices_are_found_with_provider_and_date() -> None:
    prices = read_prices()
    assert price_of("openai/gpt-4o-mini-2024-07-18", prices) == prices["gpt-4o-mini"]
    assert price_of("gpt-4o-mini", prices) == Price(0.15, 0.60, 0.075)
    assert price_of("qwen-coder-32b", prices) is None
    assert price_of("claude-sonnet-4-5", prices) == Price(3.0, 15.0)
    assert Price(2.0, 8.0).cost(1_000_000, 500_000) == 6.0


def test_the_price_that_holds_on_a_day_is_used(tmp_path: Path) -> None:
    path = tmp_path / "model_prices.csv"
    path.write_text(
        HEADER + "m,2026-03-01,3,,9,\nm,,1,,5,\nm,2026-01-01,2,0.5,8,20\nnew,2026-03-01,1,,1,\n"
    )
    for day, price in (
        ((2025, 12, 31), Price(1, 5)),
        ((2026, 1, 1), Price(2, 8, 0.5, 20)),
        ((2026, 2, 28), Price(2, 8, 0.5, 20)),
        ((2026, 3, 1), Price(3, 9)),
    ):
        found = read_prices(path, date(*day))
        assert found["m"] == price
        assert ("new" in found) == (day == (2026, 3, 1))


def test_a_file_without_the_new_columns_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model_prices.csv"
    path.write_text("model,input_usd_per_million_tokens,output_usd_per_million_tokens\nm,1,2\n")
    assert read_prices(path) == {"m": Price(1, 2)}


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("m,,-1,,2,", "line 2: a price of m is negative"),
        ("m,,1,nan,2,", "line 2: a price of m is negative or no number"),
        ("m,,,,2,", "line 2: could not convert"),
        ("m,soon,1,,2,", "line 2: Invalid isoformat"),
        ("m,,1,,2,\nm,,2,,3,", "line 3: m has another price from the same day on"),
    ],
)
def test_a_price_that_makes_no_sense_is_refused_and_named(
    tmp_path: Path, line: str, match: str
) -> None:
    path = tmp_path / "model_prices.csv"
    path.write_text(f"{HEADER}{line}\n")
    with pytest.raises(ConfigurationError, match=match):
        read_prices(path)


def test_kinds_of_tokens_have_prices_of_their_own() -> None:
    assert Price(2.0, 8.0).cost(1_000_000, 1_000_000, 0, 400_000) == 10.0
    assert Price(2.0, 8.0, 0.5).cost(1_000_000, 0, 600_000) == pytest.approx(1.1)
    assert Price(2.0, 8.0, 0.5, 20.0).cost(0, 1_000_000, 0, 500_000) == 14.0
    assert Price(2.0, 8.0).cost(1_000_000, 0, 1) is None
    assert Price(2.0, 8.0, 0.5).cost(10, 10, 11) is None
    assert Price(2.0, 8.0, 0.5).cost(10, 10, 0, 11) is None
    assert Price(2.0, 8.0, 0.5, 20.0).bound(1_000_000, 1_000_000) == 22.0
    assert Price(0.0, 0.0).cost(10, 10) == 0.0


def ask(url: str, server: ChatServer, price: Price | None, count: int = 1) -> Outcome:
    target = ChatTarget(server.url, "gpt-4o", price=price, first_wait=0.01)
    arm = Arm(target, "baseline", "1")
    settings = Settings(experiment_id="exp-1", timeout_seconds=5)
    return asyncio.run(run_missing([arm], read_tasks(sums(count)), (), settings, database_url=url))


def row(url: str, columns: str) -> tuple[Any, ...] | None:
    with connect(url) as connection:
        return connection.execute(f"select {columns} from raw_evals.evaluation_runs").fetchone()


COLUMNS = "cost_usd, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens"
USAGE = {
    "prompt_tokens": 10_000,
    "completion_tokens": 100,
    "total_tokens": 10_100,
    "prompt_tokens_details": {"cached_tokens": 9_000},
    "completion_tokens_details": {"reasoning_tokens": 0},
}


def test_cached_tokens_cost_what_cached_tokens_cost(database_url: str) -> None:
    with ChatServer() as server:
        server.usage = USAGE
        outcome = ask(database_url, server, price_of("gpt-4o", read_prices()), 3)
    # 1,000 at 2.50, 9,000 at 1.25 and 100 at 10.00 US dollars a million
    assert row(database_url, COLUMNS) == (pytest.approx(0.01475), 10_000, 100, 9_000, 0)
    assert outcome.cost_usd == pytest.approx(3 * 0.01475)


def test_cached_tokens_without_a_price_make_the_cost_unknown_which_is_said(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ChatServer() as server:
        server.usage = USAGE
        outcome = ask(database_url, server, Price(2.5, 10.0), 3)
    assert (outcome.cost_usd, outcome.unknown_costs) == (None, 3)
    assert row(database_url, COLUMNS) == (None, 10_000, 100, 9_000, 0)
    assert row(database_url, "metadata #> '{run,cost_usd_at_most}'") == (0.026,)
    said = [message for message in caplog.messages if "cached_input_usd" in message]
    assert len(said) == 1


def test_tokens_counted_beside_the_others_cost_at_most_what_they_cost_on_top(
    database_url: str,
) -> None:
    with ChatServer() as server:
        server.usage = {**USAGE, "prompt_tokens": 1_000}
        ask(database_url, server, Price(2.5, 10.0, 0.25))
    assert row(database_url, COLUMNS) == (None, 1_000, 100, 9_000, 0)
    assert row(database_url, "metadata #> '{run,cost_usd_at_most}'") == (0.026,)


@pytest.mark.parametrize(
    "details", [None, [], "many", {"cached_tokens": None}, {"cached_tokens": "9"}, {}]
)
def test_details_of_any_shape_do_not_cost_the_answer(database_url: str, details: object) -> None:
    with ChatServer() as server:
        server.usage = {**USAGE, "prompt_tokens_details": details}
        assert ask(database_url, server, Price(2.5, 10.0)).succeeded == 1
    assert row(database_url, COLUMNS) == (pytest.approx(0.026), 10_000, 100, None, 0)


def test_a_function_may_say_what_kinds_of_tokens_it_used() -> None:
    flat = {"prompt_tokens": 5, "completion_tokens": 3, "cached_tokens": 4, "reasoning_tokens": 2}
    nested = {
        "input_tokens": 5,
        "output_tokens": 3,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 2},
    }
    for usage in (flat, nested):
        answer = read_answer({"output": "x", "usage": usage}, 1.0)
        assert (answer.tokens_used, answer.cached_tokens, answer.reasoning_tokens) == (8, 4, 2)
