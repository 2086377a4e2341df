"""How an evaluator is called: what it asks for by name, and what it cannot be given.

The rules are those of langsmith's `evaluate()` (0.14 to 0.16), with two differences. What it
would hand over under a false name (a run as `outputs`, because a second parameter has a name
of its own) is refused; and `inputs` are the run's where there is no example.
"""

from __future__ import annotations

import inspect
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from ..errors import ConfigurationError, nearest
from .event_loop import wait_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

SUPPORTED: Final = ("run", "example", "inputs", "outputs", "reference_outputs", "attachments")
_POSITIONAL: Final = ("run", "example")
_ADVICE: Final = (
    "an evaluator takes any of run, example, inputs, outputs, reference_outputs and attachments "
    "by name, or two parameters of other names, which are then the run and the example; every "
    "other parameter needs a default"
)


@dataclass(frozen=True, slots=True)
class Call:
    """A way to call an evaluator.

    Attributes:
        function: what is called.
        needs: which of `SUPPORTED` it is given.
        positional: names of parameters that cannot be given by name, in their order.
        keywords: names of those that are; both None for `function(run, example)`.
    """

    function: Callable[..., object]
    needs: frozenset[str]
    positional: Sequence[inspect.Parameter] | None = None
    keywords: Sequence[str] | None = None

    def __call__(self, run: object, example: object) -> object:
        """Call it, untraced, on a run and its example, or None; wait for what is asynchronous."""
        with untraced():
            answer = self._answer(run, example)
        return wait_for(_awaited(answer)) if inspect.isawaitable(answer) else answer

    def _answer(self, run: object, example: object) -> object:
        if self.positional is None or self.keywords is None:
            return self.function(run, example)
        values = _values(run, example)
        return self.function(
            *(values.get(one.name, one.default) for one in self.positional),
            **{name: values[name] for name in self.keywords},
        )


async def _awaited(answer: Awaitable[object]) -> object:
    with untraced():
        return await answer


def untraced() -> AbstractContextManager[object]:
    """Switch tracing of the evaluators themselves off, where langsmith is loaded at all."""
    helpers = sys.modules.get("langsmith.run_helpers")
    context: AbstractContextManager[object] = (
        helpers.tracing_context(enabled=False) if helpers else nullcontext()
    )
    return context


def _values(run: object, example: object) -> Mapping[str, object]:
    """Return what can be asked for, as `evaluate()` gives it; an absent mapping is empty."""
    of_run = getattr(run, "outputs", None)
    inputs = getattr(run if example is None else example, "inputs", None)
    return {
        "run": run,
        "example": example,
        "inputs": ({} if inputs is None else inputs) if example is None else inputs,
        "outputs": of_run or {},
        "reference_outputs": getattr(example, "outputs", None) or {},
        "attachments": getattr(example, "attachments", None) or {},
    }


def callee(target: object, name: str) -> object:
    """Return what stands behind a name: a class is made an object, without arguments.

    Raises:
        ConfigurationError: that cannot be done.
    """
    if inspect.isclass(target):
        try:
            return target()
        except Exception as error:  # noqa: BLE001  whatever foreign code raises
            raise ConfigurationError(
                f"evaluator {name} is a class that cannot be made without arguments "
                f"({type(error).__name__}: {error}); name an object of it instead"
            ) from None
    return target


def call_of(target: object, name: str) -> Call:
    """Find out how an evaluator is to be called.

    Args:
        target: a function, a method, a partial, an object with `__call__`, or one with
            `evaluate_run` or `aevaluate_run`, as langsmith's `RunEvaluator`.
        name: what a person calls it, for messages.

    Raises:
        ConfigurationError: it asks for what there is not; says what it may ask for.
    """
    wrapped = getattr(target, "as_run_evaluator", None)
    if callable(wrapped):  # langchain's string evaluators
        target = wrapped()
    methods = ("evaluate_run", "aevaluate_run")
    for method in reversed(methods) if getattr(target, "is_async", False) is True else methods:
        found = getattr(target, method, None)
        if callable(found) and not getattr(found, "__isabstractmethod__", False):
            return Call(found, frozenset(_POSITIONAL))
    if not callable(target):
        raise ConfigurationError(
            f"evaluator {name} can neither be called nor has it a method evaluate_run"
        )
    function = cast("Callable[..., object]", target)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"evaluator {name} does not say which parameters it takes; wrap it in a function"
        ) from None
    return _bound(function, list(parameters), name)


def _bound(
    function: Callable[..., object], parameters: Sequence[inspect.Parameter], name: str
) -> Call:
    named = [one for one in parameters if one.kind is not one.VAR_KEYWORD]
    required = [one for one in named if one.default is one.empty]
    unknown = [one.name for one in required if one.name not in SUPPORTED]
    if not named:
        raise _refused(name, "takes no parameter by name")
    if unknown:
        if not _takes_two(required):
            raise _refused(name, f"requires {', '.join(unknown)}{nearest(unknown[0], SUPPORTED)}")
        return Call(function, frozenset(_POSITIONAL))
    given = [one for one in named if one.name in SUPPORTED]
    only_positional = [one for one in named if one.kind is one.POSITIONAL_ONLY]
    while only_positional and only_positional[-1].name not in SUPPORTED:
        only_positional.pop()
    return Call(
        function,
        frozenset(one.name for one in given),
        only_positional,
        [one.name for one in given if one.kind is not one.POSITIONAL_ONLY],
    )


def _takes_two(required: Sequence[inspect.Parameter]) -> bool:
    """Whether these are a run and an example under other names, in that order."""
    return len(required) == len(_POSITIONAL) and all(
        one.kind is not one.KEYWORD_ONLY and (one.name == own or one.name not in SUPPORTED)
        for one, own in zip(required, _POSITIONAL, strict=True)
    )


def _refused(name: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"evaluator {name} {why}, which cannot be given: {_ADVICE}")
