"""Which arm a run is of: what options say, then --map, then its file; else one is asked."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from loader.errors import ConfigurationError, InvalidRecord
from loader.sources.tools.identity import Identity, refuse_unknown_names, refuse_without_arm
from plain_tool import PLAIN, mapped, run, write_lines

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {"model": "org/m-1", "run": 7, "args.k": None}
FILE_SAYS = {
    "experiment_id": "e", "task_id": "t", "experiment_group": "of the file",
    "extension_version": "1", "model_version": "m", "agent_name": "a", "dataset_version": "d",
    "metadata": {"category": "x"},
}  # fmt: skip


def identified(*entries: str, supplied: tuple[str, ...] = ()) -> dict[str, object]:
    identity = Identity(mapped(*entries), supplied, "folder/name.of.file.json.gz")
    found = identity.record(dict(FILE_SAYS), NAMES)
    assert identity.record(dict(FILE_SAYS), NAMES) == found
    return found


def test_options_go_before_what_the_file_says() -> None:
    fields = ("experiment_id", "experiment_group", "extension_version", "agent_name",
              "model_version", "dataset_version")  # fmt: skip
    for name in fields:
        found = identified(supplied=(name,))
        assert found == {key: value for key, value in FILE_SAYS.items() if key != name}


@pytest.mark.parametrize(
    ("entry", "name", "value"),
    [
        ("experiment_group=model", "experiment_group", "org/m-1"),
        ("experiment_group=model{org/m-1:baseline}", "experiment_group", "baseline"),
        ("experiment_group='fixed'", "experiment_group", "fixed"),
        ("experiment_group=@file", "experiment_group", "name.of.file"),
        ("extension_version=run", "extension_version", "7"),
        ("metadata.run=run", "metadata", {"category": "x", "run": 7}),
        ("metadata.category=model", "metadata", {"category": "org/m-1"}),
        ("metadata.k=args.k", "metadata", {"category": "x"}),
    ],
)
def test_what_is_mapped_goes_before_what_the_file_says(
    entry: str, name: str, value: object
) -> None:
    assert identified(entry) == {**FILE_SAYS, name: value}


def test_a_run_that_lacks_the_name_its_arm_comes_from_is_rejected() -> None:
    with pytest.raises(InvalidRecord, match=r"is to come from \"args.k\", which the record lacks"):
        identified("experiment_group=args.k")


def test_a_word_without_meaning_rejects_its_run() -> None:
    with pytest.raises(InvalidRecord, match="org/m-1"):
        identified("experiment_group=model{other:baseline}")


def test_a_version_that_nobody_tells_is_unversioned() -> None:
    told = {"task_id": "t"}
    assert Identity(mapped(), (), "f").record(told, {})["extension_version"] == "unversioned"
    supplied = Identity(mapped(), {"extension_version"}, "f")
    assert supplied.record(told, {}) == told
    assert told == {"task_id": "t"}


def test_a_name_that_no_file_of_the_tool_has_is_told_with_the_nearest() -> None:
    entries = ("experiment_group=modle", "extension_version=args.k", "agent_name=arg.k")
    with pytest.raises(ConfigurationError) as told:
        refuse_unknown_names(mapped(*entries, "dataset_version=@file"), PLAIN)
    there = "there are file, model, run, args.*"
    assert str(told.value).splitlines() == [
        f'experiment_group=modle: Plain files have no "modle" (did you mean model?); {there}',
        f'agent_name=arg.k: Plain files have no "arg.k" (did you mean args.*?); {there}',
    ]
    with pytest.raises(ConfigurationError, match=r"--map metadata.NAME=NAME"):
        refuse_unknown_names(mapped("metadata.*=*"), PLAIN)
    refuse_unknown_names(mapped("metadata.x=model", "experiment_group='a'"), PLAIN)


def without_arm(folder: Path, **names: dict[str, object]) -> list[str]:
    """Return what is said of files that tell no arm, each with the names that it has."""
    files = []
    for name, told in names.items():
        lacking = {key: value for key, value in run().items() if key != "experiment_group"}
        path = folder / f"{name}.jsonl"
        files.append((write_lines(path, {**lacking, "names": told}), PLAIN))
    with pytest.raises(ConfigurationError) as refused:
        refuse_without_arm(files, mapped(), ())
    return str(refused.value).replace(f"{folder}/", "").splitlines()


def test_the_names_that_tell_arms_apart_are_told_with_what_to_write(tmp_path: Path) -> None:
    told = without_arm(
        tmp_path,
        a={"model": "org/m 1", "run": 1, "args.k": True},
        b={"model": "it's", "run": 2},
        c={"model": "org/m 1", "run": 3},
    )
    assert told == [
        "3 of 3 files do not say which arm the runs are of; what is there to tell arms apart:",
        '  file: "a.jsonl" (a.jsonl); "b.jsonl" (b.jsonl); "c.jsonl" (c.jsonl)',
        '  model: "org/m 1" (a.jsonl and 1 more); "it\'s" (b.jsonl)',
        '  run: "1" (a.jsonl); "2" (b.jsonl); "3" (c.jsonl)',
        '  args.k: "True" (a.jsonl)',
        "give --experiment-group GROUP (baseline, code-chef, …) if all are of one arm",
        "or --map experiment_group=model --control 'org/m 1' --treatment 'it'\"'\"'s'",
    ]
    assert shlex.split(told[-1])[2:] == [
        "experiment_group=model", "--control", "org/m 1", "--treatment", "it's",
    ]  # fmt: skip


def test_the_control_is_the_arm_that_is_called_so(tmp_path: Path) -> None:
    told = without_arm(
        tmp_path, new={"model": "v2"}, baseline={"model": "main"}, third={"model": "$(id)"}
    )
    assert told[-1] == (
        "or --map experiment_group=model --control main --treatment v2 --treatment '$(id)'"
    )


def test_the_names_of_files_are_offered_where_nothing_else_tells_arms_apart(
    tmp_path: Path,
) -> None:
    told = without_arm(tmp_path, candidate={"model": "m"}, old={"model": "m"})
    assert told[2] == '  model: "m"'
    assert told[-1] == (
        "or, if each file is an arm: --map experiment_group=@file --control old "
        "--treatment candidate"
    )


def test_a_name_that_looks_like_a_mapping_is_put_into_brackets(tmp_path: Path) -> None:
    told = without_arm(tmp_path, a={"args.x*2": "1"}, b={"args.x*2": "2"})
    assert told[-1] == "or --map 'experiment_group=[args.x*2]' --control 1 --treatment 2"


def test_one_file_without_names_is_of_one_arm(tmp_path: Path) -> None:
    assert without_arm(tmp_path, only={}) == [
        "the file does not say which arm the runs are of; what is there to tell arms apart:",
        '  file: "only.jsonl"',
        "give --experiment-group GROUP (baseline, code-chef, …) if all are of one arm",
    ]


def test_many_values_are_told_up_to_a_few(tmp_path: Path) -> None:
    many: dict[str, dict[str, object]] = {f"f{n}": {"run": n} for n in range(9)}
    told = without_arm(tmp_path, **many)
    assert told[2].endswith("; and 3 more")
    assert told[-2].endswith("--treatment 5 …")
    assert "@file" in told[-1]


def test_nothing_is_asked_where_the_arm_is_said(tmp_path: Path) -> None:
    lacking = write_lines(tmp_path / "lacking", {"task_id": "t"})
    told = write_lines(tmp_path / "told", run(), {"task_id": "t"})
    refuse_without_arm([(told, PLAIN)], mapped(), ())
    refuse_without_arm([(lacking, PLAIN)], mapped(), {"experiment_group"})
    refuse_without_arm([(lacking, PLAIN)], mapped("experiment_group=model"), ())
    with pytest.raises(ConfigurationError, match="1 of 2 files do not say"):
        refuse_without_arm([(told, PLAIN), (lacking, PLAIN)], mapped(), ())
    broken = write_lines(tmp_path / "broken", {"kind": "broken"})
    refuse_without_arm([(broken, PLAIN)], mapped(), ())


def test_a_score_of_a_whole_arm_asks_for_its_arm_too(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "f", {"kind": "whole", "key": "k", "score": 1})
    with pytest.raises(ConfigurationError, match="which arm"):
        refuse_without_arm([(file, PLAIN)], mapped(), ())
