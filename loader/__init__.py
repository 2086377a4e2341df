"""evalmart's loader: everything that writes raw results and reads the marts."""

from importlib import import_module
from typing import TYPE_CHECKING

from .tools.version import __version__

if TYPE_CHECKING:
    from .recording.recorder import AsyncRecorder, Recorder
    from .runner.comparison import ModelComparison, compare_models, compare_models_async

__all__ = [
    "AsyncRecorder",
    "ModelComparison",
    "Recorder",
    "__version__",
    "compare_models",
    "compare_models_async",
]


def __getattr__(name: str) -> object:
    """Import what is asked for, so that `--help` loads neither driver nor dbt."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = ".recording.recorder" if name.endswith("Recorder") else ".runner.comparison"
    return getattr(import_module(module, __name__), name)
