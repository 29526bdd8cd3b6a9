"""Options to a place: a worker process and its standby, threads here, or a Dask cluster."""

from __future__ import annotations

from pathlib import Path

from flows.cluster.pair import WorkerPair
from flows.cluster.place import Cluster
from flows.cluster.scheduler import DaskCluster
from flows.cluster.threads import DaskThreads
from flows.configuration.settings import ClusterOptions, LogOptions


def cluster(options: ClusterOptions, log: LogOptions, root: Path = Path()) -> Cluster:
    """The place that the options name; what its workers log is written as `log` says.

    The files of `cluster.tls` are relative to `root`.
    """
    if options.address is not None:
        return DaskCluster(options, log, root)
    if options.scheduler == "threads":
        return DaskThreads(options)
    return WorkerPair(options, log)
