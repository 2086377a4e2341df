"""Names and places at LangSmith: what is read from which metadata, and what `--key` changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import servers
from langsmith_records import read
from loader.cli import cli
from loader.errors import ConfigurationError
from loader.records.checker import Defaults
from loader.sources.langsmith import LangSmithSource, Wishes
from loader.sources.langsmith.names import READ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langsmith_server import LangSmithServer
    from loader.sources import SourceRow
    from loader.sources.langsmith import LangSmith

    Connect = Callable[[], LangSmith]

GUIDE = servers.REPOSITORY / "docs" / "langsmith.md"


def experiment(server: LangSmithServer, run: object, example: object = None, **project: Any) -> str:  # noqa: ANN401
    """Make an experiment of one run of one example, and return the id of the example."""
    dataset = server.add_dataset("scenarios")
    session = server.add_session(
        "exp", reference_dataset_id=dataset["id"], extra={"metadata": project}
    )
    there = server.add_example(dataset, {"id": "i-7"}, {"label": "yes"}, example)  # type: ignore[arg-type]
    server.add_run(
        session, reference_example_id=there["id"], extra={"metadata": run},
        inputs={"id": 7, "case": {"no": "n-1"}}, tags=["later", "version:2.0", "case=t-9"],
    )  # fmt: skip
    return str(there["id"])


def row(connect: Connect, **wishes: Any) -> SourceRow:  # noqa: ANN401
    (found,) = LangSmithSource(connect(), "exp", Wishes(**wishes)).rows()
    return found


def test_the_old_codes_names_are_read(
    stand_in: LangSmithServer, connect_langsmith: Connect
) -> None:
    experiment(stand_in, {
        "agent": "undo", "model": "qwen", "task_id": 17, "extension_version": 2,
        "experiment_group": "code-chef", "experiment_id": True,
    })  # fmt: skip
    (fields,) = read(connect_langsmith, "exp")
    assert {name: fields.get(name) for name in READ} == {
        "agent_name": "undo", "model_version": "qwen", "task_id": "17", "extension_version": "2",
        "experiment_group": "code-chef", "experiment_id": "true", "baseline_experiment_id": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (({"agent": "r"}, {"agent_name": "e"}, {"agent_name": "p"}), "r"),
        (({}, {"agent": "e"}, {"agent_name": "p"}), "e"),
        (({"agent": ""}, {}, {"agent": "p"}), "p"),
        (({"agent": "second", "agent_name": "first"}, {}, {}), "first"),
        (({"agent_name": None}, None, {}), "option"),
    ],
)
def test_the_run_counts_before_its_example_and_that_before_the_project(
    stand_in: LangSmithServer,
    connect_langsmith: Connect,
    said: tuple[object, object, dict[str, Any]],
    expected: str,
) -> None:
    run, example, project = said
    experiment(stand_in, run, example, **project)
    defaults = Defaults(agent_name="option")
    found = row(connect_langsmith, dataset="scenarios", defaults=defaults)
    assert found.fields is not None
    assert found.fields["agent_name"] == expected


@pytest.mark.parametrize(
    ("run", "option", "expected"),
    [
        ({"ls_model_name": "traced"}, None, "traced"),
        ({"ls_model_name": "traced"}, "said", "said"),
        ({"ls_model_name": "traced", "model": "stated"}, None, "stated"),
        # not the option: the check rejects the contradiction
        ({"model": "stated"}, "said", "stated"),
    ],
)
def test_what_langsmith_reports_of_the_model_only_fills_a_gap(
    stand_in: LangSmithServer,
    connect_langsmith: Connect,
    run: object,
    option: str | None,
    expected: str,
) -> None:
    experiment(stand_in, run)
    found = row(connect_langsmith, defaults=Defaults(model_version=option))
    assert found.fields is not None
    assert found.fields["model_version"] == expected


@pytest.mark.parametrize("value", [1.5, {"name": "qwen"}, ["a"]])
def test_a_value_that_is_no_name_is_rejected_by_field_and_place(
    stand_in: LangSmithServer, connect_langsmith: Connect, value: object
) -> None:
    experiment(stand_in, {"model": value})
    found = row(connect_langsmith)
    assert found.rejection is not None
    assert found.rejection.reason_code == "wrong_type"
    assert found.rejection.reason.startswith("model_version is read from metadata.model, which")
    assert "--key model_version=PLACE" in found.rejection.reason
    nowhere = row(connect_langsmith, keys={"model_version": "none"})
    assert nowhere.fields is not None
    assert "model_version" not in nowhere.fields


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("metadata.case", "c-1"),
        ("metadata.dotted.name", "d-1"),
        ("metadata.nested.name", "n-1"),
        ("inputs.id", "7"),
        ("inputs.case.no", "n-1"),
        ("tags.case", "t-9"),
        ("tags.version", "2.0"),
        ("name", "Target"),
        ("example.metadata.v", "3"),
        ("example.inputs.id", "i-7"),
        ("example.outputs.label", "yes"),
        ("project.metadata.x", "px"),
        ("project.name", "exp"),
    ],
)
@pytest.mark.parametrize("query", ["v1", "v2"])
def test_a_key_reads_a_field_from_where_it_says(
    stand_in: LangSmithServer, connect_langsmith: Connect, query: str, place: str, expected: str
) -> None:
    stand_in.flags = {"sdb_query_enabled": query == "v2"}
    run = {"task_id": "t", "case": "c-1", "dotted.name": "d-1", "nested": {"name": "n-1"}}
    experiment(stand_in, run, {"v": 3}, x="px")
    found = row(connect_langsmith, keys={"task_id": place})
    assert found.fields is not None
    assert found.fields["task_id"] == expected
    # read for the name, but not kept
    assert "inputs" not in found.fields
    assert stand_in.counts()["/examples"] == place.startswith("example.")


def test_a_key_is_the_only_place_that_is_read(
    stand_in: LangSmithServer, connect_langsmith: Connect
) -> None:
    example = experiment(stand_in, {"task_id": "t", "case_id": "c", "agent": "undo"})
    found = row(connect_langsmith, keys={"task_id": "metadata.case_ids", "agent_name": "name"})
    assert found.fields is None
    assert found.rejection is not None
    assert found.rejection.reason == (
        "task_id is to be read from metadata.case_ids, where this run has nothing"
        " (did you mean metadata.case_id, metadata.task_id?)"
    )
    found = row(connect_langsmith, keys={"task_id": "none"}, defaults=Defaults(agent_name="a"))
    assert found.rejection is not None
    found = row(connect_langsmith, keys={"agent_name": "metadata.who"},
                defaults=Defaults(agent_name="a"))  # fmt: skip
    assert found.fields is not None
    assert found.fields["agent_name"] == "a"
    stand_in.runs.popitem()
    stand_in.add_run(next(iter(stand_in.sessions.values())), reference_example_id=example,
                     extra={"metadata": {"task_id": ""}})  # fmt: skip
    found = row(connect_langsmith)
    assert found.fields is not None
    assert found.fields["task_id"] == example


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("task=metadata.case", "no field that a name is read for (did you mean task_id?)"),
        ("task_id=metdata.case", "did you mean metadata.NAME"),
        ("task_id=example.meta.case", "did you mean example.metadata.NAME"),
        ("task_id=tags.", "names no place"),
        ("task_id", "write FIELD=PLACE"),
        ("task_id=", "write FIELD=PLACE"),
    ],
)
def test_a_key_that_names_no_field_or_place_is_refused_before_anything_is_asked(
    stand_in: LangSmithServer, database_url: str, key: str, told: str
) -> None:
    done = CliRunner().invoke(
        cli, ["ingest", "--project", "exp", "--key", key, "--database-url", database_url]
    )
    assert done.exit_code == 2
    assert told in done.output
    assert stand_in.log == []


def test_keys_are_for_langsmith_and_each_has_one_place(database_url: str) -> None:
    both = ["--key", "task_id=name", "--key", "task_id=metadata.x"]
    for arguments, told in (
        (["--file", "x.jsonl", "--key", "task_id=name"], "--key is for LangSmith"),
        (["--project", "exp", *both], "task_id has two places"),
    ):
        done = CliRunner().invoke(cli, ["ingest", *arguments, "--database-url", database_url])
        assert (done.exit_code, told in done.output) == (2, True), done.output


def test_a_key_into_examples_needs_a_dataset(
    stand_in: LangSmithServer, connect_langsmith: Connect
) -> None:
    experiment(stand_in, {})
    next(iter(stand_in.sessions.values()))["reference_dataset_id"] = None
    with pytest.raises(ConfigurationError, match="'exp' is no experiment on a dataset"):
        row(connect_langsmith, keys={"task_id": "example.metadata.case"})


@pytest.mark.parametrize(
    ("splits", "other", "expected"),
    [
        (["hard"], ["base"], "hard"),
        (["hard", "long"], ["base"], ["hard", "long"]),
        (["base"], ["hard"], "base"),
        (["base"], ["base"], None),
        (None, None, None),
    ],
)
def test_what_examples_say_comes_along_with_a_named_dataset(
    stand_in: LangSmithServer,
    connect_langsmith: Connect,
    splits: object,
    other: object,
    expected: object,
) -> None:
    said = {"category": "edit", "k": "of the example", "dataset_split": splits}
    experiment(stand_in, {"k": "of the run"}, said)
    dataset = next(iter(stand_in.datasets.values()))
    stand_in.add_example(dataset, {}, {}, {"dataset_split": other})
    found = row(connect_langsmith, dataset="scenarios")
    assert found.fields is not None
    metadata: Any = found.fields["metadata"]
    assert (metadata["category"], metadata["k"]) == ("edit", "of the run")
    assert metadata.get("split") == expected
    assert "dataset_split" not in metadata
    alone = row(connect_langsmith)
    assert alone.fields is not None
    assert "category" not in alone.fields["metadata"]  # type: ignore[operator]


def test_repetitions_are_of_the_task_that_the_example_names(
    stand_in: LangSmithServer, connect_langsmith: Connect
) -> None:
    experiment(stand_in, {}, {"task_id": 5})
    dataset, session = (
        next(iter(stand_in.datasets.values())),
        next(iter(stand_in.sessions.values())),
    )
    again = stand_in.add_example(dataset, {}, {}, {"task_id": "5"})
    stand_in.add_run(session, reference_example_id=again["id"])
    found = read(connect_langsmith, "exp", dataset="scenarios")
    assert [(fields["task_id"], fields["repetition"]) for fields in found] == [("5", 1), ("5", 2)]


def test_the_guide_has_a_row_for_every_name_that_is_read() -> None:
    assert {field: (*names.stated, *names.reported) for field, names in READ.items()} == dict(
        _table(GUIDE.read_text(encoding="utf-8"))
    )


def _table(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    start = text.index("| field of the record | read from |")
    for line in text[start:].partition("\n\n")[0].splitlines()[2:]:
        field, names = line.split("|")[1:3]
        yield field.strip(" `"), tuple(re.findall(r"`(\w+)`", names))
