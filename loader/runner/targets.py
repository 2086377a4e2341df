"""What tasks are run through: a Python function or a shell command."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import threading
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar, cast

from ..errors import ConfigurationError
from ..tools import secrets
from ..tools.named import import_named
from .answers import Answer, CallFailed, read_answer, redact
from .pipes import communicated, ended
from .sound import said_by

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from .tasks import Task

P = ParamSpec("P")
R = TypeVar("R")
_ERROR_TAIL: Final = 500
_UNKNOWN_MODEL: Final = "unknown"


class Target(Protocol):
    """What a task is given to."""

    @property
    def name(self) -> str:
        """For people and for the run's metadata; holds no secret."""

    @property
    def model_version(self) -> str:
        """The record's `model_version`."""

    def cost_bound(self, task: Task) -> float | None:
        """Return what running a task costs at most, in US dollars; None if nobody knows."""
        ...

    async def run(self, task: Task, seconds: float | None = None) -> Answer:
        """Run one task, for at most so many seconds.

        Raises:
            CallFailed: the target failed on this task.
            LoaderError: it would fail on every other task too.

        """

    async def close(self) -> None:
        """Let go of connections and processes."""


class CallableTarget:
    """A Python function, sync or async: it takes a task's inputs and returns its outputs.

    A parameter named `prompt`, `inputs`, `task_id` or `metadata` is given just that; a
    single parameter of another name is given the inputs. A sync function runs in a thread,
    which cannot be stopped: after a timeout its result is thrown away when it comes.
    """

    def __init__(
        self, function: Callable[..., object], name: str = "", model_version: str = ""
    ) -> None:
        """Take a function.

        Raises:
            ConfigurationError: its parameters are not of the kind above.

        """
        self._function = function
        module = getattr(function, "__module__", "")
        self.name = name or f"{module}:{getattr(function, '__qualname__', repr(function))}"
        self.model_version = model_version or _UNKNOWN_MODEL
        self._parameters = _parameters(function, self.name)

    def cost_bound(self, task: Task) -> None:
        """Return None: a function says afterwards what it cost."""
        del task

    async def run(self, task: Task, seconds: float | None = None) -> Answer:
        """Call the function."""
        started = time.perf_counter()
        try:
            value, latency = await within(seconds, self._call(self._arguments(task)))
            return read_answer(value, latency)
        except CallFailed:
            raise
        except Exception as error:  # noqa: BLE001  whatever foreign code raises
            # from None: the frames of foreign code may hold keys
            raise CallFailed(
                said_by(error), latency_ms=_since(started), may_be_charged=True
            ) from None

    async def close(self) -> None:
        """Do nothing: a function has nothing to let go of."""

    async def _call(self, arguments: Mapping[str, Any]) -> tuple[object, float]:
        """Return what the function returns, and how many milliseconds it took."""
        started = time.perf_counter()
        if inspect.iscoroutinefunction(self._function):
            return await _contained(self._function(**arguments)), _since(started)
        value, latency = await in_thread(self._timed, arguments)
        if inspect.isawaitable(value):
            return await _contained(value), _since(started)
        return value, latency

    def _timed(self, arguments: Mapping[str, Any]) -> tuple[object, float]:
        started = time.perf_counter()
        value = self._function(**arguments)
        return value, _since(started)

    def _arguments(self, task: Task) -> dict[str, Any]:
        known = {
            "inputs": dict(task.inputs),
            "prompt": task.inputs.get("prompt"),
            "task_id": task.task_id,
            "metadata": dict(task.metadata),
        }
        return {name: known.get(name, known["inputs"]) for name in self._parameters}


async def _contained(awaitable: Awaitable[object]) -> object:
    """Wait for foreign code, which may end neither the program nor the run."""
    try:
        return await awaitable
    except (SystemExit, GeneratorExit, KeyboardInterrupt) as error:
        raise RuntimeError(repr(error)) from None
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError(repr(error)) from None


def _parameters(function: Callable[..., object], name: str) -> tuple[str, ...]:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"{name} does not say which parameters it takes; wrap it in a function"
        ) from None
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = ("inputs", "prompt", "task_id", "metadata")
    parameters = [item for item in signature.parameters.values() if item.kind in kinds]
    wanted = [item.name for item in parameters if item.name in known]
    needed = [
        item.name
        for item in parameters
        if item.default is inspect.Parameter.empty and item.name not in known
    ]
    if not wanted and len(needed) == 1:
        return (needed[0],)
    if needed or not wanted:
        raise ConfigurationError(
            f"{name} must take inputs, prompt, task_id or metadata, or one parameter"
        )
    return tuple(wanted)


def load_callable(name: str, model_version: str = "") -> CallableTarget:
    """Import a function named `module:function`; the working directory counts.

    Raises:
        ConfigurationError: the name does not lead to a function that takes a task.

    """
    try:
        function = import_named(name, "--target")
    except ConfigurationError as error:
        raise ConfigurationError(redact(str(error))) from None
    return CallableTarget(function, name, model_version)


class CommandTarget:
    """A shell command: a task as JSON on its standard input, its answer as JSON on its output.

    It is given `task_id`, `inputs` and `metadata`, never what is expected. Latency is the
    life of the process. A timeout kills it with everything it has started.
    """

    def __init__(self, command: str, model_version: str = "") -> None:
        """Take a command for `/bin/sh`."""
        self._command = command
        self.name = secrets.redact(command)
        self.model_version = model_version or _UNKNOWN_MODEL

    def cost_bound(self, task: Task) -> None:
        """Return None: a command says afterwards what it cost."""
        del task

    async def run(self, task: Task, seconds: float | None = None) -> Answer:
        """Run the command."""
        given = {
            "task_id": task.task_id, "inputs": dict(task.inputs), "metadata": dict(task.metadata)
        }  # fmt: skip
        started = time.perf_counter()
        try:
            process = await asyncio.create_subprocess_shell(
                self._command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
            )
        except OSError as error:
            raise CallFailed(f"the command cannot be started: {error.strerror}") from None
        try:
            output, errors = await within(
                seconds, communicated(process, json.dumps(given).encode())
            )
        finally:
            await ended(process)
        latency = _since(started)
        if process.returncode:
            tail = redact(errors.decode(errors="replace").strip())[-_ERROR_TAIL:]
            raise CallFailed(
                f"the command ended with status {process.returncode}: {tail}",
                latency_ms=latency,
                may_be_charged=True,
            )
        try:
            value = json.loads(output)
        except RecursionError:
            raise CallFailed(
                "the command printed JSON that is nested too deeply; flatten it",
                latency_ms=latency,
                may_be_charged=True,
            ) from None
        except ValueError:
            shown = redact(output.decode(errors="replace").strip())[:_ERROR_TAIL]
            raise CallFailed(
                f"the command did not print JSON: {shown}", latency_ms=latency, may_be_charged=True
            ) from None
        return read_answer(value, latency)

    async def close(self) -> None:
        """Do nothing: a command lives for one task."""


async def within(seconds: float | None, awaitable: Awaitable[R]) -> R:
    """Wait for something for at most so many seconds; None waits for ever.

    Raises:
        CallFailed: the time is up.

    """
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            result = await awaitable
    except TimeoutError:
        if not scope.expired():
            raise
        raise CallFailed(
            f"no answer within {seconds:g} seconds",
            latency_ms=(seconds or 0) * 1000,
            may_be_charged=True,
        ) from None
    return result


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in a thread of its own that does not keep the program alive.

    Unlike the event loop's own pool, whose threads are waited for at the end: after Ctrl-C
    a function that hangs would hang the program.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[R] = loop.create_future()

    def settle(result: R | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]  # None only with an error
        else:
            future.set_exception(error)

    def work() -> None:
        try:
            result, error = function(*args, **kwargs), None
        except BaseException as problem:  # noqa: BLE001  handed to whoever waits
            # a future takes neither StopIteration nor an order to end the program
            is_plain = isinstance(problem, Exception) and not isinstance(problem, StopIteration)
            result, error = None, problem if is_plain else RuntimeError(repr(problem))
        with contextlib.suppress(RuntimeError):  # the loop has ended; nobody waits
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="evalmart-run", daemon=True).start()
    return await future


def _since(started: float) -> float:
    """Return milliseconds since a moment of `time.perf_counter`."""
    return (time.perf_counter() - started) * 1000


TargetLike = Target | Callable[..., object] | str


def as_target(target: TargetLike) -> Target:
    """Return what tasks can be run through.

    Raises:
        ConfigurationError: a name does not lead to a function, or it takes no task.

    """
    if isinstance(target, str):
        return load_callable(target)
    if inspect.isroutine(target) or not hasattr(target, "cost_bound"):
        return CallableTarget(cast("Callable[..., object]", target))
    return cast("Target", target)
