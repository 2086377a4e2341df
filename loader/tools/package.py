"""Under which name this package was imported, and where it is.

A clone has it as `loader`, a wheel as `evalmart`. Nothing in it says either name: its modules
import each other relatively, so that a folder `loader` of the caller's own shadows nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

PACKAGE: Final = __name__.partition(".")[0]
"""The name."""
FOLDER: Final = Path(__file__).parents[1]
"""Its folder, as it was found."""
