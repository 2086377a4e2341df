"""Functions that a person names on the command line: `module:function`."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .package import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Callable


def import_named(name: str, option: str, example: str = "") -> Callable[..., object]:
    """Import a function by its name, as `import_object` does.

    Raises:
        ConfigurationError: the name leads to no function; may quote what the import said.
    """
    found = import_object(name, option, example)
    if not callable(found):
        raise ConfigurationError(f"{option} {name} is not a function")
    return found


def import_object(name: str, option: str, example: str = "") -> object:
    """Import what a name stands for; the working directory counts, after what is installed.

    Args:
        name: `module:function`, or an attribute of one with dots.
        option: which one named it, for messages.
        example: what such a name looks like.

    Raises:
        ConfigurationError: the name leads nowhere; may quote what the import said.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        such_as = f", such as {example}" if example else ""
        raise ConfigurationError(f"{option} {name}: write module:function{such_as}")
    try:
        if not _is_installed(module_name.partition(".")[0]):
            # at the end: to look for one module there must not put others in the place of ours
            sys.path.append("")
        found: object = importlib.import_module(_of_ours(module_name))
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # noqa: BLE001  importing runs foreign code
        raise ConfigurationError(
            f"{option} {name} cannot be imported: {type(error).__name__}: {error}"
        ) from None
    return found


def _of_ours(module_name: str) -> str:
    """Return under which name a module is imported that may be one of this package.

    `evalmart` always is; `loader`, as a clone calls it, where the caller has none of that name.
    """
    package, dot, inner = module_name.partition(".")
    is_ours = package == "evalmart" or (package == "loader" and not _is_installed(package))
    return f"{PACKAGE}{dot}{inner}" if is_ours else module_name


def _is_installed(name: str) -> bool:
    """Whether a module is found without the working directory, or is there already."""
    return name in sys.modules or importlib.util.find_spec(name) is not None
