"""The team's folder: where it is found, what is read from it, and what a fault in it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner, Result

from loader.cli import cli
from loader.errors import ConfigurationError
from loader.gate.ledger import settings_hash
from loader.gate.policy_file import default_path
from loader.team.files import commented_vars, create_folder
from loader.warehouse import team_seeds
from loader.warehouse.folder import FILES, SEEDS, team_folder
from loader.warehouse.project import default_variables, project_directory
from loader.warehouse.seeds import read_seed, read_vocabulary, seed_text
from loader.warehouse.variables import project_variables, with_team_variables

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty folder `evalmart`, found from the working directory."""
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("EVALMART_CONFIG", raising=False)
    folder = tmp_path / "work" / "evalmart"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder.parent)
    return folder


_TOLD = """\
Error: the team's folder {team} has 16 faults:
  evalmart/metrics.csv, line 3, direction: is 'down'; write higher or lower
  evalmart/metrics.csv, line 4, weight: is -1; at least 0
  evalmart/metrics.csv, line 4, tie_margin: is 'x'; write a number such as 0.05
  evalmart/metrics.csv, line 4, description: is empty; give it a value
  evalmart/metrics.csv, line 4, position: 1 is on line 3 too
  evalmart/metrics.csv, line 5: has 10 fields, the header 9; put a text with a comma in quotes
  evalmart/metrics.csv, line 6, tie_margin: is 'nan'; write a number such as 0.05
  evalmart/metrics.csv, line 6, metric: rude is on line 3 too
  evalmart/metrics.csv, line 7: a quote inside odd "quote: put the whole field in quotes
  evalmart/evaluator_metrics.csv, line 1, metrc: is no column of this file (did you mean metric?)
  evalmart/evaluator_metrics.csv, line 1, metric: is missing from the header; add the column
  evalmart/model_prices.csv, line 1: has no header; begin with {prices}
  evalmart/accepted_changes.csv, line 2: is not UTF-8 text; save it as CSV UTF-8
  evalmart/vars.yml, line 2, primary_metrc: is no var of this project{near}
  evalmart/vars.yml, line 3, peeking: is 1; write true or false, such as False
  evalmart/vars.yml, line 4, alpha: is given twice; keep one
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_the_folder_is_found_from_below_and_not_above_home(
    team: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = team.parent / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert team_folder() is None, "an empty folder of that name is something else"
    (team / "policy.yml").write_text("version: 1\n")
    assert team_folder() == team
    assert default_path() == team / "policy.yml"
    monkeypatch.setenv("HOME", str(team.parent / "a"))
    assert team_folder() is None
    assert default_path() == project_directory() / "policies" / "default.yml"


def test_a_variable_names_the_folder_and_is_refused_where_there_is_none(
    team: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (team / "policy.yml").write_text("version: 1\n")
    other = tmp_path / "other"
    monkeypatch.setenv("EVALMART_CONFIG", str(other))
    with pytest.raises(ConfigurationError, match="other, which is no folder"):
        team_folder()
    other.mkdir()
    assert team_folder() == other
    monkeypatch.setenv("EVALMART_CONFIG", "")
    assert team_folder() == team


def test_a_new_folder_says_what_the_project_says(
    team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.rmdir()
    before = settings_hash()
    assert create_folder().written == list(FILES)
    assert team_folder() == team
    assert {name: seed_text(name) for name in SEEDS} == {
        name: (project_directory() / "seeds" / f"{name}.csv").read_text(encoding="utf-8")
        for name in SEEDS
    }
    assert settings_hash() == before
    assert project_variables() == default_variables()
    (team / "metrics.csv").write_text("metric,mine\n")
    (team / "vars.yml").unlink()
    made = create_folder()
    assert made.written == ["vars.yml"]
    assert "metrics.csv" in made.kept
    assert (team / "metrics.csv").read_text() == "metric,mine\n"
    monkeypatch.chdir("/")
    assert settings_hash() == before


def test_every_var_stands_commented_with_its_default() -> None:
    text = (project_directory() / "dbt_project.yml").read_text(encoding="utf-8")
    told = commented_vars(text)
    assert yaml.safe_load(told) is None
    taken = "".join(
        line.removeprefix("#") + "\n" for line in told.splitlines() if not line.startswith("# ")
    )
    assert yaml.safe_load(taken) == yaml.safe_load(text)["vars"]["evalmart"]


def test_comments_blank_lines_and_a_mark_are_read_over_and_dbt_gets_none(team: Path) -> None:
    (team / "experiment_groups.csv").write_bytes(
        b"\xef\xbb\xbf# who is who\r\nexperiment_group,role,description\r\n\r\n"
        b'control_v3,control,"as it was, \r\n# and is"\r\n# the new one\r\ncand,treatment,new\r\n'
    )
    rows = read_seed("experiment_groups")
    assert [(row["experiment_group"], row["role"]) for row in rows] == [
        ("control_v3", "control"),
        ("cand", "treatment"),
    ]
    assert rows[0]["description"] == "as it was, \r\n# and is"
    assert read_vocabulary().groups == {"control_v3", "cand"}
    composed = team_seeds.compose()
    assert composed is not None
    assert (composed / "experiment_groups.csv").read_bytes() == (
        b"experiment_group,role,description\r\n"
        b'control_v3,control,"as it was, \r\n# and is"\r\ncand,treatment,new\r\n'
    )
    own = project_directory() / "seeds"
    for name in SEEDS[1:]:
        assert (composed / f"{name}.csv").read_bytes() == (own / f"{name}.csv").read_bytes()


def test_a_column_that_an_older_file_lacks_is_empty(team: Path) -> None:
    (team / "metrics.csv").write_text(
        "metric,position,kind,direction,weight,tie_margin,non_inferiority_margin,description\n"
        'brevity,1,score,lower,0,0,0,"short, I hope"\n'
    )
    assert read_seed("metrics")[0]["unit"] == ""
    assert seed_text("metrics") == (
        "metric,position,kind,unit,direction,weight,tie_margin,non_inferiority_margin,description\n"
        'brevity,1,score,,lower,0,0,0,"short, I hope"\n'
    )


def test_dbt_parses_anew_only_what_changed(team: Path) -> None:
    (team / "experiment_groups.csv").write_text(
        "experiment_group,role,description\na,control,x\nb,treatment,y\n"
    )
    composed = team_seeds.compose()
    assert composed is not None
    before = {path.name: path.stat().st_ino for path in composed.iterdir()}
    assert team_seeds.compose() == composed
    assert {path.name: path.stat().st_ino for path in composed.iterdir()} == before
    with (team / "experiment_groups.csv").open("a") as file:
        file.write("c,treatment,z\n")
    team_seeds.compose()
    after = {path.name: path.stat().st_ino for path in composed.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"experiment_groups.csv"}


def test_every_fault_of_a_folder_is_said_at_once_with_file_line_and_field(team: Path) -> None:
    (team / "metrics.csv").write_text(
        "metric,position,kind,unit,direction,weight,tie_margin,non_inferiority_margin,description\n"
        "# ours\n"
        "rude,1,score,fraction,down,0.1,0.05,0.05,How rude\n"
        "slow,1,latency,ms,lower,-1,x,0.2,\n"
        " rude,3,score,fraction,lower,0,0,0,Again, and again\n"
        "rude,4,score,fraction,lower,0,nan,0,Twice\n"
        'odd "quote,5,score,fraction,lower,0,0,0,Odd\n'
    )
    (team / "evaluator_metrics.csv").write_text(
        "evaluator_key,metrc,scale_min,scale_max\nj,m,1,5\n"
    )
    (team / "accepted_changes.csv").write_bytes(b"agent_name;metric\n\xff\n")
    (team / "model_prices.csv").write_text("")
    (team / "vars.yml").write_text("alpha: high\nprimary_metrc: accuracy\npeeking: 1\nalpha: 0.1\n")
    own = project_directory() / "seeds" / "model_prices.csv"
    prices = own.read_text(encoding="utf-8").splitlines()[0]
    result = run("ingest", "--file", "none.jsonl", "--database-url", "postgresql://nowhere/x")
    assert result.exit_code == 2
    assert result.output == _TOLD.format(
        team=team, prices=prices, near=" (did you mean primary_metric, pass_metric?)"
    )


@pytest.mark.parametrize(
    "text", ["a' or true --", "a\\", 'a"b', "{{ target.password }}", "a\x1b[2J", "a\nb"]
)
def test_a_text_of_vars_cannot_end_the_quotes_that_dbt_puts_it_into(team: Path, text: str) -> None:
    (team / "vars.yml").write_text(yaml.safe_dump({"primary_metric": text}))
    result = run("ingest", "--file", "none.jsonl", "--database-url", "postgresql://nowhere/x")
    assert result.exit_code == 2
    assert "line 1, primary_metric: holds a quote, a brace, a backslash or a " in result.output


def test_semicolons_are_named_as_what_they_are(team: Path) -> None:
    (team / "experiment_groups.csv").write_text("experiment_group;role;description\na;control;x\n")
    with pytest.raises(ConfigurationError, match="line 1: separate the columns by commas"):
        read_vocabulary()


def test_vars_of_the_folder_go_before_the_project_and_after_an_option(team: Path) -> None:
    (team / "vars.yml").write_text("alpha: 0.01\nprimary_metric: latency\n")
    assert project_variables() | {"alpha": 0.01, "primary_metric": "latency_ms"} == (
        project_variables()
    )
    given = with_team_variables(["--select", "a", "b", "--vars", "{alpha: 0.1}", "--full-refresh"])
    assert given[:-1] == ["--select", "a", "b", "--full-refresh", "--vars"]
    assert yaml.safe_load(given[-1]) == {"alpha": 0.1, "primary_metric": "latency_ms"}
    given = with_team_variables(["--vars={as_of: 2025-01-31}"])
    assert yaml.safe_load(given[-1])["as_of"].isoformat() == "2025-01-31"
    assert with_team_variables(["--vars", "{"]) == ["--vars", "{"], "dbt says what is wrong"


def test_a_metric_of_that_very_name_goes_before_what_people_type(team: Path) -> None:
    (team / "vars.yml").write_text("primary_metric: cost\n")
    assert project_variables()["primary_metric"] == "cost_usd"
    assert run("declare", "evaluator", "cost").exit_code == 0
    (team / "metrics.csv").write_text(
        (project_directory() / "seeds" / "metrics.csv").read_text()
        + "cost,8,measurement,hours,lower,0,0,0,What people spend\n"
    )
    assert project_variables()["primary_metric"] == "cost"


def test_without_a_folder_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert team_folder() is None
    assert team_seeds.compose() is None
    assert with_team_variables(["--vars", "{alpha: 0.1}"]) == ["--vars", "{alpha: 0.1}"]
    assert json.dumps(project_variables()) == json.dumps(default_variables())
