"""Metrics on their way to Prometheus: a file once, or HTTP until stopped."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Final

from ..errors import ConfigurationError, LoaderError
from ..tools.extras import needed
from ..tools.files import cannot_write
from ..warehouse.connection import connect

with needed("metrics"):
    from prometheus_client import start_http_server, write_to_textfile
    from prometheus_client.metrics_core import GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector, CollectorRegistry

    from .families import read_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

SECONDS_BETWEEN_READS: Final = 15.0


class MartCollector(Collector):
    """Reads the marts when it is scraped, at most every 15 seconds."""

    def __init__(self, database_url: str | None = None) -> None:
        """Remember where to read; nothing is read yet."""
        self._database_url = database_url
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._families: list[Metric] = []

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance, so that registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; `eval_up` 0 and nothing else when the marts cannot be read."""
        with self._lock:
            if time.monotonic() - self._read_at >= SECONDS_BETWEEN_READS:
                self._families = list(self._read())
                self._read_at = time.monotonic()
            yield from self._families

    def _read(self) -> Iterator[Metric]:
        began = time.monotonic()
        up = GaugeMetricFamily("eval_up", "Whether the marts could be read: 1 or 0.")
        families: list[Metric] = []
        try:
            with connect(self._database_url) as connection:
                families = read_metrics(connection)
        except LoaderError:
            up.add_metric([], 0)
        else:
            up.add_metric([], 1)
        duration = GaugeMetricFamily("eval_read_duration_seconds", "Time to read the marts.")
        duration.add_metric([], time.monotonic() - began)
        yield from [up, duration, *families]


class Readings(Collector):
    """Metrics read once, for a file."""

    def __init__(self, families: Sequence[Metric]) -> None:
        """Take what was read."""
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return what was read."""
        return self._families


def write(path: str, database_url: str | None = None) -> None:
    """Write every metric to a file, which is replaced as a whole.

    Raises:
        ConfigurationError: the marts are not built, or the file cannot be written.
        NoRoom: the disk is full.
        WarehouseUnavailable: the server does not answer.
    """
    with connect(database_url) as connection:
        families = read_metrics(connection)
    try:
        write_to_textfile(path, _registry_of(Readings(families)))
    except OSError as error:
        raise cannot_write(path, error) from error


def serve(host: str, port: int, database_url: str | None, announce: Callable[[str], None]) -> None:
    """Serve every metric at /metrics until SIGINT or SIGTERM; from the main thread only.

    Args:
        host: address to listen on.
        port: 0 for any free one.
        database_url: where the marts are; see `loader.warehouse.connection`.
        announce: called with the URL once it is served.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """
    try:
        server, thread = start_http_server(port, host, _registry_of(MartCollector(database_url)))
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error}") from error
    is_over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_over.set())
    announce(f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}/metrics")
    is_over.wait()
    server.shutdown()
    server.server_close()
    thread.join()


def _registry_of(collector: Collector) -> CollectorRegistry:
    """Return a registry that holds one collector."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry
