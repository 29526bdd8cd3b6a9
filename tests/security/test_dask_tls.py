"""Dask's connections: pickles, so nobody may speak to them without a certificate."""

from __future__ import annotations

import os

import dask
import pytest
from distributed import Client, LocalCluster, Security
from pydantic import ValidationError

from flows.cluster.choice import cluster
from flows.cluster.worker import SupervisedWorker
from flows.configuration.settings import ClusterOptions, LogOptions
from stages.errors import ConfigError

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Port"),
]

FILES = {"ca_file": "ca.pem", "cert_file": "client.pem", "key_file": "client.key"}


def serve(pki, server="server"):
    """A Dask cluster that somebody else runs, with TLS."""
    names = {"scheduler": server, "worker": server, "client": server}
    files = {f"tls_{role}_cert": f"{pki}/{name}.pem" for role, name in names.items()}
    keys = {f"tls_{role}_key": f"{pki}/{name}.key" for role, name in names.items()}
    security = Security(require_encryption=True, tls_ca_file=f"{pki}/ca.pem", **files, **keys)
    return LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        host="127.0.0.1",
        dashboard_address=None,
        protocol="tls",
        security=security,
        silence_logs="CRITICAL",
    )


@pytest.fixture(scope="module")
def elsewhere(pki):
    with serve(pki) as running:
        yield running.scheduler_address


def test_cluster_when_both_sides_show_certificates_then_the_graph_runs_there(elsewhere, pki):
    assert elsewhere.startswith("tls://127.0.0.1:")
    with cluster(ClusterOptions(address=elsewhere, tls=FILES), LogOptions(), pki) as place:
        assert place.submit(dask.delayed(sum)([1, 2, 3])).result(60) == 6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ca_file": "other.pem"}, r"not signed by cluster\.tls\.ca_file"),
        (
            {"cert_file": "stranger.pem", "key_file": "stranger.key"},
            r"cluster\.tls\.cert_file (is not signed by|has expired, or another authority)",
        ),
        (
            {"cert_file": "old-client.pem", "key_file": "old-client.key"},
            r"cluster\.tls\.cert_file has expired",
        ),
    ],
)
def test_cluster_when_a_certificate_is_bad_then_it_is_one_line_with_the_remedy(
    elsewhere, pki, changes, words
):
    options = ClusterOptions(address=elsewhere, tls={**FILES, **changes}, start_seconds=5)
    with pytest.raises(ConfigError, match=words) as refused:
        cluster(options, LogOptions(), pki).__enter__()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cert_file": "sealed.pem", "key_file": "sealed.key"}, "encrypted, and Dask takes no"),
        ({"key_file": "server.key"}, r"is not the key of cluster\.tls\.cert_file"),
        ({"cert_file": "missing.pem"}, r"cluster\.tls\.cert_file .*missing\.pem cannot be read"),
    ],
)
def test_cluster_when_a_file_is_wrong_then_it_is_told_before_anything_is_sent(pki, changes, words):
    options = ClusterOptions(address="tls://127.0.0.1:1", tls={**FILES, **changes})
    with pytest.raises(ConfigError, match=words):
        cluster(options, LogOptions(), pki).__enter__()


@pytest.mark.parametrize(
    ("address", "tls", "words"),
    [
        ("tcp://192.0.2.7:8786", None, "messages are pickles.*write tls://192.0.2.7:8786"),
        ("scheduler.plant:8786", None, "messages are pickles"),
        ("127.0.0.1.example:8786", None, "messages are pickles"),
        ("tcp://[::ffff:192.0.2.7]:8786", None, "messages are pickles"),
        ("tcp://0.0.0.0:8786", None, "messages are pickles"),
        ("tls://127.0.0.1:8786", None, "both sides show certificates"),
        ("tls://host:8786", {"ca_file": "ca.pem"}, "both sides show certificates"),
        ("tcp://127.0.0.1:8786", FILES, "does not begin with tls://"),
        ("ucx://127.0.0.1:8786", None, "ucx:// is not spoken here"),
        ("tcp://", None, "messages are pickles"),
    ],
)
def test_options_when_an_address_would_let_strangers_run_code_then_they_are_refused(
    address, tls, words
):
    with pytest.raises(ValidationError, match=words) as refused:
        ClusterOptions(address=address, tls=tls)
    assert refused.value.errors()[0]["loc"] == ("address",)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:8786", "localhost:8786", "tcp://[::1]:8786", "127.8.8.8:1"]
)
def test_options_when_the_scheduler_is_on_this_machine_then_plain_tcp_will_do(address):
    assert ClusterOptions(address=address).address == address


def test_worker_when_another_account_connects_then_it_gets_no_word_in():
    with SupervisedWorker(ClusterOptions(threads=1, memory_limit_mb=1024), LogOptions()) as ours:
        address = ours._cluster.scheduler_address
        assert address.startswith("tls://127.0.0.1:")
        assert ours.submit(dask.delayed(os.getpid, pure=False)()).result(60) != os.getpid()
        for name, security in (
            (address.replace("tls://", "tcp://"), None),
            (address, Security.temporary()),
        ):
            with pytest.raises(OSError, match=r".+"):
                Client(name, timeout=3, security=security)
        # The one who may still works, after the strangers.
        assert ours.submit(dask.delayed(os.getpid, pure=False)()).result(60)
