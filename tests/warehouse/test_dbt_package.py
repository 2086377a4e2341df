"""The project as a package of a team's own dbt project, which has its own names for everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest
from psycopg.types.json import Jsonb

import sample_marts
from loader.warehouse.connection import environment
from loader.warehouse.project import project_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]
# what dbt says of a seed that replaces another's, as the team asked for
_EXPECTED = "depends on the root project node 'seed.shop.metrics'"
_SAMPLE = "exp-2025-01-001"
_FILES = {
    "dbt_project.yml": """
name: shop
version: "1.0"
config-version: 2
profile: shop
seeds:
  evalmart:
    metrics:
      +enabled: false
  shop:
    +schema: lists
models:
  +schema: reporting
vars:
  evalmart:
    minimum_tasks: 1000
""",
    "profiles.yml": """
shop:
  target: dev
  outputs:
    dev:
      type: postgres
      host: "{{ env_var('PGHOST') }}"
      port: "{{ env_var('PGPORT') | as_number }}"
      user: "{{ env_var('PGUSER') }}"
      password: "{{ env_var('PGPASSWORD', '') }}"
      dbname: "{{ env_var('PGDATABASE') }}"
      schema: analytics
      threads: 2
""",
    "packages.yml": """
packages:
  - local: "{{ env_var('EVALMART_PROJECT_DIR') }}"
""",
    "macros/names.sql": """
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    shop_{{ custom_alias_name or node.name }}
{%- endmacro %}
{% macro get_where_subquery(relation) -%}
    {% do return(relation) %}
{%- endmacro %}
{% macro postgres__get_grant_sql(relation, privilege, grantees) -%}
    {% do exceptions.raise_compiler_error('asked for a grant on ' ~ relation) %}
{%- endmacro %}
""",
    "models/shipped.sql": """
select summaries.experiment_id, summaries.recommendation, arms.success_rate
from {{ ref('evalmart', 'experiment_summaries') }} as summaries
inner join {{ ref('arm_summaries') }} as arms
    on
        summaries.experiment_id = arms.experiment_id
        and summaries.candidate_group = arms.experiment_group
        and summaries.candidate_version = arms.extension_version
""",
}
_OWN_MATERIALIZATIONS = "".join(
    f"{{% materialization {kind}, adapter='postgres' %}}\n"
    f"    {{{{ return(evalmart.materialization_{kind}_postgres()) }}}}\n"
    f"{{% endmaterialization %}}\n"
    for kind in ("view", "table", "incremental", "seed")
)


class Team(NamedTuple):
    """A project of its own, on a database that evalmart has built before."""

    folder: Path
    url: str

    def dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run dbt as anybody would."""
        named = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [
                str(Path(sys.executable).parent / "dbt"),
                "--no-use-colors",
                *arguments,
            ],
            cwd=self.folder,
            env={
                **named,
                **environment(self.url),
                "EVALMART_PROJECT_DIR": str(project_directory()),
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def rows(self, query: str, *values: object) -> list[Any]:
        """Ask the database."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query, values).fetchall()  # type: ignore[call-overload, no-any-return]  # own constants


@pytest.fixture(scope="module")
def team(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("shop")
    metrics = (project_directory() / "seeds" / "metrics.csv").read_text(encoding="utf-8")
    with sample_marts.sample_marts(postgres_server) as url:
        made = Team(folder, url)
        for name, text in _FILES.items():
            made.write(name, text)
        made.write("seeds/metrics.csv", metrics.replace("0.30,0.05,0.05,", "0.30,0.05,0.02,"))
        done = made.dbt("deps")
        assert done.returncode == 0, done.stdout
        done = made.dbt("build")
        assert done.returncode == 0, done.stdout[-4000:]
        warnings = [line for line in done.stdout.splitlines() if "WARN" in line]
        assert [line for line in warnings if _EXPECTED not in line and "WARN=0" not in line] == []
        yield made


def test_marts_are_where_readers_look_and_the_teams_own_where_the_team_says(team: Team) -> None:
    schemas = team.rows(
        "select schemas.nspname, count(*) from pg_class as relations inner join pg_namespace as"
        " schemas on relations.relnamespace = schemas.oid where schemas.nspname !~ '^pg_' and"
        " schemas.nspname not in ('information_schema', 'raw_evals') and relkind in ('r', 'v')"
        " group by 1 order by 1"
    )
    assert [name for name, _ in schemas] == [
        "evals", "evals_intermediate", "evals_staging", "lists", "reporting",
    ]  # fmt: skip
    assert dict(schemas)["reporting"] == 1
    assert dict(schemas)["lists"] == 1
    assert team.rows("select * from reporting.shop_shipped order by 1") == team.rows(
        "select experiment_id, recommendation, success_rate from evals.experiment_summaries"
        " inner join evals.arm_summaries using (experiment_id) where candidate_group ="
        " experiment_group and candidate_version = extension_version order by 1"
    )


def test_a_var_and_a_seed_of_the_team_decide(team: Team) -> None:
    assert team.rows(
        "select recommendation, improvement_margin from evals.experiment_summaries inner join"
        " evals.experiment_metric_comparisons using (experiment_id) where experiment_id = %s"
        " and metric = 'accuracy'",
        _SAMPLE,
    ) == [("needs_review", 0.02)]
    told = sample_marts.loader(team.url, "summary", "--experiment", _SAMPLE).stdout
    assert "Recommendation: needs review" in told
    assert "a verdict takes 1000" in told


def test_the_ledger_has_the_build_as_a_whole_one(team: Team) -> None:
    assert team.rows(
        "select status, is_whole, holder ->> 'name' like 'dbt %%'"
        " from evals_staging.builds order by build_id desc limit 1"
    ) == [("complete", True, True)]


def test_no_proof_of_the_models_runs_in_the_teams_builds(team: Team) -> None:
    done = team.dbt("--quiet", "list", "--resource-type", "unit_test", "--output", "name")
    assert done.stdout.split() == []
    assert done.returncode == 0


def test_what_the_team_builds_of_its_own_asks_for_no_turn_and_the_rest_does(team: Team) -> None:
    # alive for as long as its session is, however long dbt takes to begin
    name = "somebody else"
    held = {"name": name, "token": "another", "sessions": name, "renews": False}
    with psycopg.connect(team.url, autocommit=True, application_name=name) as connection:
        connection.execute("select raw_evals.take_build('evals', %s, null)", [Jsonb(held)])
        try:
            done = team.dbt("run", "--select", "shipped")
            assert done.returncode == 0, done.stdout
            done = team.dbt("run", "--select", "stg_loads")
            assert done.returncode == 1
            assert "another build of this database is under way: somebody else" in done.stdout
        finally:
            connection.execute(
                "update evals_staging.builds set status = 'failed' where status = 'running'"
            )


def test_a_model_that_would_hide_one_is_refused_by_name(team: Team) -> None:
    team.write("models/stg_loads.sql", "select 1 as load_id")
    try:
        done = team.dbt("run", "--select", "package:evalmart,stg_loads")
    finally:
        (team.folder / "models/stg_loads.sql").unlink()
    told = " ".join(done.stdout.split())
    assert "the model stg_loads of shop (models/stg_loads.sql) stands in the place" in told
    assert done.returncode == 2


def test_another_materialization_is_refused(team: Team) -> None:
    project = _FILES["dbt_project.yml"]
    named = "models:\n  +schema"
    team.write(
        "dbt_project.yml", project.replace(named, "models:\n  +materialized: table\n  +schema")
    )
    try:
        done = team.dbt("run", "--select", "stg_loads")
    finally:
        team.write("dbt_project.yml", project)
    assert done.returncode == 2
    assert "has to be of the materialization" in " ".join(done.stdout.split())


def test_how_marts_are_replaced_can_be_evalmarts_and_leaves_the_teams_models_alone(
    team: Team,
) -> None:
    recorded = "select count(*) from evals_staging.built_relations where relation_name like %s"
    team.write("macros/evalmart.sql", _OWN_MATERIALIZATIONS)
    done = team.dbt("run", "--select", "stg_loads", "shipped")
    assert done.returncode == 0, done.stdout
    assert team.rows(recorded, "%stg_loads%") == [(1,)]
    assert team.rows(recorded, "%shipped%") == [(0,)]
    done = team.dbt("run", "--select", "stg_loads")
    assert "UNCHANGED" in done.stdout


def test_a_build_of_evalmart_afterwards_makes_its_own_marts_again(
    team: Team, postgres_server: str
) -> None:
    sample_marts.build(team.url)
    marts = ("experiment_summaries", "experiment_metric_comparisons", "arm_summaries")
    with sample_marts.sample_marts(postgres_server) as url:
        reference = Team(team.folder, url)
        for mart in (*marts, "version_trends", "evaluation_results"):
            query = f"select rows::text from evals.{mart} as rows order by 1"
            assert team.rows(query) == reference.rows(query), mart
