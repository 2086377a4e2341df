"""How much a run may spend, and how fast it may go."""

from __future__ import annotations

import asyncio
import time
from typing import Final

# Sums of floats drift; a hundred-millionth of a dollar is nobody's money.
_TOLERANCE_USD: Final = 1e-8


class Budget:
    """Money set aside before a call and settled after it, so that a limit is never passed.

    A call is let through when what is spent, what is set aside for calls under way and the
    bound of this call stay within the limit. Where a target knows no bound, the dearest
    call so far stands in for it, and the first such call goes alone.
    """

    def __init__(self, limit_usd: float | None = None) -> None:
        """Set the limit; None is without."""
        self._limit = limit_usd
        self.spent_usd = 0.0
        """What finished calls cost, as far as known."""
        self._charged = 0.0
        """The same, with bounds where the cost is unknown but may be billed."""
        self.is_blind = False
        """Whether calls were made of which nobody knows what they cost at most, so that
        the limit cannot hold."""
        self._reserved = 0.0
        self._under_way = 0
        self._dearest: float | None = None
        self._is_known = False
        self._changed = asyncio.Condition()

    @property
    def has_known_cost(self) -> bool:
        """Whether of any call it is known what it cost."""
        return self._is_known

    async def reserve(self, bound_usd: float | None) -> float | None:
        """Wait until a call fits.

        Returns:
            What is set aside for it; None if it does not fit even when nothing else is
            under way, so the limit is reached.

        """
        async with self._changed:
            while True:
                amount = self._dearest if bound_usd is None else bound_usd
                fits = self._limit is None or (
                    amount is not None
                    and self._charged + self._reserved + amount <= self._limit + _TOLERANCE_USD
                )
                if not fits and amount is None and (self._under_way == 0 or self.is_blind):
                    # nobody knows what it costs: try one; waiting for others tells nothing more
                    fits = self._limit is None or self._charged < self._limit
                if fits:
                    self._under_way += 1
                    self._reserved += amount or 0.0
                    return amount or 0.0
                if self._under_way == 0:
                    return None
                await self._changed.wait()

    async def settle(
        self,
        reserved_usd: float,
        cost_usd: float | None,
        *,
        may_be_charged: bool = False,
        is_bounded: bool = True,
        odd_cost_usd: float | None = None,
    ) -> None:
        """Replace what was set aside by what the call cost.

        Args:
            reserved_usd: what `reserve` returned.
            cost_usd: what it cost; None if unknown or nothing.
            may_be_charged: whether a call of unknown cost counts with what was set aside.
            is_bounded: whether its target knew what it may cost.
            odd_cost_usd: the size of a cost that is none, such as a negative one: it counts
                against the limit, and not as spent.

        """
        async with self._changed:
            self._under_way -= 1
            self._reserved = max(0.0, self._reserved - reserved_usd) if self._under_way else 0.0
            if cost_usd is not None:
                self.spent_usd += cost_usd
                self._charged += cost_usd
                self._dearest = max(self._dearest or 0.0, cost_usd)
                self._is_known = True
            if odd_cost_usd is not None:
                self._charged += max(reserved_usd, odd_cost_usd)
                self._dearest = max(self._dearest or 0.0, odd_cost_usd)
            elif may_be_charged:
                # an attempt without an answer, beside or instead of one that has a cost
                self._charged += reserved_usd
                is_guess = not is_bounded and self._dearest is None
                self.is_blind = self.is_blind or (self._limit is not None and is_guess)
            self._changed.notify_all()


class Pace:
    """Lets calls begin at a steady rate."""

    def __init__(self, per_second: float | None = None) -> None:
        """Set the rate; None is without."""
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0

    async def wait(self) -> None:
        """Return when the next call may begin."""
        if self._interval:
            now = time.monotonic()
            begin = max(now, self._next)
            self._next = begin + self._interval
            await asyncio.sleep(begin - now)
