"""`ci`: from results to a verdict in a pipeline; `comment`: the verdict on a pull request."""

from __future__ import annotations

import os
from pathlib import Path

import click

from .options import database_option
from .say import say, say_order


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--baseline",
    metavar="WHAT",
    default="",
    help="What to compare with. main: the results of the merge base with the main branch, else "
    "of the nearest commit before it, else the latest of that branch. own: the control arm that "
    "the results bring. Else the id of an experiment. Not given: main; on the main branch own.",
)
@click.option(
    "--baseline-file",
    "baseline_files",
    metavar="PATH",
    multiple=True,
    help="Results of the main branch, such as the results.jsonl of its job; for pull requests "
    "from forks, which reach no database. Repeatable.",
)
@click.option("--experiment", metavar="ID", default="", help="Instead of pr-N-COMMIT.")
@click.option("--commit", metavar="ID", default="", help="Instead of the pipeline's.")
@click.option("--branch", metavar="NAME", default="", help="Instead of the pipeline's.")
@click.option("--main", metavar="NAME", default="", help="The branch that requests go to.")
@click.option("--pull-request", "number", metavar="N", default="", help="Its number.")
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What the candidate must show; else the team's policy.yml, or the project's default.",
)
@click.option(
    "--segment",
    "segments",
    metavar="KIND=WHAT",
    multiple=True,
    help="What becomes of a candidate that is proven worse on a part of the tasks: agent, "
    "category or split = block, review or ignore; before the policy's. Repeatable.",
)
@click.option(
    "--inconclusive",
    type=click.Choice(["fail", "pass"]),
    default="fail",
    show_default=True,
    help="Whether an inconclusive verdict ends with 5 or with 0.",
)
@click.option(
    "--add",
    "adds",
    is_flag=True,
    help="Keep what the experiment has, as jobs of a matrix do that load into one.",
)
@click.option(
    "--out",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    default=Path("evaluation"),
    show_default=True,
    help="Where comment.md, gate.md, report.html and verdict.json go.",
)
@database_option
@click.argument("ingest_arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def ci(  # noqa: PLR0913  one parameter per option
    ctx: click.Context,
    *,
    baseline: str,
    baseline_files: tuple[str, ...],
    experiment: str,
    commit: str,
    branch: str,
    main: str,
    number: str,
    policy_file: Path | None,
    segments: tuple[str, ...],
    inconclusive: str,
    adds: bool,
    out: Path,
    database_url: str | None,
    ingest_arguments: tuple[str, ...],
) -> None:
    """Evaluate a commit in a pipeline: load, build, gate, report; on GitHub, GitLab, anywhere.

    What stands behind -- goes to `evalmart ingest`. Results of the main branch are kept as
    main-COMMIT, for others to be compared with; those of a pull request are pr-N-COMMIT. A run
    of the job for the same commit supersedes the one before; nothing is averaged. Records need
    no experiment, group or version.

    Into --out go comment.md, for the pull request, gate.md, report.html and verdict.json; on the
    main branch results.jsonl, for --baseline-file. On GitHub the job also gets outputs, a
    summary and annotations, on GitLab evaluation.env and codequality.json.

    Exit codes: 0 pass, or results of the main branch that are kept; 1 blocked; 5 inconclusive,
    also where there is no baseline yet; that of the step that failed (2, 3, 4, 70).

    \b
    Example:
      evalmart ci -- --file results.jsonl
      evalmart ci --baseline exp-1 --inconclusive pass -- --file results.jsonl
      evalmart ci --baseline own --experiment nightly -- --file 'results/*.jsonl'
    """
    from ..ci import place
    from ..ci.asked import Asked
    from ..ci.evaluate import Told, evaluate
    from . import exit_code

    asked = Asked(
        place.Said(commit, branch, main, number, experiment), baseline, baseline_files,
        ingest_arguments, adds, policy_file, segments, inconclusive == "pass", out, database_url,
    )  # fmt: skip
    told = Told(lambda sentence: say(sentence, err=True), say_order)
    result = evaluate(asked, os.environ, told, exit_code)
    say(f"{result.verdict}: {result.headline}")
    for reason in result.reasons:
        say(f"  - {reason}")
    say(f"{out}: {', '.join(sorted(path.name for path in out.iterdir()))}", err=True)
    ctx.exit(result.exit_code)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--name",
    metavar="TEXT",
    default="evalmart",
    show_default=True,
    help="Tells this comment from those of other evaluations of the same request.",
)
@click.option("--pull-request", "number", metavar="N", default="", help="Its number.")
@click.option(
    "--link", metavar="URL", default="", help="Where the page is; else the run of the pipeline."
)
@click.option(
    "--untrusted",
    is_flag=True,
    help="Refuse a file in which anything is live; always so in a workflow_run.",
)
def comment(file: Path, *, name: str, number: str, link: str, untrusted: bool) -> None:
    """Write FILE as the one comment of a pull request, or write that comment anew.

    On GitHub by GITHUB_TOKEN (or GH_TOKEN), which may write pull requests; on GitLab by
    EVALMART_GITLAB_TOKEN, with the scope api. A comment is taken for ours by its first line
    and its author. In a workflow that ran for another one (workflow_run), the request is found
    by the commit of that run, and the file was made by a stranger's code: it is refused where
    it names, links or embeds anything.

    \b
    Example:
      evalmart comment evaluation/comment.md
    """
    from ..ci import comment as comments

    told = comments.post(file, os.environ, comments.How(name, number, link, untrusted))
    say(told, err=True)
