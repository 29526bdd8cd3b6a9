"""Options to a place: a worker process and its standby, threads here, or a Dask cluster."""

from __future__ import annotations

from pathlib import Path

from flows.cluster.pair import WorkerPair
from flows.cluster.place import Cluster, cores
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


def probe(options: ClusterOptions, log: LogOptions, root: Path = Path()) -> str:
    """Where pictures would be read, for `check`; a Dask cluster is asked.

    Raises:
        ConfigError: that cluster cannot be used.
    """
    if options.address is None:
        threads, own = options.threads or cores(), cores()
        what = "threads here" if options.scheduler == "threads" else "a worker process"
        words = f"{what}: {threads} threads on {own} cores"
        if threads > own:
            return f"{words}, which slows each: leave cluster.threads unset for one a core"
        return words
    with DaskCluster(options, log, root) as place:
        by = "their bytes" if place.terms.carried else "their paths"
        words = f"{options.address}: {place.slots} pictures at a time, sent by {by}"
        return "\n".join(filter(None, (words, place.trouble)))
