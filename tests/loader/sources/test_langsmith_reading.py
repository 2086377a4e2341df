"""Reading an experiment over a real socket: both run queries, every form, every page size."""

from __future__ import annotations

import uuid
import warnings
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from langsmith import Client

from langsmith_records import read
from langsmith_server import LangSmithServer, fill
from loader.errors import ConfigurationError
from loader.records.checker import Defaults
from loader.sources.langsmith import LangSmith, LangSmithSource, Wishes

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime.now(UTC).replace(microsecond=123_000) - timedelta(hours=2)


@pytest.mark.parametrize(("backend", "query"), [("v1", "v1"), ("v2", "v2"), ("dual", "v2")])
def test_each_backend_gives_the_same_records(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], backend: str, query: str
) -> None:
    fill(stand_in, 3, 2)
    expected = read(connect_langsmith)
    stand_in.backend = backend
    stand_in.flags = {"ch_query_enabled": backend != "v2", "sdb_query_enabled": backend != "v1"}
    source = LangSmithSource(connect_langsmith(), "large")
    assert [row.fields for row in source.rows()] == expected
    assert source.reference()["query"] == query
    assert source.reference()["requests"] == 5


@pytest.mark.parametrize("backend", ["v1", "v2"])
def test_a_server_that_says_nothing_is_asked_until_it_answers(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], backend: str
) -> None:
    fill(stand_in, 3, 1)
    stand_in.backend = backend
    # says the opposite of what is so: 404 from one, 501 from the other, leads to the other
    stand_in.flags = {"sdb_query_enabled": backend == "v1"}
    source = LangSmithSource(connect_langsmith(), "large")
    assert len(list(source.rows())) == 3
    assert source.reference()["query"] == backend
    assert source.reference()["requests"] == 6


def test_a_record_has_what_the_run_has(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session(
        "one", extra={"metadata": {"dataset_version": "2026-11-01T00:00:00Z", "agent_name": "a"}}
    )
    metadata = {"task_id": "t-1", "ls_model_name": "qwen", "LANGSMITH_PROJECT": "noise", "k": 1}
    run = stand_in.add_run(session, START, seconds=1.8509, extra={"metadata": metadata})
    stand_in.add_feedback(run, "accuracy", 0.5)
    defaults = Defaults(experiment_id="e", experiment_group="code-chef", extension_version="1.0")
    (fields,) = read(connect_langsmith, "one", defaults=defaults)
    assert fields | {"feedback": [], "metadata": {}} == {
        "experiment_id": "e", "experiment_group": "code-chef", "extension_version": "1.0",
        "agent_name": "a", "model_version": "qwen", "task_id": "t-1",
        "source_run_id": run["id"], "repetition": 1,
        "recorded_at": START.isoformat(timespec="microseconds"), "scores": {"accuracy": 0.5},
        "latency_ms": 1850.0, "tokens_used": 100, "cost_usd": 0.001, "success": True,
        "error_message": None, "dataset_version": "2026-11-01T00:00:00.000000+00:00",
        "evaluator_versions": {}, "feedback": [], "metadata": {},
    }  # fmt: skip
    assert "LANGSMITH_PROJECT" not in fields["metadata"]
    assert fields["metadata"]["k"] == 1
    assert fields["metadata"]["langsmith"]["project"] == "one"


@pytest.mark.parametrize("query", ["v1", "v2"])
@pytest.mark.parametrize(
    ("endpoint", "web"),
    [
        ("https://api.smith.langchain.com", "https://smith.langchain.com"),
        ("https://eu.api.smith.langchain.com", "https://eu.smith.langchain.com"),
        ("https://smith.example.org/api/v1", "https://smith.example.org"),
    ],
)
def test_a_record_says_where_to_look_at_its_run(
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    query: str,
    endpoint: str,
    web: str,
) -> None:
    stand_in.flags = {"sdb_query_enabled": query == "v2"}
    session = stand_in.add_session("one")
    run = stand_in.add_run(session, START, extra={"metadata": {"task_id": "t-1"}})
    client = connect_langsmith()
    client.endpoint = endpoint
    (row,) = LangSmithSource(client, "one").rows()
    built = Client(api_url=endpoint, api_key="k", auto_batch_tracing=False)
    built._tenant_id = uuid.UUID(session["tenant_id"])  # noqa: SLF001  spares it a request
    asked = SimpleNamespace(id=run["id"], session_id=session["id"])
    with pytest.warns(DeprecationWarning, match="get_run_url"):
        expected = built.get_run_url(run=asked, project_id=session["id"])
    assert row.fields["metadata"]["langsmith"]["url"] == expected
    assert expected.startswith(f"{web}/o/")


def test_a_run_of_an_unknown_workspace_has_no_address(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("one", tenant_id=None)
    stand_in.add_run(session, START, extra={"metadata": {"task_id": "t-1"}})
    (row,) = LangSmithSource(connect_langsmith(), "one").rows()
    assert "url" not in row.fields["metadata"]["langsmith"]


@pytest.mark.parametrize("with_io", [False, True])
def test_inputs_and_outputs_are_kept_only_on_request(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], with_io: bool
) -> None:
    fill(stand_in, 1, 0)
    source = LangSmithSource(connect_langsmith(), "large", Wishes(with_io=with_io))
    (row,) = source.rows()
    assert (b"private" in row.original) is with_io
    asked = stand_in.bodies[-1].get("selects") or stand_in.bodies[-1]["select"]
    assert ("outputs" in map(str.lower, asked)) is with_io


@pytest.mark.parametrize(
    ("cost", "expected"),
    [(0.00052065, 0.00052065), ("0.00052065", 0.00052065), (None, None), (0, 0.0)],
)
@pytest.mark.parametrize("backend", ["v1", "v2"])
def test_cost_may_be_a_number_text_or_null(
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    backend: str,
    cost: object,
    expected: float | None,
) -> None:
    stand_in.flags = {"sdb_query_enabled": backend == "v2"}
    session = stand_in.add_session("one")
    stand_in.add_run(session, total_cost=cost, reference_example_id=str(uuid.uuid4()))
    assert [fields["cost_usd"] for fields in read(connect_langsmith, "one")] == [expected]


@pytest.mark.backends("dual")
def test_decimal_text_of_any_length_is_a_cost(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    stand_in.flags = {"sdb_query_enabled": False}
    session = stand_in.add_session("one")
    text = str(Decimal("0.000000000000123456789"))
    stand_in.add_run(session, total_cost=text, extra={"metadata": {"task_id": "t"}})
    assert read(connect_langsmith, "one")[0]["cost_usd"] == float(text)


@pytest.mark.parametrize("extra", [None, {}, {"metadata": None}])
@pytest.mark.parametrize("backend", ["v1", "v2"])
def test_metadata_may_be_null(
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    backend: str,
    extra: object,
) -> None:
    stand_in.flags = {"sdb_query_enabled": backend == "v2"}
    session = stand_in.add_session("one", extra=extra)
    example = str(uuid.uuid4())
    stand_in.add_run(session, extra=extra or {}, reference_example_id=example)
    assert [fields["task_id"] for fields in read(connect_langsmith, "one")] == [example]


@pytest.mark.backends("dual")
def test_a_time_without_a_zone_is_utc(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    fill(stand_in, 1, 0)
    stand_in.flags = {"sdb_query_enabled": False}
    stand_in.naive_times = True
    (naive,) = read(connect_langsmith)
    stand_in.naive_times = False
    assert [naive] == read(connect_langsmith)
    assert naive["recorded_at"].endswith("+00:00")


def test_the_task_is_that_of_the_metadata_before_the_example(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("one")
    example = str(uuid.uuid4())
    stand_in.add_run(session, START, extra={"metadata": {"task_id": "named"}},
                     reference_example_id=example)  # fmt: skip
    stand_in.add_run(session, START + timedelta(1 / 24), reference_example_id=example)
    stand_in.add_run(session, START + timedelta(1 / 12))
    rows = list(LangSmithSource(connect_langsmith(), "one").rows())
    assert [row.fields and row.fields["task_id"] for row in rows] == ["named", example, None]
    assert rows[2].rejection is not None
    assert rows[2].rejection.reason_code == "missing_field"
    assert b"private" not in rows[2].original


def test_repetitions_are_numbered_by_start_and_counted_per_arm(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("one")
    for group, minute in [("a", 3), ("b", 1), ("a", 2), ("a", 1)]:
        stand_in.add_run(
            session,
            START + timedelta(minutes=minute),
            status="pending" if (group, minute) == ("a", 2) else "success",
            extra={"metadata": {"task_id": "t", "experiment_group": group}},
        )
    found = {
        (fields["experiment_group"], fields["repetition"], fields["recorded_at"][14:16])
        for fields in read(connect_langsmith, "one")
    }
    minute = START.minute
    # the pending run keeps the number 2 for when it is done
    assert found == {
        ("a", 1, f"{(minute + 1) % 60:02}"),
        ("a", 3, f"{(minute + 3) % 60:02}"),
        ("b", 1, f"{(minute + 1) % 60:02}"),
    }


@pytest.mark.parametrize("backend", ["v1", "v2"])
def test_pending_runs_wait_for_the_next_ingest(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], backend: str
) -> None:
    stand_in.flags = {"sdb_query_enabled": backend == "v2"}
    session = fill(stand_in, 2, 0)
    late = stand_in.add_run(session, status="pending", extra={"metadata": {"task_id": "late"}})
    source = LangSmithSource(connect_langsmith(), "large")
    assert len(list(source.rows())) == 2
    assert source.reference()["pending"] == 1
    assert "not finished: 1 run;" in source.notes()[0]
    late.update(status="error", error="boom", end_time=late["start_time"])
    done = {fields["task_id"]: fields for fields in read(connect_langsmith)}
    assert (done["late"]["success"], done["late"]["error_message"]) == (False, "boom")


def test_examples_are_read_only_for_a_named_dataset(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    dataset = stand_in.add_dataset("scenarios")
    examples = [stand_in.add_example(dataset, {"q": n}, {}, {}) for n in range(100)]
    session = stand_in.add_session("exp", reference_dataset_id=dataset["id"])
    stand_in.add_run(session, reference_example_id=examples[0]["id"])
    assert len(read(connect_langsmith, "exp")) == 1
    assert stand_in.counts()["/examples"] == 0
    source = LangSmithSource(connect_langsmith(), "exp", Wishes(dataset="scenarios"))
    assert len(list(source.rows())) == 1
    assert stand_in.counts()["/examples"] == 2
    assert source.reference()["examples_without_run"] == 99


def test_an_experiment_on_another_dataset_is_refused(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    stand_in.add_dataset("scenarios")
    stand_in.add_session("exp", reference_dataset_id=str(uuid.uuid4()))
    with pytest.raises(ConfigurationError, match="not an experiment on dataset 'scenarios'"):
        read(connect_langsmith, "exp", dataset="scenarios")


def test_a_project_may_be_named_by_its_id(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = fill(stand_in, 1, 0)
    assert len(read(connect_langsmith, session["id"])) == 1


def test_endpoints_may_end_in_api_or_its_version(
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(stand_in, 1, 1)
    for suffix in ("/api", "/api/v1"):
        monkeypatch.setenv("LANGSMITH_ENDPOINT", stand_in.url + suffix)
        assert len(read(connect_langsmith)) == 1


def test_no_deprecated_part_of_the_sdk_is_used(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    fill(stand_in, 2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read(connect_langsmith)) == 2
