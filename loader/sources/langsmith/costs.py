"""What runs used and cost: zeros that nobody measured, and costs by a list of prices.

A trace whose model reports no usage has 0 tokens, and a model without a price there costs 0.
Neither is a measurement. A zero is one where no model answered in the trace, or, of a cost,
where each that answered counted its tokens and cost 0, as a model of one's own does.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from ...tools.counts import counted
from ...tools.prices import price_of
from .runs import normalised_child
from .times import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...tools.prices import PriceList
    from .runs import RunQuery
    from .spool import Spool

_COUNTS = ("tokens", "prompt_tokens", "completion_tokens")
_MOST_MODELS = 3


def forget_unmeasured(query: RunQuery, spool: Spool) -> int:
    """Make null the zeros of runs in which a model answered and nobody measured.

    No request where no run has a zero; else the runs of models below those that have.

    Returns:
        How many runs had such a zero.

    Raises:
        SourceUnavailable: LangSmith does not answer.

    """
    zeros = spool.zeros()
    decode = msgspec.json.Decoder(dict[str, object]).decode
    unmeasured: dict[str, bool] = {}
    for page in query.children(zeros, "llm") if zeros else ():
        for raw in page.runs:
            try:
                child = normalised_child(decode(raw))
            except (msgspec.MsgspecError, KeyError):
                continue
            if child["outputs"]:
                root = str(child["trace_id"])
                is_free = bool(child["tokens"]) and child["cost_usd"] == 0
                unmeasured[root] = unmeasured.get(root, False) or not is_free
    return sum(
        spool.forget_zeros(run_id, _COUNTS + (("cost_usd",) if is_cost_unknown else ()))
        for run_id, is_cost_unknown in unmeasured.items()
    )


class Pricing:
    """Costs by a list of prices, for runs of which the service knows none."""

    def __init__(self, prices: PriceList) -> None:
        """Begin with nothing priced."""
        self._prices = prices
        self._priced = 0
        self._uncounted = 0
        self._unlisted: Counter[str] = Counter()

    def cost(self, run: Mapping[str, object], model: object) -> float | None:
        """Return what a run's tokens cost in US dollars; None where that cannot be told.

        Args:
            run: normalised.
            model: of its record; None if nobody says.

        """
        began = moment(run["started_at"])
        prompt, completion = run["prompt_tokens"], run["completion_tokens"]
        if not (isinstance(prompt, int) and isinstance(completion, int)) or began is None:
            self._uncounted += 1
            return None
        price = price_of(str(model or ""), self._prices.on(began.date()))
        if price is None:
            self._unlisted[str(model or "unknown")] += 1
            return None
        cost = price.cost(
            prompt, completion, _count(run["cached_tokens"]), _count(run["reasoning_tokens"])
        )
        if cost is None:
            self._uncounted += 1
        else:
            self._priced += 1
        return cost

    def notes(self) -> Iterator[str]:
        """Say which costs are made, and which could not be."""
        named = self._prices.named
        if self._priced:
            yield (
                f"The cost of {counted(self._priced, 'run')} is by {named}, from the tokens: "
                "LangSmith has none (metadata.langsmith.cost_source is prices)."
            )
        if self._unlisted:
            models = ", ".join(f"{m} {n:,}" for m, n in self._unlisted.most_common(_MOST_MODELS))
            runs = counted(self._unlisted.total(), "run")
            yield f"{named} has no price of the model of {runs}: {models}."
        if self._uncounted:
            yield (
                f"Without a cost, and without counts of tokens by which to price: "
                f"{counted(self._uncounted, 'run')}."
            )


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
