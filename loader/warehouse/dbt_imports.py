"""What importing dbt makes and a build does not need, made when it is asked for.

Importing dbt is a third of a small build. A fifth of it describes classes as JSON schemas,
which are kept (`dbt_once`), and writes code that reads and writes objects which a build never has.
To be imported before dbt; where its modules are not what is expected, nothing is changed.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

# Package → what is asked of it, and the module of it that has that.
_LATER: Final = {"mashumaro.jsonschema": {"build_json_schema": "builder"}}


def put_off() -> None:
    """Put off what can be, in this process."""
    with suppress(ImportError, AttributeError):
        _write_code_when_it_runs()
        for package, names in _LATER.items():
            if package not in sys.modules:
                _import_when_called(package, names)


def _write_code_when_it_runs() -> None:
    """Have mashumaro write the code of a class when it is first used, by its own option."""
    from mashumaro.config import BaseConfig

    if BaseConfig.lazy_compilation is False:
        BaseConfig.lazy_compilation = True


def _import_when_called(package: str, names: dict[str, str]) -> None:
    """Put a package in place whose functions import what they are when they are called."""
    above, _, last = package.rpartition(".")
    parent = import_module(above)
    spec = PathFinder.find_spec(package, parent.__path__)
    if spec is None:
        return
    made = module_from_spec(spec)
    for name, module in names.items():
        setattr(made, name, _later(f"{package}.{module}", name))
    vars(made)["__getattr__"] = _whole(made)
    sys.modules[package] = made
    setattr(parent, last, made)


def _later(module: str, name: str) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:  # noqa: ANN401  as its own
        return getattr(import_module(module), name)(*given, **named)

    return call


def _whole(made: ModuleType) -> Callable[[str], Any]:
    """Return what finds any other name of a package: by importing it after all."""

    def find(name: str) -> Any:  # noqa: ANN401  whatever is there
        spec = made.__spec__
        if name.startswith("__") or spec is None or spec.loader is None:
            raise AttributeError(name)
        vars(made).pop("__getattr__", None)
        spec.loader.exec_module(made)
        return getattr(made, name)

    return find
