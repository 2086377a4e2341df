"""Records at the ends of what is taken: the largest numbers, the longest and oddest texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loader.records import bounds

if TYPE_CHECKING:
    import random

GROUPS = ("baseline", "code-chef")
_LARGEST = bounds.LARGEST_NUMBER
_TINY = (0, -0.0, 5e-324, 1e-310, 1e-300, 1e-160, 1e-30, 1e-9)
NUMBERS = (*_TINY, -1e-310, 0.5, 1, -1, 2**53, 1e15, _LARGEST, -_LARGEST, 1e29, -1e-30)
UNITS = (None, True, False, 0, 1, 0.5, *_TINY, 1 - 2**-53)
OFF = (1e308, -1e308, 1.7976931348623157e308, 10**40)
SCALES = (
    [0, 1], [1, 5], [-_LARGEST, _LARGEST], [0, 5e-324], [0, 1e-300], [-1e-300, _LARGEST],
    [1, 1 + 2**-52], [_LARGEST / 2, _LARGEST],
)  # fmt: skip
TIMES = (
    None, "1970-01-01T00:00:00Z", "2199-12-31T23:59:59.999999Z", "2026-01-01T00:00:00+14:00",
    "2000-02-29T12:00:00.000001Z",
)  # fmt: skip
_LETTERS = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "é", "漢", "🦊", "\x01\x1b\u200b\u202e\ufeff", "'\"\\;$-/*{}[]%", "\n\t ",
)  # fmt: skip


def text(rng: random.Random, longest: int) -> str:
    """Return a text that no compression shortens, of up to so many bytes."""
    letters = rng.choice((_LETTERS[0], "".join(_LETTERS)))
    size = rng.choice((1, longest // 2, longest))
    drawn = "".join(rng.choices(letters, k=size)).strip().encode()[:longest]
    return drawn.decode(errors="ignore").strip() or "x"


class Extremes:
    """Makes records of a few experiments, so that many meet in sums and comparisons."""

    def __init__(self, rng: random.Random, experiments: int) -> None:
        """Draw the names that records share."""
        self._rng = rng
        self._experiments = [text(rng, bounds.LONGEST_IDENTIFIER) for _ in range(experiments)]
        self._versions = [text(rng, bounds.LONGEST_LABEL) for _ in range(3)] + ["9" * 256, "1.0"]
        self._agents = [None, *(text(rng, bounds.LONGEST_LABEL) for _ in range(2))]
        self._tasks = [text(rng, bounds.LONGEST_IDENTIFIER) for _ in range(12)]
        self._keys = [text(rng, bounds.LONGEST_NAME) for _ in range(4)]
        long = "".join(rng.choices(_LETTERS[0], k=3000))
        self._segments: list[Any] = [
            None, "", "short", True, 1e308, -0.0, 10**40, long, f"{long}!", "é" * 4000, {},
            [long, "short", 1, None, True, {"a": long}],
        ]  # fmt: skip
        self._remarks = ["", *(text(rng, 3000) for _ in range(20))]
        self._many = [f"{number} {long[:400]}" for number in range(120)]

    def record(self, run: int) -> dict[str, Any]:
        """Return one record, whose id begins with the number `run`."""
        rng = self._rng
        experiment = rng.choice(self._experiments)
        record: dict[str, Any] = {
            "experiment_id": experiment,
            "task_id": rng.choice(self._tasks),
            "experiment_group": rng.choice(GROUPS),
            "extension_version": rng.choice(self._versions[: rng.choice((1, 5))]),
            "source_run_id": f"{run} {text(rng, bounds.LONGEST_RUN_ID - 12)}",
            "repetition": rng.choice((None, 1, 2, bounds.LARGEST_COUNT)),
            "recorded_at": rng.choice(TIMES),
            "model_version": rng.choice((None, "m", "m" * 256)),
            "agent_name": rng.choice(self._agents),
            "latency_ms": rng.choice((None, *_TINY, 1e12, 5, *OFF)),
            "tokens_used": rng.choice((None, 0, 1, 10**12, *OFF)),
            "cached_tokens": rng.choice((None, 10**12)),
            "cost_usd": rng.choice((None, *_TINY, 1e9, 0.01, *OFF)),
            "success": rng.choice((None, True, False)),
            "error_message": rng.choice((None, "", "\x1b[31m", rng.choice(self._remarks))),
            "dataset_version": rng.choice((None, None, None, "d", "é" * 128)),
            "evaluator_versions": rng.choice(({}, {}, {"accuracy": ""}, {"accuracy": "x" * 5000})),
            "measurements": self._drawn(self._keys[2:], (*NUMBERS, *OFF)),
            "metadata": {
                "category": self._many if run % 997 == 0 else rng.choice(self._segments),
                "split": rng.choice(self._segments),
                "cluster_id": rng.choice((None, "", "c" * 9000, 7, [1], {}, self._keys[0])),
            },
            "labels": self._drawn(self._keys, ("a", "🦊" * 256, "a\u2028")),
            "comments": self._drawn(self._keys, tuple(self._remarks)),
        }
        if experiment == self._experiments[-1]:
            record["baseline_experiment_id"] = self._experiments[0]
        return {**record, **self._scored()}

    def _scored(self) -> dict[str, Any]:
        """Return scores, some on scales of their own."""
        rng = self._rng
        scores = self._drawn([*self._keys[:2], "completeness"], (*UNITS, *OFF))
        scales = {}
        for key in self._keys[:2]:
            if rng.random() < 0.4:
                low, high = scales[key] = rng.choice(SCALES)
                scores[key] = rng.choice((low, high, low / 2 + high / 2, None))
        drawn = rng.choice((*UNITS, *OFF))
        return {"scores": scores, "score_scales": scales, "accuracy": drawn}

    def _drawn(self, keys: list[str], values: tuple[Any, ...]) -> dict[str, Any]:
        rng = self._rng
        return {key: rng.choice(values) for key in keys if rng.random() < 0.7}
