"""Options to a place."""

from __future__ import annotations

from flows.cluster.choice import cluster
from flows.cluster.pair import WorkerPair
from flows.cluster.scheduler import DaskCluster
from flows.cluster.threads import DaskThreads
from flows.configuration.settings import ClusterOptions, LogOptions


def test_cluster_when_asked_for_by_option_then_gives_that_kind():
    assert isinstance(cluster(ClusterOptions(), LogOptions()), WorkerPair)
    assert isinstance(cluster(ClusterOptions(scheduler="threads"), LogOptions()), DaskThreads)
    assert type(cluster(ClusterOptions(address="tcp://127.0.0.1:1"), LogOptions())) is DaskCluster
