"""Bars given beside a policy: `gate --floor accuracy=0.8`, as the old thresholds were."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..errors import ConfigurationError
from ..marts.conditions import PSEUDO
from ..tools.metric_names import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..records.vocabulary import Scale
    from .policy import Policy


def with_floors(policy: Policy, given: Sequence[str], scales: Mapping[str, Scale]) -> Policy:
    """Return a policy with further floors; one of a metric takes the place of the policy's.

    Args:
        policy: of a file.
        given: `NAME=BAR` each. NAME is a metric, or an evaluator's key, which stands for the
            metric it is mapped to; of a score the bar is on 0 to 1, whatever the key's scale.
        scales: evaluator key → metric and scale.

    Raises:
        ConfigurationError: one is not of that form, off 0 to 1 where the key is a score, or
            there twice; names them all.

    """
    found: dict[str, float] = {}
    faults = []
    for text in given:
        name, _, number = text.partition("=")
        bar = _number(number)
        if not name.strip() or bar is None:
            faults.append(f"--floor {text}: write a metric and its bar, such as accuracy=0.8")
            continue
        scale = scales.get(name.strip())
        metric = scale.metric if scale else resolve(name.strip())
        if (scale or metric in PSEUDO) and not 0 <= bar <= 1:
            low, high = (scale.low, scale.high) if scale else (0, 100)
            share = (bar - low) / (high - low)
            told = f"; {bar:g} of {low:g} to {high:g} is {metric}={share:.4g}"
            faults.append(f"--floor {text}: a bar is on 0 to 1{told if 0 <= share <= 1 else ''}")
        elif metric in found:
            faults.append(f"--floor {text}: {metric} has a floor already; keep one")
        else:
            found[metric] = bar
    if faults:
        raise ConfigurationError("; ".join(faults))
    kept = {name: bar for name, bar in policy.floors.items() if resolve(name) not in found}
    return replace(policy, floors={**kept, **found})


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
