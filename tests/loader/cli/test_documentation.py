from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import command_reference
import importer_table
import servers
from loader.cli import COMMANDS
from loader.show import wording
from loader.warehouse import embedded as server

_GUIDES = [servers.REPOSITORY / "README.md", *sorted((servers.REPOSITORY / "docs").glob("*.md"))]
_OLD = "from-the-old-scripts.md"
"""Has a test of its own, which runs its tables too."""
_PRINTED = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_VERDICT = servers.REPOSITORY / "docs" / "read-a-verdict.md"
_BLOCKS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def _commands(guide: Path) -> str:
    lines = "".join(_BLOCKS.findall(guide.read_text(encoding="utf-8"))).splitlines()
    return "\n".join(line for line in lines if "bin/activate" not in line)


@pytest.mark.slow
@pytest.mark.parametrize(
    "guide",
    [guide for guide in _GUIDES if _commands(guide) and guide.name != _OLD],
    ids=lambda guide: guide.name,
)
def test_every_command_of_a_guide_runs_as_written(guide: Path, tmp_path: Path) -> None:
    with servers.short_directory() as home:
        environment = {
            **os.environ,
            "EVALMART_HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        try:
            done = subprocess.run(
                ["bash", "-euxo", "pipefail", "-c", _commands(guide)],  # noqa: S607  any bash
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        finally:
            server.stop(home / "postgres")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    for shown in _PRINTED.findall(guide.read_text(encoding="utf-8")):
        assert shown in done.stdout


@pytest.mark.parametrize("guide", _GUIDES, ids=lambda guide: guide.name)
def test_every_link_of_a_guide_leads_somewhere(guide: Path) -> None:
    targets = _LINK.findall(guide.read_text(encoding="utf-8"))
    assert [target for target in targets if not (guide.parent / target).exists()] == []


def test_the_command_reference_is_up_to_date() -> None:
    # In a process of its own: click keeps on a command what an earlier test asked of it.
    program = [sys.executable, command_reference.__file__, "--check"]
    checked = subprocess.run(program, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_the_tables_of_what_is_read_of_other_tools_are_up_to_date() -> None:
    text = importer_table.GUIDE.read_text(encoding="utf-8")
    assert importer_table.written(text) == text, f"run python {importer_table.PROGRAM}"


def test_every_command_appears_in_a_guide() -> None:
    told = [guide for guide in _GUIDES if guide != command_reference.REFERENCE]
    text = "".join(guide.read_text(encoding="utf-8") for guide in told)
    assert [name for name in COMMANDS if f"evalmart {name}" not in text] == []


def test_every_mart_appears_in_the_readme() -> None:
    readme = (servers.REPOSITORY / "README.md").read_text(encoding="utf-8")
    marts = [model.stem for model in (servers.REPOSITORY / "models" / "marts").rglob("*.sql")]
    assert marts
    assert [mart for mart in marts if f"`{mart}`" not in readme] == []


def test_the_guide_to_a_verdict_has_every_word_and_no_other() -> None:
    text = _VERDICT.read_text(encoding="utf-8")
    tables = [_first_cells(text, heading) for heading in (
        "| role |", "| finding |", "| note |", "| label of needs_review |",
        "| route to deploy |", "| recommendation |",
    )]  # fmt: skip
    assert tables == [
        set(wording.ROLES),
        set(wording.FINDINGS),
        set(wording.FLAGS) - {"no_pairs"},
        set(wording.LABELS),
        {"better", "quality_kept"},
        set(wording.VERDICTS),
    ]


def _first_cells(text: str, heading: str) -> set[str]:
    """Return the words in the first column of the table that begins so."""
    rows = text[text.index(heading) :].partition("\n\n")[0].splitlines()[2:]
    return {word for row in rows for word in re.findall(r"\w+", row.split("|")[1])}


def test_the_guide_to_a_verdict_states_the_settings_as_they_are() -> None:
    text = " ".join(_VERDICT.read_text(encoding="utf-8").split())
    path = servers.REPOSITORY / "dbt_project.yml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))["vars"]["evalmart"]
    level = settings["alpha"]
    for told in (
        f"`primary_metric` ({settings['primary_metric']})",
        f"fewer than {settings['minimum_tasks']} pairs",
        f"or {settings['minimum_clusters']} independent groups of tasks",
        f"a coverage below {settings['minimum_coverage']:.0%}".replace("%", " %"),
        f"{1 - settings['minimum_coverage']:.0%} or more of the runs".replace("%", " %"),
        f"unlikely: below {settings['kept_level']:.0%}".replace("%", " %"),
        f"excluded, at {100 * (1 - level / 2):g} %",
        f"lies, at {1 - level:.0%}".replace("%", " %"),
        f"(k = {settings['pass_k']})",
    ):
        assert told in text, told
    assert settings["minimum_gain"] == 0.25
    assert "gained at least a quarter of its margin" in text


def test_every_key_of_a_policy_that_a_guide_names_is_in_the_policy() -> None:
    text = (servers.REPOSITORY / "policies" / "default.yml").read_text(encoding="utf-8")
    policy = yaml.safe_load(text)
    told = "".join(guide.read_text(encoding="utf-8") for guide in _GUIDES)
    named = {"on_not_worse", "planned_repetitions", "segments", "floors", "peeking"}
    assert [key for key in named if f"`{key}" not in told] == []
    decisions = (servers.REPOSITORY / "DECISIONS.md").read_text(encoding="utf-8")
    for key, value in (("inference", "these_tasks"), ("candidates", "holm")):
        assert f"`{key}: {value}`" in decisions
        assert value in text
    assert named | {"inference", "candidates"} <= set(policy)


def test_every_metric_for_prometheus_that_a_guide_names_is_exposed() -> None:
    exposed = "".join(
        (servers.REPOSITORY / "loader" / "prometheus" / name).read_text(encoding="utf-8")
        for name in ("exposition.py", "families.py")
    )
    named = {
        name
        for guide in _GUIDES
        if guide.name != "import.md"  # names that files of other tools have
        for name in re.findall(r"`(eval_\w+)`", guide.read_text(encoding="utf-8"))
    }
    assert {"eval_verdict", "eval_improvement", "eval_finding"} <= named
    assert [name for name in named if f'"{name.removesuffix("_total")}"' not in exposed] == []


def test_no_page_names_the_rule_of_old_or_a_weighted_improvement() -> None:
    shown = [
        path
        for folder in ("loader", "grafana")
        for path in (servers.REPOSITORY / folder).rglob("*")
        if path.suffix in {".py", ".j2", ".sql", ".json"}
    ]
    assert shown
    for path in shown:
        text = path.read_text(encoding="utf-8").lower()
        assert not re.search(r"rule of (old|thumb)|weighted (improvement|change)", text), path
