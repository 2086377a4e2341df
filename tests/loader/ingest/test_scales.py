"""Scores on scales of their own: declared by record, option or seed, or by nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from ingest_support import VOCABULARY, load_file, load_records, record, run_load, select
from loader.cli import cli
from loader.ingest import writer as warehouse
from loader.ingest.load import load
from loader.ingest.summary import SetAside
from loader.records.vocabulary import Scale, Vocabulary
from loader.warehouse.connection import connect
from memory_source import MemorySource

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from loader.ingest.summary import LoadSummary

pytestmark = pytest.mark.newest_server

STORED = (
    "select task_id, scores, score_scales, set_aside, measurements "
    "from raw_evals.evaluation_runs where run_version = 1 order by task_id"
)


def judged(*scores: object, key: str = "helpfulness", **fields: object) -> list[dict[str, Any]]:
    """Make runs of tasks of their own with one score of a judge beside an accuracy."""
    return [
        record(task_id=f"t{number:03}", scores={key: score, "accuracy": 0.5}, **fields)
        for number, score in enumerate(scores)
    ]


def take(url: str, records: list[dict[str, Any]], vocabulary: Vocabulary) -> LoadSummary:
    with connect(url) as connection:
        return load(connection, MemorySource(records), vocabulary)


def test_record_option_and_seed_say_the_same_and_the_record_says_it_last(database_url: str) -> None:
    by_seed = Vocabulary(VOCABULARY.groups, {"helpfulness": Scale("helpfulness", 1, 5)})
    ways = [
        (judged(1, 5, experiment_id="seed"), by_seed),
        (
            judged(1, 5, experiment_id="option"),
            VOCABULARY.with_options({"helpfulness": (1.0, 5.0)}, ()),
        ),
        (judged(1, 5, experiment_id="record", score_scales={"helpfulness": [1, 5]}), VOCABULARY),
        (
            judged(0, 10, experiment_id="above", score_scales={"helpfulness": [0, 10]}),
            by_seed.with_options({"helpfulness": (0.0, 3.0)}, ()),
        ),
    ]
    for records, vocabulary in ways:
        assert take(database_url, records, vocabulary).set_aside == ()
    assert select(
        database_url,
        "select distinct experiment_id, score_scales from raw_evals.evaluation_runs order by 1",
    ) == [
        ("above", {"helpfulness": [0, 10]}),
        ("option", {"helpfulness": [1, 5]}),
        ("record", {"helpfulness": [1, 5]}),
        ("seed", {"helpfulness": [1, 5]}),
    ]


@pytest.mark.parametrize("way", ["straight", "staged", "memory"])
@pytest.mark.parametrize("options", [{}, {"dry_run": True}, {"strict": True}])
def test_a_key_that_nobody_declared_is_kept_marked_and_counted_whole(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    options: dict[str, bool],
) -> None:
    if way == "straight":
        monkeypatch.setattr(warehouse, "SMALL_LOAD_ROWS", 20)
    # of the judge's values a third look as if they were on 0 to 1; another experiment's all are
    records = [*judged(*[1, 3, 5] * 20), *judged(0, 0.5, 1, experiment_id="fraction")]
    path = tmp_path / "judged.jsonl"
    path.write_text("".join(json.dumps(fields) + "\n" for fields in records))
    if way == "memory":
        summary = load_records(database_url, records, **options)
    else:
        summary = load_file(database_url, path, **options)
    assert summary.set_aside == (SetAside("scores.helpfulness", "undeclared_scale", 60, 1.0, 5.0),)
    assert summary.records_aside == 60
    assert summary.troubled_share == (1.0 if options == {"strict": True} else 60 / 63)
    assert summary.is_refused == (options == {"strict": True})
    ledger = select(database_url, "select values_set_aside from raw_evals.loads")
    assert ledger == {"dry_run": [], "strict": [(0,)], "": [(60,)]}["".join(options)]
    if options:
        assert select(database_url, STORED) == []
        return
    marks = select(
        database_url,
        "select scores -> 'helpfulness', score_scales, count(*) from raw_evals.evaluation_runs "
        "where experiment_id = 'exp-1' group by 1, 2 order by 1",
    )
    assert marks == [(1, {}, 20), (3, {"helpfulness": None}, 20), (5, {"helpfulness": None}, 20)]
    # once declared and loaded again, each is a new version, and the key counts
    declared = VOCABULARY.with_options({"helpfulness": (1.0, 5.0)}, ())
    again = take(database_url, records[:60], declared)
    assert (again.loaded, again.replaced, again.set_aside) == (60, 60, ())


def test_off_a_declared_scale_the_value_goes_and_the_run_stays(database_url: str) -> None:
    records = [
        record(task_id="a", scores={"judge": 7, "accuracy": 0.5, "own": 0.25}),
        record(task_id="b", scores={"judge": 0, "accuracy": 1.5}, cost_usd=-0.25, latency_ms=5),
        record(task_id="c", scores={"judge": True, "accuracy": False}),
        record(task_id="d", scores={"judge": None}, tokens_used=-3, prompt_tokens=-2),
    ]
    summary = load_records(database_url, records)
    assert (summary.loaded, summary.rejected, summary.records_aside) == (4, 0, 3)
    assert set(summary.set_aside) == {
        SetAside("scores.judge", "off_scale", 2, 0.0, 7.0),
        SetAside("scores.accuracy", "off_scale", 1, 1.5, 1.5),
        SetAside("cost_usd", "negative", 1, -0.25, -0.25),
        SetAside("tokens_used", "negative", 1, -3, -3),
        SetAside("prompt_tokens", "negative", 1, -2, -2),
    }
    assert select(database_url, STORED) == [
        ("a", {"accuracy": 0.5, "own": 0.25}, {}, {"scores.judge": 7}, {}),
        ("b", {}, {}, {"scores.judge": 0, "scores.accuracy": 1.5, "cost_usd": -0.25}, {}),
        ("c", {"judge": 5, "accuracy": 0}, {"judge": [1, 5]}, None, {}),
        ("d", {"judge": None}, {}, {"tokens_used": -3, "prompt_tokens": -2}, {}),
    ]
    [(kept,)] = select(database_url, "select values_set_aside from raw_evals.loads")
    assert kept == 6
    assert load_records(database_url, records).unchanged == 4


def test_what_is_declared_a_measurement_is_no_score(database_url: str) -> None:
    vocabulary = VOCABULARY.with_options({}, {"turns"})
    records = [
        record(task_id="a", scores={"turns": 12, "own": 1}),
        record(task_id="b", scores={"turns": None}),
        record(task_id="c", scores={"turns": -3}, measurements={"seconds": 4}),
    ]
    assert take(database_url, records, vocabulary).set_aside == ()
    twice = record(task_id="d", scores={"turns": 12}, measurements={"turns": 3})
    (reason,) = take(database_url, [twice], vocabulary).reasons
    assert reason.reason_code == "name_taken"
    assert select(database_url, STORED) == [
        ("a", {"own": 1}, {}, None, {"turns": 12}),
        ("b", {}, {}, None, {}),
        ("c", {}, {}, None, {"turns": -3, "seconds": 4}),
    ]


@pytest.mark.parametrize(
    ("scales", "word"),
    [
        ({"own": [5, 1]}, "its low end first"),
        ({"own": [1]}, "[1, 5]"),
        ({"own": None}, "[min, max]"),
        ({"": [1, 5]}, "name"),
        ([1, 5], "an object"),
        ({"own": ["1", 5]}, "own"),
    ],
)
def test_a_scale_that_makes_no_sense_is_refused(
    database_url: str, tmp_path: Path, scales: object, word: str
) -> None:
    fields = record(score_scales=scales)
    (reason,) = load_records(database_url, [fields]).reasons
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(fields) + "\n" + json.dumps(record(task_id="other")) + "\n")
    from_text = load_file(database_url, path)
    assert (from_text.loaded, from_text.rejected) == (1, 1)
    assert word in reason.example
    assert word in from_text.reasons[0].example


def ingest(url: str, path: Path, *arguments: str) -> Result:
    command = ["ingest", "--database-url", url, "--file", str(path), *arguments]
    return CliRunner().invoke(cli, command)


def test_the_command_says_what_does_not_count_and_what_to_type(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "judged.jsonl"
    records = [*judged(*[1, 2, 3, 4, 5] * 48)]
    records[0]["cost_usd"] = -1
    path.write_text("".join(json.dumps(fields) + "\n" for fields in records))
    done = ingest(database_url, path)
    assert done.exit_code == 3
    assert "read 240 · loaded 240 · unchanged 0 · rejected 0" in done.stdout
    assert (
        "set aside: helpfulness lies between 1 and 5 in 240 runs: declare its scale ("
        "evalmart ingest --scale helpfulness=1:5, or declare metric helpfulness --scale 1:5), then "
        "ingest again" in done.stdout
    )
    assert "set aside: cost_usd is -1 in 1 run, which cannot be" in done.stdout
    assert (
        "100 % of 240 records were rejected (0) or had a value set aside (240), "
        "more than the 5 % of --max-rejected" in done.stderr
    )
    # what it says to type does it
    done = ingest(database_url, path, "--scale", "helpfulness=1:5")
    assert done.exit_code == 0, done.stderr
    assert "240 of the loaded replaced what was loaded before" in done.stdout
    done = ingest(
        database_url, path, "--scale", "helpfulness=1:5", "--summary-format", "json",
        "--max-rejected", "0.4%",
    )  # fmt: skip
    assert done.exit_code == 3
    told = json.loads(done.stdout)
    assert (told["unchanged"], told["records_aside"], told["replaced"]) == (240, 1, 0)
    [aside] = told["set_aside"]
    assert aside["field"] == "cost_usd"
    assert aside["sentence"].startswith("cost_usd is -1 in 1 run")
    assert "0.417 % of 240" in done.stderr


def test_a_load_with_little_trouble_is_fine(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    sound = [record(task_id=f"t{number}") for number in range(95)]
    bad = [record(task_id=f"b{number}", success=3) for number in range(6)]
    lines = [json.dumps(fields) + "\n" for fields in (*sound, *bad)]
    path.write_text("".join(lines[:-1]))
    assert ingest(database_url, path).exit_code == 0, "5 of 100"
    path.write_text("".join(lines))
    assert ingest(database_url, path).exit_code == 3, "6 of 101"
    assert ingest(database_url, path, "--max-rejected", "10%").exit_code == 0
    assert ingest(database_url, path, "--max-rejected", "0.06").exit_code == 0
    path.write_text(lines[0])
    assert ingest(database_url, path, "--max-rejected", "0").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--scale", "helpfulness=5:1"), "KEY=LOW:HIGH"),
        (("--scale", "helpfulness"), "KEY=LOW:HIGH"),
        (("--scale", "=1:5"), "KEY=LOW:HIGH"),
        (("--scale", "a=1:inf"), "KEY=LOW:HIGH"),
        (("--scale", "a=1:5", "--scale", "a=0:5"), "two scales"),
        (("--scale", "turns=1:5", "--measure", "turns"), "keep one"),
        (("--measure", "accuracy"), "another kind"),
        (("--max-rejected", "5"), "5% or 0.05"),
        (("--max-rejected", "nan"), "5% or 0.05"),
        (("--first-repetition", "2"), "0<=x<=1"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(arguments: tuple[str, ...], word: str) -> None:
    result = CliRunner().invoke(cli, ["ingest", "--file", "a", *arguments])
    assert result.exit_code == 2
    assert word in result.output or word in str(result.exception)


def test_scores_whatever_their_scale_leave_no_row_uncounted(database_url: str) -> None:
    """`run_load` holds the summary and the ledger to read = loaded + unchanged + rejected."""
    scores = [None, True, -1, 0, 0.5, 1, 5, 7, 1e308, "5", [], 3]
    records = [
        record(task_id=f"t{place}-{other}", scores={"judge": one, "own": two}, cost_usd=other - 1)
        for place, one in enumerate(scores)
        for other, two in enumerate(scores)
    ]
    summary = run_load(database_url, MemorySource(records))
    assert summary.read == len(scores) ** 2
    assert summary.rejected == len(scores) ** 2 - (len(scores) - 2) ** 2
    keys = {(aside.field, aside.reason_code): aside.runs for aside in summary.set_aside}
    sound = len(scores) - 2
    assert keys["scores.own", "undeclared_scale"] == sound * (sound - 2), "all but null and 1e308"
    assert keys["scores.own", "out_of_range"] == sound
