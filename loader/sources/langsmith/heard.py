"""What the feedback of a project came to: said to people, to the ledger, and to raw."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from . import whole
from .meaning import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .. import ScoreConfig, SummaryScore
    from .feedback import Verdict
    from .whole import Arm

_UNIT = [0.0, 1.0]


class Heard:
    """Gathers what every run's verdict says of its keys."""

    def __init__(
        self, meaning: Meaning | None = None, of_whole: Sequence[Mapping[str, object]] = ()
    ) -> None:
        """Begin.

        Args:
            meaning: of the keys.
            of_whole: the feedback that is about no run.
        """
        self.meaning = meaning or Meaning()
        self._of_whole = of_whole
        self._scales: dict[str, list[float]] = {}
        self._labelled: set[str] = set()
        self._left_out: Counter[str] = Counter()
        self._pairwise: Counter[str] = Counter()

    def note(self, verdict: Verdict) -> None:
        """Take the verdict on a run into account."""
        self._scales.update(verdict.scales)
        self._labelled.update(verdict.labels)
        self._left_out.update(verdict.left_out)
        self._pairwise.update(verdict.pairwise)

    def score_configs(self, arms: Iterable[Arm]) -> list[ScoreConfig]:
        """Return what the service says of the keys, for the experiments of some arms."""
        return self.meaning.configs.of_experiments(sorted({arm[0] for arm in arms}))

    def summary_scores(self, arms: Sequence[Arm]) -> list[SummaryScore]:
        """Return the scores of the experiment as a whole; of several arms, nobody said whose."""
        if len(arms) != 1:
            return []
        return whole.summary_scores(self._of_whole, arms[0], self.meaning)

    def facts(self) -> dict[str, object]:
        """Return what the ledger keeps; what there is none of is left out.

        Keys: score_scales, labelled, text_left_out, pairwise.
        """
        facts: dict[str, object] = {
            "score_scales": dict(sorted(self._scales.items())),
            "labelled": sorted(self._labelled),
            "text_left_out": dict(sorted(self._left_out.items())),
            "pairwise": self._pairwise.total(),
        }
        return {name: value for name, value in facts.items() if value}

    def sentences(self, arms: Sequence[Arm]) -> Iterator[str]:
        """Say what a person would otherwise not notice."""
        configs = self.meaning.configs
        if configs.refusal is not None:
            yield (
                f"LangSmith does not say what its feedback keys mean (status {configs.refusal}); "
                "scores are on 0 to 1 where no seed and no --scale says otherwise."
            )
        scales = [
            f"{key} is on {low:g} to {high:g}"
            for key, (low, high) in sorted(self._scales.items())
            if [low, high] != _UNIT
        ]
        if scales:
            yield f"{', '.join(scales)}, as LangSmith says."
        if configs.senseless:
            yield (
                f"LangSmith says what cannot be, and is not heeded: {', '.join(configs.senseless)}."
            )
        if self._labelled:
            yield f"Counted by category, not averaged: {', '.join(sorted(self._labelled))}."
        of_words = [key for key in sorted(self._labelled) if self.meaning.is_of_words(key)]
        if of_words:
            yield (
                f"LangSmith calls {', '.join(of_words)} categorical; to average the numbers of its "
                f"categories too, say on which scale they are: --scale {of_words[0]}=MIN:MAX."
            )
        if self._left_out:
            yield f"Text that is no category is kept with the feedback only: {self._counted()}."
        if self._pairwise:
            keys = ", ".join(sorted(self._pairwise))
            yield (
                f"{self._pairwise.total():,} pairwise preferences ({keys}) are no scores of a run; "
                "they are compared once the other experiment is loaded too."
            )
        said = whole.sentence(self.summary_scores(arms), len(self._of_whole), bool(arms))
        if said:
            yield said

    def _counted(self) -> str:
        return ", ".join(f"{key} {count:,}" for key, count in sorted(self._left_out.items()))
