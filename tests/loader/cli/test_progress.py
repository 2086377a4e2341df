"""The bar is for who looks at standard error; what a command prints stays where it goes."""

from __future__ import annotations

import os
import subprocess
import sys

_WORK = """
import sys
from loader.cli.progress import progress
with progress("working", None) as advance:
    advance(1, "one of two", 2)
    print("the answer")
"""


def test_what_is_printed_under_a_bar_reaches_standard_output() -> None:
    screen, terminal = os.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", _WORK],
            stdout=subprocess.PIPE,
            stderr=terminal,
            check=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        )
        shown = os.read(screen, 65536).decode()
    finally:
        os.close(screen)
        os.close(terminal)
    assert done.stdout == b"the answer\n"
    assert "working" in shown
    assert "one of two" in shown
    assert "the answer" not in shown


def test_nothing_is_shown_where_nobody_looks() -> None:
    done = subprocess.run([sys.executable, "-c", _WORK], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"the answer\n", b"")
