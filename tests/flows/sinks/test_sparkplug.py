"""The Sparkplug sink against real brokers: births, rebirths, deaths, hosts, twins, restarts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from brokers import DEADLINE_SECONDS, Mosquitto, Scissors, make_row
from made import Clock, image, report
from sparkplug_host import SparkplugListener
from sparkplugs import decode, judge, rebirth_command

from flows.clocks import Clocks
from flows.configuration.choices import SinkChoice
from flows.configuration.settings import DeliveryOptions
from flows.deliver import Delivery
from flows.ledger.log import Claim, Ledger, Outcome
from flows.sinks.sparkplug import SparkplugOptions, SparkplugSink
from flows.sinks.spb import descriptor
from stages.errors import DeliveryError
from stages.ports import Batch, Receipt, Site

OPTIONS = DeliveryOptions(backoff_seconds=0.01, max_backoff_seconds=0.02)
PROGRAM = """
import sys, threading
sys.path[:0] = ["tests"]
from brokers import make_row
from flows.sinks.sparkplug import SparkplugOptions, SparkplugSink
from stages.ports import Batch, Site
options = SparkplugOptions(port=int(sys.argv[1]))
with SparkplugSink(options, Site("plant-1", sys.argv[2]), "scada") as sink:
    sink.deliver(Batch((make_row(1),), 0, 1))
    print("taken", flush=True)
    threading.Event().wait()
"""


@pytest.fixture(autouse=True)
def own_locks(tmp_path, monkeypatch):
    """Lock files of a test stay in its folder."""
    monkeypatch.setattr(descriptor.tempfile, "tempdir", str(tmp_path))


def make_sink(port: int, root: Path, station: str = "plant-1", **options) -> SparkplugSink:
    quick = {"reconnect_max_seconds": 0.05, "rebirth_min_seconds": 0.0}
    chosen = SparkplugOptions(**{"port": port, **quick, **options})
    return SparkplugSink(chosen, Site(station, str(root)), "scada")


def deliver(sink: SparkplugSink, *rows, late=False, cursor=None) -> Receipt:
    return sink.deliver(Batch(rows, rows[0]["seq"] - 1, rows[-1]["seq"], late, cursor))


def deliver_in_the_end(sink: SparkplugSink, *rows, late=False) -> Receipt:
    """Offer rows as the delivery loop does, until they are taken."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return deliver(sink, *rows, late=late)
        except DeliveryError:
            assert time.monotonic() < deadline


def broken(host: SparkplugListener, is_amqtt: bool) -> list[str]:
    """What a host finds wrong; amqtt hands messages on at the subscriber's QoS, not theirs."""
    found = judge(host.of_node()).broken
    return [each for each in found if not (is_amqtt and each.endswith(("-qos", "-mqtt")))]


def bd_seqs(listener: SparkplugListener, verb: str) -> list[int]:
    return [
        m.decoded.named("bdSeq").value if verb == "NBIRTH" else m.decoded.metrics[0].value
        for m in listener.of_node()
        if m.verb == verb
    ]


@pytest.fixture(params=["amqtt", "mosquitto"])
def any_broker(request) -> int:
    """The port of each kind of broker in turn: MQTT 3.1.1, MQTT 5."""
    if request.param == "amqtt":
        return request.getfixturevalue("broker").port
    return request.getfixturevalue("mosquitto")().port


@pytest.fixture
def is_amqtt(request) -> bool:
    return "amqtt" in request.node.callspec.id


def test_session_when_a_host_follows_it_then_no_assertion_is_broken_and_every_row_comes(
    any_broker, is_amqtt, tmp_path
):
    rows = [make_row(seq, camera=f"press-{seq % 2}") for seq in range(1, 301)]
    with SparkplugListener(any_broker) as host:
        with make_sink(any_broker, tmp_path) as sink:
            assert deliver(sink, *rows).delivered == {row["seq"] for row in rows}
            kept = deliver(sink, make_row(400, revision=2, supersedes="0193-000001-1-1")).cursor
        host.wait(lambda all_: all_[-1].verb == "NDEATH")
        with make_sink(any_broker, tmp_path) as sink:
            deliver(sink, make_row(401), cursor=kept)
        # With MQTT 5 each life ends with two: its own word, and the will that it asks for.
        messages = host.wait(
            lambda all_: all_[-1].verb == "NDEATH" and sum(m.verb == "DDATA" for m in all_) == 302
        )
    assert broken(host, is_amqtt) == []
    assert len(judge(messages).checked) > 40
    read = host.rows()
    assert [row["seq"] for row in read] == [*range(1, 301), 400, 401]
    assert [row["seq"] for row in read if row["late"]] == [400]
    first, second = bd_seqs(host, "NBIRTH")
    # To amqtt each life first sends a CONNECT of MQTT 5, which has a number too.
    assert second - first == (2 if is_amqtt else 1)


def test_rebirth_when_a_host_asks_then_births_come_again_under_the_same_bdseq_without_a_death(
    any_broker, is_amqtt, tmp_path
):
    """tck-id-operational-behavior-data-commands-rebirth-action-1, -2 and -3."""
    with SparkplugListener(any_broker) as host, make_sink(any_broker, tmp_path) as sink:
        deliver(sink, make_row(1), make_row(2, camera="press-4"))
        host.ask_rebirth()
        messages = host.wait(lambda all_: sum(m.verb == "DBIRTH" for m in all_) == 4)
        deliver(sink, make_row(3))
        messages = host.wait(lambda all_: all_[-1].verb == "DDATA" and len(all_) == 9)
    assert [m.verb for m in messages] == [
        *("NBIRTH", "DBIRTH", "DDATA", "DBIRTH", "DDATA"),
        *("NBIRTH", "DBIRTH", "DBIRTH", "DDATA"),
    ]
    assert broken(host, is_amqtt) == []
    assert len(set(bd_seqs(host, "NBIRTH"))) == 1


def test_rebirth_when_hosts_storm_then_births_are_few(any_broker, tmp_path):
    with (
        SparkplugListener(any_broker) as host,
        make_sink(any_broker, tmp_path, rebirth_min_seconds=0.5) as sink,
    ):
        deliver(sink, make_row(1))
        began = time.monotonic()
        for _ in range(50):
            host.ask_rebirth()
        host.wait_for("NBIRTH", 2)
        deliver(sink, make_row(2))
        seconds = time.monotonic() - began
        assert host.count("NBIRTH") <= 2 + seconds / 0.5


@pytest.mark.parametrize(
    "content", [rebirth_command(False), b"\xff\xff\xff", b""], ids=["false", "noise", "empty"]
)
def test_command_when_it_is_no_rebirth_then_it_is_passed_over(any_broker, tmp_path, content):
    with SparkplugListener(any_broker) as host:
        with make_sink(any_broker, tmp_path) as sink:
            deliver(sink, make_row(1))
            host.command(content)
            deliver(sink, make_row(2))
        host.wait_for("NDEATH")
        assert host.count("NBIRTH") == 1


def test_command_when_it_was_retained_by_mistake_then_no_barrier_makes_it_a_rebirth(
    mosquitto, tmp_path
):
    port = mosquitto().port
    with SparkplugListener(port) as host:
        host.ask_rebirth(retain=True)
        with make_sink(port, tmp_path) as sink:
            for seq in range(1, 6):
                deliver(sink, make_row(seq))
        host.wait_for("NDEATH")
        assert host.count("NBIRTH") == 1


def test_late_when_backlog_follows_then_it_is_historical_and_tags_keep_their_value(
    any_broker, tmp_path
):
    with SparkplugListener(any_broker) as host, make_sink(any_broker, tmp_path) as sink:
        deliver(sink, make_row(10, code="NOW"))
        deliver(sink, make_row(8, code="THEN"), make_row(9, camera="old"), late=True)
        host.ask_rebirth()
        births = host.wait_for("DBIRTH", 4)[2:]
        host.wait_for("DDATA", 3)
    current = {m.device: m.decoded.named("code/code") for m in births}
    assert current["press-3"].value == "NOW"
    assert current["old"].is_null
    assert [(row["seq"], row["late"]) for row in host.rows()] == [
        (10, False),
        (8, True),
        (9, True),
    ]


def test_kill_when_the_process_dies_then_the_will_says_so_and_the_next_life_counts_on(
    mosquitto, tmp_path
):
    port = mosquitto().port
    command = [sys.executable, "-c", PROGRAM, str(port), str(tmp_path)]
    with SparkplugListener(port) as host:
        lives = []
        for _ in range(2):
            life = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "TMPDIR": str(tmp_path)},
            )
            lives.append(life)
            assert life.stdout is not None and "taken\n" in iter(life.stdout.readline, "")
            life.send_signal(signal.SIGKILL)
            life.wait(DEADLINE_SECONDS)
            life.stdout.close()
            host.wait_for("NDEATH", len(lives))
    # tck-id-payloads-ndeath-bdseq, tck-id-topics-nbirth-bdseq-increment
    assert bd_seqs(host, "NBIRTH") == bd_seqs(host, "NDEATH") == [0, 1]
    assert judge(host.of_node()).broken == []


def test_cut_when_the_connection_breaks_then_the_node_is_born_again_and_no_row_is_lost(
    mosquitto, tmp_path
):
    port = mosquitto().port
    with SparkplugListener(port) as host, Scissors(port, cut_after=30) as relay:
        # The broker's answers end somewhere in the session; what it did not answer is owed.
        with make_sink(relay.port, tmp_path, max_inflight=2) as sink:
            taken: set[int] = set()
            for row in [make_row(seq) for seq in range(1, 8)]:
                taken |= deliver_in_the_end(sink, row).delivered
            host.wait(lambda all_: {r["seq"] for r in host.rows()} >= set(range(1, 8)))
        host.wait(lambda all_: all_[-1].verb == "NDEATH")
    assert taken == set(range(1, 8))
    assert relay.connections == 2
    numbers = bd_seqs(host, "NBIRTH")
    assert numbers == sorted(set(numbers))


def test_restart_when_the_broker_comes_back_then_an_idle_node_is_born_again(mosquitto, tmp_path):
    broker: Mosquitto = mosquitto()
    with SparkplugListener(broker.port) as host, make_sink(broker.port, tmp_path) as sink:
        deliver(sink, make_row(1))
        host.wait_for("DDATA")
        broker.stop(kill=True)
        with pytest.raises(DeliveryError, match=r"nothing listens there|was lost|hangs up"):
            for seq in range(2, 50):
                deliver(sink, make_row(seq))
        broker.start()
        with SparkplugListener(broker.port) as again:
            # Nothing is delivered; whether the listener or the node is back first is chance.
            again.ask_rebirth_until_born()
        deliver_in_the_end(sink, make_row(50))


def test_host_when_it_is_awaited_then_births_wait_for_it_and_end_with_it(mosquitto, tmp_path):
    """tck-id-message-flow-edge-node-birth-publish-phid-wait and -phid-offline."""
    port = mosquitto().port
    with SparkplugListener(port) as host:
        host.state("other", online=True)
        with make_sink(port, tmp_path, primary_host="scada", connect_timeout_seconds=0.5) as sink:
            with pytest.raises(DeliveryError, match=r"primary host scada is not online.*start it"):
                deliver(sink, make_row(1))
            assert host.of_node() == []
            host.state("scada", online=True, timestamp=1000)
            assert deliver_in_the_end(sink, make_row(1), late=True).delivered == {1}
            # tck-id-operational-behavior-edge-node-termination-host-offline-timestamp
            host.state("scada", online=False, timestamp=999)
            assert deliver(sink, make_row(2)).delivered == {2}
            assert host.count("NDEATH") == 0
            host.state("scada", online=False, timestamp=1000)
            host.wait_for("NDEATH")
            with pytest.raises(DeliveryError, match="primary host scada"):
                deliver(sink, make_row(3))
            host.state("scada", online=True, timestamp=1001)
            assert deliver_in_the_end(sink, make_row(3), late=True).delivered == {3}
            births = host.count("NBIRTH")
            for turn in range(10):
                host.state("scada", online=bool(turn % 2), timestamp=2000 + turn)
            assert deliver_in_the_end(sink, make_row(4), late=True).delivered == {4}
            host.wait(lambda all_: {r["seq"] for r in host.rows()} == {1, 2, 3, 4})
        host.wait(lambda all_: all_[-1].verb == "NDEATH")
    assert judge(host.of_node()).broken == []
    assert births <= host.count("NBIRTH") <= births + 6
    numbers = bd_seqs(host, "NBIRTH")
    assert numbers == sorted(set(numbers))


def test_twin_when_it_is_another_client_then_its_birth_is_heard_and_there_is_no_storm(
    any_broker, tmp_path, monkeypatch
):
    with (
        SparkplugListener(any_broker, node="line") as host,
        make_sink(any_broker, tmp_path / "a", node_id="line", stand_down_seconds=60) as first,
    ):
        deliver(first, make_row(1))
        monkeypatch.setattr(descriptor.tempfile, "tempdir", str(tmp_path / "elsewhere"))
        (tmp_path / "elsewhere").mkdir()
        with make_sink(any_broker, tmp_path / "b", "plant-2", node_id="line") as second:
            deliver(second, make_row(1))
            with pytest.raises(DeliveryError, match="another edge node goes by markwatch/line"):
                for seq in range(2, 100):
                    deliver(first, make_row(seq))
            assert deliver(second, make_row(100)).delivered == {100}
            host.wait(lambda all_: host.rows()[-1]["seq"] == 100)
            assert host.count("NBIRTH") == 2
            assert host.count("NDEATH") == 0


def test_flow_when_it_restarts_and_nothing_is_read_then_the_births_are_whole_all_the_same(
    mosquitto, tmp_path
):
    port = mosquitto().port
    choice = SinkChoice(use="sparkplug", port=port)
    clocks = Clocks(Clock(), time.monotonic)

    def life(ledger: Ledger) -> Delivery:
        made = Delivery("scada", choice, Site("st", str(tmp_path)), ledger, OPTIONS, clocks)
        made.open()
        made.start()
        return made

    with (
        Ledger(tmp_path / "ledger.sqlite", Clock(), root=tmp_path) as ledger,
        SparkplugListener(port, node="st") as host,
    ):
        for number, camera in enumerate(["press-3", "press-4"], 1):
            ledger.intend([Claim(image(number).id, "/x", f"w/{number}", camera, "x", 1, 1)])
            ledger.claimed([image(number, camera=camera)])
            ledger.commit([Outcome(report(number, camera=camera), f"t/{number}")], "st")
        first = life(ledger)
        assert first.settled(DEADLINE_SECONDS)
        first.stop(DEADLINE_SECONDS)
        host.wait_for("NDEATH")
        heard = len(host.of_node())
        second = life(ledger)
        births = host.wait(lambda all_: sum(m.verb == "DBIRTH" for m in all_[heard:]) == 2)[heard:]
        second.stop(DEADLINE_SECONDS)
        host.wait_for("NDEATH", 2)
        rows = {row["device"]: row["id"] for row in host.rows()}
    # What was there when the flow began is backlog, and no tag's current value.
    assert {m.device for m in births if m.verb == "DBIRTH"} == set(rows) == {"press-3", "press-4"}
    assert all(row["late"] for row in host.rows())


def test_tls_when_the_certificates_are_good_then_rows_go_out_and_bad_ones_are_explained(
    mosquitto, tmp_path
):
    from certificates import make

    pki = make(tmp_path)
    port = mosquitto(
        "allow_anonymous true",
        f"cafile {pki}/ca.pem",
        f"certfile {pki}/server.pem",
        f"keyfile {pki}/server.key",
    ).port
    with make_sink(port, tmp_path, tls={"ca_file": "ca.pem"}) as sink:
        assert deliver(sink, make_row(1)).delivered == {1}
        assert sink.probe() == (
            f"mqtts://127.0.0.1:{port}, MQTT 5, edge node markwatch/plant-1 (spBv1.0)"
        )


def test_probe_when_a_session_runs_then_it_is_not_disturbed(any_broker, tmp_path):
    with SparkplugListener(any_broker) as host, make_sink(any_broker, tmp_path) as sink:
        deliver(sink, make_row(1))
        assert "edge node markwatch/plant-1 (spBv1.0)" in sink.probe()
        assert make_sink(any_broker, tmp_path).probe().startswith("mqtt://127.0.0.1")
        deliver(sink, make_row(2))
        host.wait_for("DDATA", 2)
        assert (host.count("NBIRTH"), host.count("NDEATH")) == (1, 0)


def test_announce_when_the_station_drains_then_a_metric_of_the_node_says_so(any_broker, tmp_path):
    with SparkplugListener(any_broker) as host:
        with make_sink(any_broker, tmp_path) as sink:
            sink.announce("online")
            host.wait_for("NBIRTH")
            sink.announce("draining")
            host.wait_for("NDATA")
        host.wait_for("NDEATH")
    (birth,) = host.wait_for("NBIRTH")
    alias = birth.decoded.named("Station/State").alias
    told = [m.decoded.metrics[0] for m in host.wait_for("NDATA")]
    assert [(metric.alias, metric.value) for metric in told] == [
        (alias, "draining"),
        (alias, "stopped"),
    ]


def test_messages_when_weighed_then_aliases_make_them_smaller_than_json(tmp_path):
    from stories import births, data, make_node

    from flows import vocabulary

    node = make_node()
    births(node)
    row = make_row(1)
    _, message = data(node, row)
    assert len(message.payload) < len(vocabulary.to_json(row))
    assert decode(message.payload).seq == 2
