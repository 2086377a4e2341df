"""The version of this package; it stands beside every row that the package writes."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("evalmart")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"
