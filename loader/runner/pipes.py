"""What a command reads and prints: to the end, and never without limit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final

from .answers import CallFailed

if TYPE_CHECKING:
    from asyncio.subprocess import Process

MOST_OUTPUT_BYTES: Final = 16 * 1024 * 1024
"""Of what a command may print, or an endpoint answer."""
_ENDING_SECONDS: Final = 5.0
_BLOCK_BYTES: Final = 64 * 1024
_BROKEN: Final = (BrokenPipeError, ConnectionResetError)


async def communicated(process: Process, given: bytes) -> tuple[bytes, bytes]:
    """Write to a process and wait for its end; return what it prints, and its last errors.

    Raises:
        CallFailed: it prints more than an answer may hold.

    """
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("a process without pipes")
    parts = (
        asyncio.ensure_future(_write(process.stdin, given)),
        asyncio.ensure_future(_read(process.stdout)),
        asyncio.ensure_future(_tail(process.stderr)),
    )
    try:
        _, output, errors = await asyncio.gather(*parts)
    finally:
        for part in parts:
            part.cancel()
    await process.wait()
    return output, errors


async def ended(process: Process) -> None:
    """End a process, and what it has started in its session, if it has not ended."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]
    # it counts as ended when its pipes are, and what left its session may hold them open
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ENDING_SECONDS):
            await asyncio.gather(*map(_tail, pipes), process.wait())


async def _write(stream: asyncio.StreamWriter, given: bytes) -> None:
    with contextlib.suppress(*_BROKEN):  # it need not read it
        stream.write(given)
        await stream.drain()
    with contextlib.suppress(*_BROKEN):
        stream.close()


async def _read(stream: asyncio.StreamReader) -> bytes:
    output = bytearray()
    while block := await stream.read(_BLOCK_BYTES):
        output += block
        if len(output) > MOST_OUTPUT_BYTES:
            raise CallFailed(
                f"the command printed more than {MOST_OUTPUT_BYTES:,} bytes; print only the answer",
                may_be_charged=True,
            )
    return bytes(output)


async def _tail(stream: asyncio.StreamReader) -> bytes:
    """Read to the end, keeping what came last."""
    kept = b""
    while block := await stream.read(_BLOCK_BYTES):
        kept = (kept + block)[-_BLOCK_BYTES:]
    return kept
