"""Scores of whole arms in the files of one load, and which of them are of arms without runs."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec

from ...records.bounds import LONGEST_IDENTIFIER
from ...records.json_text import shown
from ...tools.counts import counted
from .. import Rejection, SourceRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from .. import SummaryScore

_MOST_SCORES: Final = 8
_ARM: Final = ("experiment_id", "experiment_group", "extension_version")
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Wholes:
    """The latest score of each arm and key, with the file that has it."""

    def __init__(self, groups: Collection[str]) -> None:
        """Begin with none.

        Args:
            groups: those that a score may be of; any if there are none.

        """
        self._groups = groups
        self._kept: dict[str, tuple[str, SummaryScore]] = {}
        self.twice = 0
        """Scores of an arm and key that had one."""

    def keep(self, origin: str, score: SummaryScore) -> None:
        """Keep a score, unless a later one of its arm and key is kept."""
        _, known = self._kept.get(score.feedback_id, ("", None))
        self.twice += known is not None
        if known is None or (known.scored_at or "") <= (score.scored_at or ""):
            self._kept.pop(score.feedback_id, None)
            self._kept[score.feedback_id] = origin, score

    def scores(self) -> Sequence[SummaryScore]:
        """Return what is kept."""
        return [score for _, score in self._kept.values()]

    def lone(self, arms: Collection[tuple[str, str, str]]) -> Iterator[SourceRow | str]:
        """Yield a note for each file with scores of arms that have no run in the load.

        And a row for those of arms of which no run could be: they are not kept.

        Args:
            arms: those that have runs.

        """
        for origin, part in groupby([*self._kept.values()], key=lambda each: each[0]):
            scores = [score for _, score in part]
            faults = [(score, fault) for score in scores if (fault := self._fault(score))]
            for score, _ in faults:
                del self._kept[score.feedback_id]
            if faults:
                original = _encode([score._asdict() for score, _ in faults])
                yield SourceRow(1, origin, original, None, faults[0][1])
            lone = [
                score
                for score in scores
                if score.feedback_id in self._kept and score[:3] not in arms
            ]
            if lone:
                yield _note(origin, lone)

    def _fault(self, score: SummaryScore) -> Rejection | None:
        """Say why no run can be of the arm of a score."""
        missing = [name for name, value in zip(_ARM, score[:3], strict=True) if not value]
        if missing:
            option = f"--{missing[0].replace('_', '-')}"
            return Rejection("missing_field", f"{missing[0]} is missing; give {option}")
        group = score.experiment_group
        if not self._groups or group in self._groups:
            return None
        known = ", ".join(sorted(self._groups))
        reason = (
            f"experiment_group is {shown(group)}; known are {known}: use one of them, or name it "
            "by --control or --treatment"
        )
        return Rejection("unknown_group", reason)


def score_id(kind: str, experiment: str, group: str, version: str, key: str) -> str:
    """Return what names the score of an arm: its parts, or their hash where that is not certain."""
    parts = (experiment, group, version, key)
    name = f"{kind}:{experiment}/{group}/{version}:{key}"
    if len(name.encode()) <= LONGEST_IDENTIFIER and not any({*"/:"} & {*part} for part in parts):
        return name
    return f"{kind}:{hashlib.sha256(_encode(parts)).hexdigest()}"


def utc_time(text: str | None) -> str | None:
    """Return a time in UTC, ISO 8601, if it is one."""
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text or "")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat()
    return None


def _note(origin: str, scores: Sequence[SummaryScore]) -> str:
    told = ", ".join(
        f"{score.evaluator_key} {'absent' if score.score is None else f'{score.score:g}'}"
        for score in scores[:_MOST_SCORES]
    )
    more = f" and {len(scores) - _MOST_SCORES} more" if len(scores) > _MOST_SCORES else ""
    return (
        f"{origin or 'standard input'}: {counted(len(scores), 'score')} of a whole arm "
        f"({told}{more}) and none of its runs: they are kept, and nothing is compared by them; "
        "give the file of its samples for that"
    )
