"""Python processes of our own that import nothing from the working directory.

The folder in which a command runs may be anybody's: a pull request's, an archive's. Python
puts it in front of everything that is installed when it runs a module (`-m`) or a text (`-c`),
so that a file `yaml.py` there would be imported, and would have the database's password.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from .package import FOLDER, PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAFE: Final = "PYTHONSAFEPATH"
# the package is the one that asks, wherever that was found: nothing else of its folder counts
_BEGIN: Final = """
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from runpy import run_module

name = sys.argv.pop(1)
spec = PathFinder.find_spec(name, [sys.argv.pop(1)])
sys.modules[name] = module_from_spec(spec)
spec.loader.exec_module(sys.modules[name])
run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def module_command(name: str = "") -> list[str]:
    """Return what starts a module of this package, or the command; its arguments follow."""
    module = f"{PACKAGE}.{name}" if name else PACKAGE
    return [sys.executable, "-P", "-c", _BEGIN, PACKAGE, str(FOLDER.absolute().parent), module]


@contextmanager
def safe_path() -> Iterator[None]:
    """Let Python processes that are started in this block not look in the working directory.

    For libraries that start them; what a person's own commands start is none of ours.
    """
    before = os.environ.get(_SAFE)
    os.environ[_SAFE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE]
        else:
            os.environ[_SAFE] = before
