"""What `/metrics` tells of the machine: the disks of the root, and the certificate that is served.

Only the root's own folders are looked at, which lie on local disks: asking a share that hangs would
hang the scrape.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flows.configuration.settings import Layout


class Machine(Collector):
    """Free and whole size of each disk; when the HTTP API's certificate ends, if it has one."""

    def __init__(self, layout: Layout, certificate: Path | None) -> None:
        self._layout = layout
        # That of the start is the one in use: a renewed file is not taken up by itself.
        self._ends = None if certificate is None else _end_of(certificate)

    def describe(self) -> Iterator[Metric]:
        """None: what there is depends on the moment."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The families; a disk that cannot be looked at is left out."""
        free = GaugeMetricFamily(
            "markwatch_disk_free_bytes", "What is left for this process.", labels=["folder"]
        )
        size = GaugeMetricFamily(
            "markwatch_disk_size_bytes", "What is used and free together.", labels=["folder"]
        )
        told: set[int] = set()
        layout = self._layout
        for folder in (layout.state, layout.work, layout.archive, layout.failed):
            try:
                disk, usage = folder.stat().st_dev, shutil.disk_usage(folder)
            except OSError:
                continue
            if disk in told:
                continue
            told.add(disk)
            name = layout.label(folder)
            free.add_metric([name], usage.free)
            # Blocks that are kept for root are in neither.
            size.add_metric([name], usage.used + usage.free)
        yield free
        yield size
        if self._ends is not None:
            yield GaugeMetricFamily(
                "markwatch_certificate_end_timestamp_seconds",
                "When the certificate that is served ends.",
                value=self._ends,
            )


def _end_of(certificate: Path) -> float | None:
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        # Starting to serve says what is wrong with it.
        return None
    return found.not_valid_after_utc.timestamp()
