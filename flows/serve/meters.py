"""`/metrics` for Prometheus: counters from the ledger, latencies from the reports as they come.

What the ledger counts survives a restart; the histograms begin anew with the process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from flows.serve.health import Health
from flows.serve.machine import Machine
from flows.serve.reports import Row
from flows.serve.shelf import Shelf

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Meters:
    """The metrics of one station. Safe to call from several threads."""

    def __init__(self, station: str, shelf: Shelf, health: Health, machine: Machine) -> None:
        self._registry = CollectorRegistry()
        self._stages = Histogram(
            "markwatch_stage_seconds",
            "Time that a picture took in a stage.",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._pictures = Histogram(
            "markwatch_picture_seconds",
            "Time from a picture's claim to the commit of its report.",
            ["camera"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._requests = Counter(
            "markwatch_http_requests",
            "Requests by route and status.",
            ["route", "status"],
            registry=self._registry,
        )
        self._registry.register(_Figures(station, shelf, health))
        self._registry.register(machine)
        ProcessCollector(registry=self._registry)

    def committed(self, rows: Sequence[Row]) -> None:
        """Take in the rows of new reports."""
        for row in rows:
            if row["mark"] != 1 or row["revision"] != 1:
                continue
            for stage, milliseconds in row["timings_ms"].items():
                self._stages.labels(stage).observe(milliseconds / 1000)
            took = (row["read_at"] - row["arrived_at"]).total_seconds()
            self._pictures.labels(row["camera"]).observe(max(0.0, took))

    def request(self, route: str, status: int) -> None:
        """Count an answer."""
        self._requests.labels(route, str(status)).inc()

    def text(self) -> bytes:
        """The metrics in Prometheus' text format. Blocks: asks the ledger."""
        return generate_latest(self._registry)


class _Figures(Collector):
    """What the ledger knows, asked for at each scrape."""

    def __init__(self, station: str, shelf: Shelf, health: Health) -> None:
        self._station = station
        self._shelf = shelf
        self._health = health

    def describe(self) -> Iterator[Metric]:
        """None: registering must not open the ledger."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """All families, each with its help."""
        found = self._shelf.figures()
        yield _gauge("station_info", "This station.", ["station"], [((self._station,), 1)])
        yield from self._cameras(found)
        yield from self._sinks(found["sinks"])
        ready = self._health.not_ready is None
        yield _gauge("ready", "1 when pictures are being read.", [], [((), int(ready))])
        ages = [((name,), age) for name, age in self._health.scan_ages().items()]
        yield _gauge("last_scan_age_seconds", "Since a source's last full scan.", ["source"], ages)
        yield from self._canaries(found["canaries"])
        yield _gauge(
            "balanced", "1 when the conservation sums agree.", [], [((), int(found["balanced"]))]
        )
        conditions = found["conditions"]
        yield _gauge("conditions", "What wants a person's attention.", [], [((), len(conditions))])
        each = [((name,), 1) for name in conditions]
        yield _gauge("condition", "1 while this wants a person's attention.", ["what"], each)
        lost = [((), self._health.chunks_lost)]
        yield _counter("chunks_lost", "Attempts that ended with their worker.", [], lost)

    @staticmethod
    def _cameras(found: dict[str, Any]) -> Iterator[Metric]:
        readings = [
            ((camera, status), rows)
            for camera, by_status in found["readings"].items()
            for status, rows in by_status.items()
        ]
        yield _counter("readings", "Readings by status.", ["camera", "status"], readings)
        for key, words in (
            ("seen", "Pictures claimed."),
            ("reported", "Pictures reported."),
        ):
            values = [((name,), camera[key]) for name, camera in found["cameras"].items()]
            yield _counter(f"pictures_{key}", words, ["camera"], values)
        in_work = found["images"]["in_work"]
        yield _gauge("pictures_in_work", "Claimed, not yet reported.", [], [((), in_work)])

    @staticmethod
    def _canaries(canaries: dict[str, Any]) -> Iterator[Metric]:
        for key, words in (
            ("seconds", "Until the last canary was found whole."),
            ("typical_seconds", "The same, as the median of the last ones."),
            ("late_seconds", "How late it was, beyond the pauses of its source."),
        ):
            values = [
                ((name,), canary[key])
                for name, canary in canaries.items()
                if canary[key] is not None
            ]
            yield _gauge(f"canary_{key}", words, ["source"], values)
        values = [
            ((name,), datetime.fromisoformat(canary["written_at"]).timestamp())
            for name, canary in canaries.items()
        ]
        words = "When it was written; one that is old says that none are sent."
        yield _gauge("canary_written_timestamp_seconds", words, ["source"], values)

    @staticmethod
    def _sinks(sinks: dict[str, Any]) -> Iterator[Metric]:
        for key, words in (
            ("committed", "Rows committed for a sink."),
            ("delivered", "Rows delivered."),
            ("dead", "Rows refused for good."),
        ):
            values = [((name,), sink[key]) for name, sink in sinks.items()]
            yield _counter(f"sink_{key}", words, ["sink"], values)
        values = [((name,), sink["pending"]) for name, sink in sinks.items()]
        yield _gauge("sink_backlog_rows", "Rows that a sink still owes.", ["sink"], values)
        values = [((name,), sink["backlog_seconds"] or 0.0) for name, sink in sinks.items()]
        yield _gauge("sink_backlog_seconds", "Age of the oldest of them.", ["sink"], values)
        values = [((name,), int(sink["error"] is not None)) for name, sink in sinks.items()]
        yield _gauge("sink_failing", "1 while a sink's last attempt failed.", ["sink"], values)


_Samples = Sequence[tuple[tuple[str, ...], float]]


def _gauge(name: str, words: str, labels: Sequence[str], samples: _Samples) -> Metric:
    family = GaugeMetricFamily(f"markwatch_{name}", words, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def _counter(name: str, words: str, labels: Sequence[str], samples: _Samples) -> Metric:
    family = CounterMetricFamily(f"markwatch_{name}", words, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family
