"""One event loop for all asynchronous evaluators, in a thread of its own.

A client that an evaluator keeps from run to run belongs to the loop that it was first used
in: a loop for each run would break it at the second.
"""

from __future__ import annotations

import asyncio
import threading
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


def wait_for(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end; raises what it raises."""
    future = asyncio.run_coroutine_threadsafe(_contained(work), _loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def _contained(work: Coroutine[object, object, T]) -> T:
    """Wait for foreign code, which must not end the loop of all the others."""
    try:
        return await work
    except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        raise RuntimeError(repr(error)) from None


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    # a daemon: an evaluator that hangs must not keep the program from ending
    threading.Thread(target=loop.run_forever, name="evaluators", daemon=True).start()
    return loop
