"""Options to a place."""

from __future__ import annotations

from flows.cluster.choice import cluster, probe
from flows.cluster.pair import WorkerPair
from flows.cluster.place import cores
from flows.cluster.scheduler import DaskCluster
from flows.cluster.threads import DaskThreads
from flows.configuration.settings import ClusterOptions, LogOptions


def test_cluster_when_asked_for_by_option_then_gives_that_kind():
    assert isinstance(cluster(ClusterOptions(), LogOptions()), WorkerPair)
    assert isinstance(cluster(ClusterOptions(scheduler="threads"), LogOptions()), DaskThreads)
    assert type(cluster(ClusterOptions(address="tcp://127.0.0.1:1"), LogOptions())) is DaskCluster


def test_probe_when_threads_are_more_than_cores_then_it_says_what_to_do():
    fitting, more = ClusterOptions(), ClusterOptions(threads=cores() + 1)
    assert probe(fitting, LogOptions()) == (
        f"a worker process: {cores()} threads on {cores()} cores"
    )
    assert probe(more, LogOptions()).endswith("leave cluster.threads unset for one a core")
    here = ClusterOptions(scheduler="threads", threads=1)
    assert probe(here, LogOptions()).startswith("threads here: 1 threads on")
