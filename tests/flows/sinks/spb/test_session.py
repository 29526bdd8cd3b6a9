"""A session packet by packet: what a CONNECT holds, what waits for what, what a receipt proves."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from brokers import free_port, make_row
from packets import CONNECT, DISCONNECT, PUBLISH, SUBSCRIBE, PacketBroker
from pydantic import ValidationError
from sparkplugs import decode
from structlog.testing import capture_logs

from flows.sinks.sparkplug import SparkplugOptions, SparkplugSink
from flows.sinks.spb import bdseq, descriptor
from flows.sinks.spb.host import PrimaryHost
from flows.sinks.spb.node import EdgeNode
from stages.errors import DeliveryError
from stages.ports import Batch, Receipt, Site


@pytest.fixture(autouse=True)
def own_locks(tmp_path, monkeypatch):
    """Lock files of a test stay in its folder."""
    monkeypatch.setattr(descriptor.tempfile, "tempdir", str(tmp_path))


def make_sink(port: int, root: Path, station: str = "plant-1", **options) -> SparkplugSink:
    quick = {"reconnect_max_seconds": 0.05, "connect_timeout_seconds": 5.0}
    chosen = SparkplugOptions(**{"port": port, **quick, **options})
    return SparkplugSink(chosen, Site(station, str(root)), "scada")


def batch(*rows, late=False, cursor=None) -> Batch:
    return Batch(rows, rows[0]["seq"] - 1, rows[-1]["seq"], late=late, cursor=cursor)


def deliver(sink: SparkplugSink, *rows, late=False, cursor=None) -> Receipt:
    return sink.deliver(batch(*rows, late=late, cursor=cursor))


def verbs(packets) -> list[str]:
    kinds = {CONNECT: "CONNECT", SUBSCRIBE: "SUBSCRIBE", DISCONNECT: "DISCONNECT"}
    return [kinds.get(p.kind) or p.topic.split("/")[2] for p in packets if p.kind != 12]


@pytest.mark.parametrize("only", [5, 4], ids=["MQTT-5", "MQTT-3.1.1"])
def test_session_when_it_begins_and_ends_then_the_packets_are_in_the_specifications_order(
    tmp_path, only
):
    with PacketBroker(only=only) as broker:
        with make_sink(broker.port, tmp_path) as sink:
            assert deliver(sink, make_row(1), make_row(2)).delivered == {1, 2}
        broker.wait(lambda packets: packets[-1].kind == DISCONNECT)
        packets = broker.of_last_connection()
    assert verbs(packets) == [
        "CONNECT",
        "SUBSCRIBE",
        "NBIRTH",
        "DBIRTH",
        "DDATA",
        "DDATA",
        "SUBSCRIBE",
        "NDATA",
        "NDEATH",
        "DISCONNECT",
    ]
    connect, subscribe, birth = packets[:3]
    checks = {
        "message-flow-edge-node-birth-publish-will-message": connect.will is not None,
        "message-flow-edge-node-birth-publish-will-message-topic": (
            connect.will.topic == "spBv1.0/markwatch/NDEATH/plant-1"
        ),
        "payloads-ndeath-will-message-qos": connect.will.qos == 1,
        "payloads-ndeath-will-message-retain": connect.will.retain is False,
        "principles-persistence-clean-session-311": connect.is_clean,
        "principles-persistence-clean-session-50": connect.is_clean and connect.expiry == 0,
        "message-flow-edge-node-ncmd-subscribe": (
            ("spBv1.0/markwatch/NCMD/plant-1", 1) in subscribe.topics
        ),
        "topics-nbirth-bdseq-matching": (
            decode(birth.payload).named("bdSeq").value
            == decode(connect.will.payload).named("bdSeq").value
        ),
        "operational-behavior-edge-node-intentional-disconnect-ndeath": (
            decode(packets[-2].payload).named("bdSeq").value
            == decode(connect.will.payload).named("bdSeq").value
        ),
        "payloads-ndeath-will-message-publisher-disconnect-mqtt50": (
            packets[-1].code == (4 if only == 5 else 0)
        ),
    }
    assert [name for name, holds in checks.items() if not holds] == []


def test_deliver_when_the_connection_ends_before_the_barrier_then_no_row_is_receipted(tmp_path):
    # The broker takes both rows, and hangs up instead of answering what comes after them.
    with (
        PacketBroker(hangs_up=lambda number: number == 2) as broker,
        make_sink(broker.port, tmp_path) as sink,
    ):
        with pytest.raises(DeliveryError, match="was lost"):
            deliver(sink, make_row(1), make_row(2))
        broker.wait(lambda packets: verbs(packets).count("DDATA") == 2)
        assert deliver(sink, make_row(1), make_row(2), late=True).delivered == {1, 2}
        sent = [decode(p.payload) for p in broker.of(PUBLISH) if "/DDATA/" in p.topic]
    assert [message.metrics[0].is_historical for message in sent] == [False, False, True, True]


def test_deliver_when_the_connection_ends_between_barriers_then_the_first_rows_are_receipted(
    tmp_path,
):
    rows = [make_row(seq) for seq in range(1, 11)]
    with (
        PacketBroker(hangs_up=lambda number: number == 4) as broker,
        make_sink(broker.port, tmp_path, max_inflight=3) as sink,
    ):
        receipt = deliver(sink, *rows)
        assert receipt.delivered == {1, 2, 3, 4, 5, 6}
        assert receipt.cursor["devices"]["press-3"]["code"]["seq"] == 10


def test_deliver_when_the_broker_falls_silent_then_it_is_told_and_the_rows_are_owed(tmp_path):
    class Dumb(PacketBroker):
        def _answer(self, packet, body, protocol):
            late = packet.kind == SUBSCRIBE and len(packet.topics) == 1
            return b"" if late else super()._answer(packet, body, protocol)

    with (
        Dumb() as broker,
        make_sink(broker.port, tmp_path, ack_timeout_seconds=0.2) as sink,
        pytest.raises(DeliveryError, match=r"acknowledged nothing for 0\.2 s"),
    ):
        deliver(sink, make_row(1))


@pytest.mark.parametrize("is_rude", [False, True], ids=["refuses", "hangs-up"])
def test_connect_when_the_broker_knows_only_mqtt_311_then_that_is_spoken(tmp_path, is_rude):
    with (
        PacketBroker(only=4, is_rude=is_rude) as broker,
        make_sink(broker.port, tmp_path) as sink,
    ):
        for _ in range(20):
            try:
                assert deliver(sink, make_row(1)).delivered == {1}
                break
            except DeliveryError as error:
                assert "hangs up before it answers" in str(error)
        numbers = [decode(p.will.payload).metrics[0].value for p in broker.of(CONNECT)]
        assert [p.protocol for p in broker.of(CONNECT)][-1] == 4
    # tck-id-topics-nbirth-bdseq-increment
    assert numbers == list(range(len(numbers)))


def test_bdseq_when_no_connect_was_sent_then_it_does_not_advance(tmp_path):
    port = free_port()
    with make_sink(port, tmp_path) as sink:
        for _ in range(3):
            with pytest.raises(DeliveryError, match="nothing listens there: start the broker"):
                deliver(sink, make_row(1))
    assert bdseq.BdSeq(tmp_path / "data/state/scada.bdseq").next() == 0


@pytest.mark.parametrize("kept", ["255", "garbage", ""], ids=["255", "garbage", "empty"])
def test_bdseq_when_it_is_the_last_or_damaged_then_the_next_is_zero(tmp_path, kept):
    file = tmp_path / "data" / "state" / "scada.bdseq"
    file.parent.mkdir(parents=True)
    file.write_text(kept)
    with PacketBroker() as broker, make_sink(broker.port, tmp_path) as sink:
        deliver(sink, make_row(1))
        (connect,) = broker.of(CONNECT)
    assert decode(connect.will.payload).named("bdSeq").value == 0
    assert file.read_text() == "0\n"


def test_bdseq_when_its_disk_refuses_then_no_connect_is_sent_and_the_remedy_is_told(tmp_path):
    (tmp_path / "data").write_text("a file where a folder should be")
    with (
        PacketBroker() as broker,
        make_sink(broker.port, tmp_path) as sink,
        pytest.raises(DeliveryError, match=r"scada\.bdseq") as failure,
    ):
        deliver(sink, make_row(1))
    assert "\n" not in str(failure.value)
    assert not broker.of(CONNECT)


@pytest.mark.parametrize(
    ("refuses", "options"),
    [("NCMD", {}), ("STATE", {"primary_host": "scada"})],
    ids=["NCMD", "STATE"],
)
def test_connect_when_a_subscription_is_refused_then_the_topic_is_named(tmp_path, refuses, options):
    with (
        PacketBroker(refuses=refuses) as broker,
        make_sink(broker.port, tmp_path, **options) as sink,
        pytest.raises(DeliveryError, match=f"the subscription to spBv1.0/.*{refuses}.*right"),
    ):
        deliver(sink, make_row(1))
    assert not broker.of(PUBLISH)


def test_connect_when_the_own_birth_topic_may_not_be_heard_then_rows_go_out_all_the_same(tmp_path):
    with PacketBroker(refuses="NBIRTH") as broker, make_sink(broker.port, tmp_path) as sink:
        assert deliver(sink, make_row(1)).delivered == {1}


def test_remember_when_the_ledger_has_a_cursor_then_the_first_births_are_whole(tmp_path):
    with PacketBroker() as broker:
        with make_sink(broker.port, tmp_path) as sink:
            receipt = deliver(sink, make_row(1), make_row(2, camera="press-4"))
        first = len(broker.packets)
        with make_sink(broker.port, tmp_path) as heir:
            heir.remember(receipt.cursor)
            heir.announce("online")
            packets = broker.wait(lambda all_: verbs(all_[first:]).count("DBIRTH") == 2)[first:]
    births = [decode(p.payload) for p in packets if "/DBIRTH/" in p.topic]
    assert [birth.named("code/seq").value for birth in births] == [1, 2]


def test_enter_when_the_name_is_taken_on_this_machine_then_one_line_says_by_whom(tmp_path):
    port = free_port()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    with make_sink(port, tmp_path / "a", station="line"):
        with (
            pytest.raises(DeliveryError, match=r"markwatch/line at mqtt.*already runs") as failure,
            make_sink(port, tmp_path / "b", station="line"),
        ):
            pass
        assert "\n" not in str(failure.value)
        with make_sink(port, tmp_path / "b", station="other"):
            pass
    with make_sink(port, tmp_path / "b", station="line"):
        pass


def test_connect_when_another_takes_the_session_over_then_the_node_stands_down(tmp_path):
    class Greedy(PacketBroker):
        def _answer(self, packet, body, protocol):
            answer = super()._answer(packet, body, protocol)
            is_barrier = packet.kind == SUBSCRIBE and len(packet.topics) == 1
            return b"\xe0\x02\x8e\x00" if is_barrier else answer

    with (
        Greedy() as broker,
        make_sink(broker.port, tmp_path, client_id="fixed") as sink,
    ):
        for row in map(make_row, range(1, 6)):
            with pytest.raises(
                DeliveryError, match=r"took over the session.*stands down"
            ) as failure:
                deliver(sink, row)
            assert "\n" not in str(failure.value)
        assert [packet.client_id for packet in broker.of(CONNECT)] == ["fixed"]
        # Its NDEATH could be taken for the other's.
        assert not [packet for packet in broker.of(PUBLISH) if "NDEATH" in packet.topic]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_deliver_when_the_session_has_broken_then_no_known_error_hides_it(tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    with PacketBroker() as broker:
        with make_sink(broker.port, tmp_path) as sink:
            with monkeypatch.context() as patch:
                patch.setattr(EdgeNode, "births", broken)
                with pytest.raises(DeliveryError):
                    deliver(sink, make_row(1))
            # The delivery loop opens a sink anew after an error that it does not know.
            with pytest.raises(RuntimeError, match="has stopped"):
                deliver(sink, make_row(1))
        with make_sink(broker.port, tmp_path) as sink:
            assert deliver(sink, make_row(1)).delivered == {1}


def test_exit_when_the_broker_never_answered_then_it_takes_no_time_and_leaves_no_thread(tmp_path):
    before = set(threading.enumerate())
    with capture_logs() as logs, make_sink(free_port(), tmp_path) as sink:
        sink.announce("online")
        with pytest.raises(DeliveryError):
            deliver(sink, make_row(1))
    assert set(threading.enumerate()) == before
    assert sum(entry["event"] == "not connected" for entry in logs) == 1


@pytest.mark.parametrize(
    ("name", "told", "is_taken", "is_online"),
    [
        (
            "message-flow-edge-node-birth-publish-phid-wait-online",
            [b'{"online": true, "timestamp": 5}'],
            True,
            True,
        ),
        (
            "message-flow-edge-node-birth-publish-phid-wait-online-false",
            [b'{"online": false, "timestamp": 5}'],
            True,
            False,
        ),
        (
            "message-flow-edge-node-birth-publish-phid-wait-online-boolean",
            [b'{"online": 1, "timestamp": 5}'],
            False,
            False,
        ),
        (
            "message-flow-edge-node-birth-publish-phid-wait-timestamp",
            [b'{"online": false, "timestamp": 6}', b'{"online": true, "timestamp": 5}'],
            False,
            False,
        ),
        (
            "message-flow-edge-node-birth-publish-phid-wait-timestamp-equal",
            [b'{"online": false, "timestamp": 5}', b'{"online": true, "timestamp": 5}'],
            True,
            True,
        ),
        (
            "operational-behavior-edge-node-termination-host-offline-timestamp",
            [b'{"online": true, "timestamp": 6}', b'{"online": false, "timestamp": 5}'],
            False,
            True,
        ),
        ("text-of-2.2", [b"ONLINE"], False, False),
        ("not-utf-8", [b"\xff\xfe\xfd"], False, False),
        ("list", [b"[true, 5]"], False, False),
        ("nan", [b'{"online": true, "timestamp": NaN}'], False, False),
    ],
    ids=lambda value: f"tck-id-{value}" if isinstance(value, str) else "",
)
def test_host_when_it_tells_its_state_then_only_what_is_newer_counts(
    name, told, is_taken, is_online
):
    host = PrimaryHost("scada")
    assert [host.hear(content) for content in told][-1] is is_taken
    assert host.is_online is is_online


@pytest.mark.parametrize("option", ["group_id", "node_id", "primary_host"])
@pytest.mark.parametrize("name", ["a/b", "+", "a#", "a\nb", ""])
def test_options_when_a_name_is_no_level_of_a_topic_then_it_is_refused(option, name):
    with pytest.raises(ValidationError):
        SparkplugOptions(**{option: name})
