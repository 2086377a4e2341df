"""Evaluators named `module:function`: loading them, and applying them to a run.

An evaluator is whatever langsmith's `evaluate()` takes: a function that names what it wants
(`calling`), a coroutine function, an object or a class with `__call__`, a `RunEvaluator`. What
it may return stands in `results`. One that raises gives null with its error: a crash is not
a zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..tools.named import import_object
from ..tools.secrets import redact
from .calling import Call, call_of, callee
from .results import Evaluation, read_results
from .source_text import literal_keys, source_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LONGEST_ERROR = 2000


@dataclass
class Evaluator:
    """Something that scores a run.

    Making one raises `ConfigurationError` where it asks for what it cannot be given.

    Attributes:
        name: `module:function`.
        version: name and hash of the function's source, `module:function@0123456789abcdef`.
        function: what was named: a function or an object; of a class, an object of it.
        keys: every key it has returned so far; a crash is null under each of them.
        scored: those that had a score, or nothing; others had words alone.
        call: how it is called.
    """

    name: str
    version: str
    function: object
    keys: set[str] = field(default_factory=set)
    scored: set[str] = field(default_factory=set)
    call: Call = field(init=False)

    def __post_init__(self) -> None:
        """Find out what it asks for, before any run is made or read."""
        self.function = callee(self.function, self.name)
        self.call = call_of(self.function, self.name)

    @property
    def needs(self) -> frozenset[str]:
        """Name what it is given, of `calling.SUPPORTED`."""
        return self.call.needs

    @property
    def needs_example(self) -> bool:
        """Whether it is given anything of the run's example."""
        return not self.needs <= {"run", "outputs"}

    @property
    def own_key(self) -> str:
        """Return the key of a result that names none: the function's name."""
        given = getattr(self.function, "__name__", "")
        if isinstance(given, str) and given.isidentifier():
            return given
        return self.name.rpartition(":")[2].rpartition(".")[2]

    def apply(self, run: object, example: object) -> list[Evaluation]:
        """Score one run; never raises.

        Args:
            run: what the evaluator takes as its run; a LangSmith `Run` or alike.
            example: the example the run was made from, or None.
        """
        try:
            answer = self.call(run, example)
            results = list(read_results(answer, self.own_key, getattr(run, "id", None)))
        except Exception as error:  # noqa: BLE001  whatever foreign code raises
            text = redact(f"{type(error).__name__}: {error}")[:LONGEST_ERROR]
            return [Evaluation("", None, None, None, text)]
        self.keys.update(result.key for result in results)
        self.scored.update(result.key for result in results if result.words is None)
        return results

    def known_scores(self) -> list[str]:
        """Return the known keys under which scores are to be expected, not words alone."""
        return [key for key in self.known_keys() if key in self.scored or key not in self.keys]

    def known_keys(self) -> list[str]:
        """Return the keys it has given so far, else those in its text, else its own."""
        said = getattr(self.function, "feedback_keys", None)
        stated = [str(key) for key in said] if isinstance(said, list | tuple) else []
        return sorted(self.keys) or stated or literal_keys(self.function) or [self.own_key]


def load_evaluators(names: Iterable[str]) -> list[Evaluator]:
    """Import evaluators, each named `module:function`; the working directory counts.

    Raises:
        ConfigurationError: a name does not lead to something that can be called, or that
            asks for what it cannot be given.
    """
    return [evaluator_of(_imported(name), name) for name in names]


def _imported(name: str) -> object:
    return import_object(name, "--evaluator", "evalmart.evaluators:exact_match")


def evaluator_of(function: object, name: str) -> Evaluator:
    """Make an evaluator of what stands behind a name.

    Raises:
        ConfigurationError: it cannot be called, or asks for what it cannot be given.
    """
    return Evaluator(name, f"{name}@{source_hash(function)}", function)


def describe(evaluators: Iterable[Evaluator]) -> Mapping[str, str]:
    """Return name → version, for a load's ledger entry."""
    return {evaluator.name: evaluator.version for evaluator in evaluators}
