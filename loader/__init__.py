"""evalmart's loader: everything that writes raw results and reads the marts."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loader.model_comparison import ModelComparison, compare_models, compare_models_async
    from loader.recorder import AsyncRecorder, Recorder

try:
    __version__ = version("evalmart")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"

__all__ = [
    "AsyncRecorder",
    "ModelComparison",
    "Recorder",
    "compare_models",
    "compare_models_async",
]


def __getattr__(name: str) -> object:
    """Import what is asked for, so that `--help` loads neither driver nor dbt."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "loader.recorder" if name.endswith("Recorder") else "loader.model_comparison"
    return getattr(import_module(module), name)
