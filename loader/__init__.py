"""evalmart's loader: everything that writes raw results and reads the marts."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("evalmart")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"
