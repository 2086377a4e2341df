"""From results to a verdict, as a pipeline asks for it: load, build, gate, report.

What a commit's job brings takes the place of what an earlier run of it brought: the earlier
results are withdrawn, never averaged with the new ones. Another commit is another experiment.
"""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import UNEXPECTED, LoaderError, NothingToJudge
from ..gate import judge
from ..gate.decision import exit_code
from ..gate.guards import is_relative
from ..gate.page import render_answers
from ..gate.verdict import GRAVITY, Verdict
from ..marts.leaving import records
from ..marts.reading import reading
from ..report import drawing
from ..report.page import experiment_report
from ..tools.extras import require
from ..tools.files import cannot_write, whole_file
from ..tools.secrets import redact
from ..tools.tables import Format
from ..warehouse.connection import connect
from ..warehouse.dbt import build
from ..warehouse.migrate import current_version, migrate, migrations
from . import outputs, page, place
from .asked import check, policy_of
from .git import Clone
from .loading import Loading
from .result import ERROR, RECORDED, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..gate.page import Answer
    from ..gate.policy import Policy
    from ..warehouse.connection import Connection
    from .asked import Asked
    from .baseline import Baseline
    from .place import Place

_INCONCLUSIVE: Final = 5
_PAGE: Final = "report.html"
_GATE: Final = "gate.md"


class Told(NamedTuple):
    """Who is told what happens, while it does."""

    sentence: Callable[[str], None]
    """For people."""
    order: Callable[[str], None]
    """For the log of the service; escaped already."""


def evaluate(
    asked: Asked,
    environment: Mapping[str, str],
    told: Told,
    code_of: Callable[[LoaderError], int],
) -> Result:
    """Evaluate the results of a commit and leave behind what the service takes.

    Args:
        asked: what for.
        environment: variables of the process.
        told: who is told what happens.
        code_of: returns what the command ends with for an error.

    Raises:
        ConfigurationError: the environment is wrong, and nothing is left behind.
        LoaderError: what a step met, or what is wrong with an option or the policy; what it left
            behind says so too, as of any other error.

    """
    clone = Clone(Path.cwd())
    where = place.find(environment, clone, asked.said)
    out = outputs.folder(asked.out)
    leave = partial(_leave, where, environment, out, told.order)
    try:
        _forget(out)
        check(asked)
        require("build")
        result = _Evaluation(asked, where, clone, policy_of(asked), told.sentence).run()
    except LoaderError as error:
        leave(_failed(where, code_of(error), redact(str(error))))
        raise
    except Exception:
        leave(_failed(where, UNEXPECTED, "evalmart met what nobody expected: see the job's log"))
        raise
    leave(result)
    return result


def _forget(out: Path) -> None:
    """Remove the pages of an earlier run, which would stand beside a verdict they are not of."""
    for name in (_PAGE, _GATE):
        try:
            (out / name).unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(out / name, error) from error


def _failed(where: Place, code: int, headline: str) -> Result:
    failed = Result(ERROR, code, headline, [], where.experiment, "", "", where.commit)
    return failed._replace(comment=page.comment(failed))


def _leave(
    where: Place,
    environment: Mapping[str, str],
    out: Path,
    order: Callable[[str], None],
    result: Result,
) -> None:
    outputs.write(out / "comment.md", result.comment)
    outputs.write(out / "verdict.json", json.dumps(result.plain(), indent=2) + "\n")
    outputs.leave(where, environment, result, out)
    if where.service is place.Service.GITHUB:
        for line in outputs.told_in_log(result):
            order(line)


class _Evaluation:
    """The steps, and what they found."""

    def __init__(
        self,
        asked: Asked,
        where: Place,
        clone: Clone,
        policy: Policy,
        tell: Callable[[str], None],
    ) -> None:
        self._asked = asked
        self._place = where
        self._policy = policy
        self._tell = tell
        self._url = asked.database_url
        self._notes: list[str] = []
        self._loading = Loading(asked, where, clone, self._note)

    def run(self) -> Result:
        """Do all of it."""
        where = self._place
        self._tell(f"experiment {where.experiment}: {_told(where)}")
        if not (where.branch or where.number or where.named):
            self._note(
                "no branch is known, as where a commit alone is checked out: give --branch NAME, "
                f"on {where.main} too, or its results are no baseline"
            )
        with connect(self._url) as connection:
            # a role of loaders may not, and need not where all is as it should be
            if current_version(connection) != migrations()[-1].version:
                connection.rollback()
                migrate(connection)
        self._loading.load_baseline()
        against = self._loading.baseline()
        if against.why:
            self._tell(against.why)
        if against.hint:
            self._note(against.hint)
        code = self._loading.load(against)
        if code:
            headline = (
                f"evalmart ingest ended with exit code {code}: its output in the job's log says "
                "why, and what to do"
            )
            return self._finish(self._result(ERROR, code, headline, against))
        found = self._loading.take_sides(against)
        is_alone = bool(self._asked.ingest and against.why and not against.experiment)
        if is_alone and not found.is_comparison and not self._policy.floors:
            return self._inconclusive(against.why, against)
        code = build((), self._url, quiet=True)
        if code:
            headline = f"evalmart build ended with exit code {code}: the job's log says why"
            return self._finish(self._result(ERROR, code, headline, against))
        if self._loading.is_baseline(found):
            return self._record(against)
        return self._judge(against)

    def _record(self, against: Baseline) -> Result:
        with connect(self._url) as connection:
            self._leave_records(connection)
        headline = (
            f"Results of {self._place.main} are kept as {self._place.experiment}; changes are "
            "compared with them."
        )
        return self._finish(self._result(RECORDED, 0, headline, against))

    def _leave_records(self, connection: Connection) -> None:
        path = self._asked.out / "results.jsonl"
        with reading(connection) as _:
            try:
                with whole_file(path) as stream:
                    records.write(connection, self._place.experiment, stream)
            except OSError as error:
                raise cannot_write(path, error) from error

    def _inconclusive(self, sentence: str, against: Baseline) -> Result:
        headline = f"{sentence[:1].upper()}{sentence[1:]}"
        code = self._code(exit_code(self._policy, Verdict.INCONCLUSIVE))
        # the sentence says what there is to say of the baseline
        said = against._replace(why="")
        return self._finish(self._result(Verdict.INCONCLUSIVE.value, code, headline, said))

    def _judge(self, against: Baseline) -> Result:
        drawing.warm_up()
        experiment = self._place.experiment
        with connect(self._url) as connection:
            try:
                judged = judge.judge(connection, self._policy, judge.Asked(experiment))
            except NothingToJudge as error:
                return self._inconclusive(str(error), against)
            report = experiment_report(connection, experiment, "md")
            outputs.write(
                self._asked.out / _PAGE, experiment_report(connection, experiment, "html")
            )
            if self._loading.keeps_main():
                self._leave_records(connection)
        for sentence in judged.notices:
            self._tell(sentence)
        text = io.StringIO()
        render_answers(judged.answers, Format.MARKDOWN, text)
        outputs.write(self._asked.out / _GATE, text.getvalue())
        answer = max(judged.answers, key=lambda each: GRAVITY.index(each.decision.verdict))
        result = self._of_answer(answer, judged.exit_code, against)
        is_overruled = answer.decision.headline != answer.decision.candidate.summary.headline
        return self._finish(result, report, text.getvalue(), is_overruled=is_overruled)

    def _of_answer(self, answer: Answer, code: int, against: Baseline) -> Result:
        decision = answer.decision
        summary = decision.candidate.summary
        found = decision.candidate.metric(summary.primary_metric)
        result = self._result(decision.verdict.value, self._code(code), decision.headline, against)
        return result._replace(
            reasons=[reason.sentence for reason in decision.reasons],
            baseline=summary.baseline_experiment_id or against.experiment,
            metric=summary.primary_metric,
            improvement=found.improvement_pct if found else None,
            improvement_low=found.improvement_low_pct if found else None,
            improvement_high=found.improvement_high_pct if found else None,
            improvement_unit=("%" if is_relative(found) else "points") if found else None,
            policy_hash=decision.policy.hash(),
        )

    def _code(self, code: int) -> int:
        return 0 if code == _INCONCLUSIVE and self._asked.passes_inconclusive else code

    def _note(self, sentence: str) -> None:
        self._notes.append(f"{sentence[:1].upper()}{sentence[1:]}.")
        self._tell(f"note: {sentence}")

    def _result(self, verdict: str, code: int, headline: str, against: Baseline) -> Result:
        return Result(
            verdict, code, headline, [], self._place.experiment, against.experiment,
            against.why, self._place.commit,
        )  # fmt: skip

    def _finish(
        self, result: Result, report: str = "", gate: str = "", *, is_overruled: bool = True
    ) -> Result:
        parts = page.Parts(report, gate, self._notes, is_overruled)
        text = page.comment(result, parts)
        return result._replace(comment=text)


def _told(where: Place) -> str:
    request = f"request {where.number} to {where.main}" if where.number else where.branch
    what = f"the main branch, {where.branch}" if where.is_main else request or "no branch"
    fork = ", from a fork" if where.is_fork else ""
    commit = where.commit[: place.SHORT] or "no commit"
    return f"commit {commit} of {what}{fork} ({where.service.value})"
