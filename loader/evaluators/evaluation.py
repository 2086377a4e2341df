"""Evaluators named `module:function`: loading them, and applying them to a run.

An evaluator has LangSmith's signature `(run, example)`; `example` is None where no
dataset was named. It returns a number, a boolean, a label, None, a mapping with `key`,
`score`, `value` and `comment`, a list of such mappings, or `{"results": [...]}`. One
that raises gives null with its error: a crash is not a zero.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import textwrap
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from loader.tools.named import import_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# 64 bits tell versions of one function apart; short enough to read in a table.
VERSION_BYTES = 8
LONGEST_ERROR = 2000
RUN_AND_EXAMPLE = 2


class Evaluation(NamedTuple):
    """What one evaluator says of one run under one key."""

    key: str
    """Empty for an evaluator that raised before it could say."""
    score: float | bool | None
    """None for a label, for nothing, and for an evaluator that raised."""
    value: object
    comment: str | None
    error: str | None
    """What the evaluator raised; None when it returned."""


@dataclass
class Evaluator:
    """A function that scores a run.

    Attributes:
        name: `module:function`.
        version: name and hash of the function's source, `module:function@0123456789abcdef`.
        function: what is called.
        keys: every key it has returned so far; a crash is null under each of them.
    """

    name: str
    version: str
    function: Callable[..., object]
    keys: set[str] = field(default_factory=set)

    @property
    def own_key(self) -> str:
        """Return the key of a result that names none: the function's name."""
        return self.name.rpartition(":")[2].rpartition(".")[2]

    def apply(self, run: object, example: object) -> list[Evaluation]:
        """Score one run; never raises.

        Args:
            run: what the evaluator takes as its run; a LangSmith `Run` or alike.
            example: the example the run was made from, or None.
        """
        try:
            with _untraced():
                if _arity(self.function) < RUN_AND_EXAMPLE:
                    answer = self.function(run)
                else:
                    answer = self.function(run, example)
                if inspect.iscoroutine(answer):
                    answer = asyncio.run(answer)
            results = list(self._results(answer))
        except Exception as error:  # noqa: BLE001  whatever foreign code raises
            return [self._crash(error)]
        self.keys.update(result.key for result in results)
        return results

    def _crash(self, error: Exception) -> Evaluation:
        text = f"{type(error).__name__}: {error}"[:LONGEST_ERROR]
        return Evaluation("", None, None, None, text)

    def _results(self, answer: object) -> Iterable[Evaluation]:
        """Read what an evaluator returned, in any of LangSmith's forms.

        Raises:
            TypeError: it is none of them.
        """
        plain = _plain(answer)
        if isinstance(plain, dict) and isinstance(plain.get("results"), list):
            plain = plain["results"]
        if isinstance(plain, list):
            for item in plain:
                yield self._result(_plain(item))
        else:
            yield self._result(plain)

    def _result(self, answer: object) -> Evaluation:
        if isinstance(answer, dict):
            score, value = answer.get("score"), answer.get("value")
            if score is not None and not isinstance(score, bool | int | float):
                raise TypeError(f"score is {type(score).__name__}, not a number or a boolean")
            comment = answer.get("comment")
            return Evaluation(
                str(answer.get("key") or self.own_key),
                score,
                value,
                None if comment is None else str(comment),
                None,
            )
        if isinstance(answer, bool | int | float):
            return Evaluation(self.own_key, answer, None, None, None)
        if answer is None or isinstance(answer, str):
            return Evaluation(self.own_key, None, answer, None, None)
        raise TypeError(f"an evaluator may not return {type(answer).__name__}")

    def known_keys(self) -> list[str]:
        """Return the keys a crash is null under: those returned so far, else its own."""
        return sorted(self.keys) or [self.own_key]


def load_evaluators(names: Iterable[str]) -> list[Evaluator]:
    """Import evaluators, each named `module:function`; the working directory counts.

    Raises:
        ConfigurationError: a name does not lead to something that can be called.
    """
    return [_load(name) for name in names]


def _load(name: str) -> Evaluator:
    function = import_named(name, "--evaluator", "loader.evaluators:exact_match")
    return Evaluator(name, f"{name}@{source_hash(function)}", function)


def source_hash(function: Callable[..., object]) -> str:
    """Hash a function's source text: 16 hexadecimal digits.

    Only the function's own text counts, as it stands in its file, not that of what
    it calls. Without source (built in, or typed at a prompt), its byte code counts.
    """
    bare = inspect.unwrap(function)
    target = bare if inspect.isroutine(bare) or inspect.isclass(bare) else type(bare)
    try:
        text = textwrap.dedent(inspect.getsource(target)).encode()
    except (OSError, TypeError):
        code = getattr(target, "__code__", None)
        text = code.co_code if code else repr(target).encode()
    return blake2b(text, digest_size=VERSION_BYTES).hexdigest()


def _arity(function: Callable[..., object]) -> int:
    """Count the positional arguments a function takes; two when it does not say."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return RUN_AND_EXAMPLE
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return RUN_AND_EXAMPLE
    positional = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    return sum(parameter.kind in positional for parameter in parameters)


def _plain(answer: object) -> object:
    """Turn LangSmith's EvaluationResult, a pydantic model, into a mapping."""
    dump = getattr(answer, "model_dump", None)
    return dump() if callable(dump) else answer


def _untraced() -> AbstractContextManager[object]:
    """Switch tracing of the evaluators themselves off, where langsmith is loaded at all."""
    helpers = sys.modules.get("langsmith.run_helpers")
    context: AbstractContextManager[object] = (
        helpers.tracing_context(enabled=False) if helpers else nullcontext()
    )
    return context


def describe(evaluators: Iterable[Evaluator]) -> Mapping[str, str]:
    """Return name → version, for a load's ledger entry."""
    return {evaluator.name: evaluator.version for evaluator in evaluators}
