"""The device sink against a marker that answers slowly, in pieces, wrongly, and not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from brokers import free_port, make_row
from machines import Marker
from pydantic import ValidationError

from flows.sinks.device import DeviceOptions, DeviceSink
from stages.errors import DeliveryError
from stages.ports import Batch, Site

ROWS = [make_row(seq, code=f"KX{seq}") for seq in (1, 2, 3)]


def sink(marker: Marker, **options: Any) -> DeviceSink:
    chosen = {"host": "127.0.0.1", "port": marker.port, "reply_seconds": 0.3, **options}
    return DeviceSink(DeviceOptions(**chosen), Site("plant-1", "/nowhere"), "marker")


def batch(*rows: dict[str, Any]) -> Batch:
    return Batch(rows, 0, rows[-1]["seq"])


def later(*pieces: bytes) -> Callable[[str], Any]:
    """An answer whose pieces come one after another."""

    def answer(line: str) -> Any:
        for piece in pieces:
            time.sleep(0.02)
            yield piece

    return answer


def test_deliver_when_the_device_answers_then_in_order_on_one_connection_with_its_replies():
    with Marker(lambda line: [f"DONE {line}\r\n".encode()]) as marker, sink(marker) as device:
        receipt = device.deliver(batch(*ROWS))
        device.deliver(batch(*ROWS))
    assert marker.told == ["KX1", "KX2", "KX3"] * 2
    assert marker.connections == 1
    assert receipt.delivered == {1, 2, 3}
    assert receipt.replies == {1: "DONE KX1", 2: "DONE KX2", 3: "DONE KX3"}


def test_deliver_when_the_reply_comes_in_pieces_then_it_is_put_together():
    with Marker(later(b"D", b"ONE", b"\r", b"\n")) as marker, sink(marker) as device:
        assert device.deliver(batch(ROWS[0])).replies == {1: "DONE"}


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda line: [], "did not answer within 0.3 s"),
        (later(b"DON"), "did not answer within 0.3 s"),
        (lambda line: None, "hung up"),
        (lambda line: [b"OK\r\nOK\r\n"], "answered more than once"),
        (lambda line: [b"x" * 9000], "without the end of a reply"),
    ],
)
def test_deliver_when_the_device_misbehaves_then_the_row_is_still_owed(answer, complaint):
    with Marker(answer) as marker, sink(marker) as device:
        with pytest.raises(DeliveryError, match=complaint):
            device.deliver(batch(*ROWS))
        marker.answer = lambda line: [b"OK\r\n"]
        assert device.deliver(batch(*ROWS)).delivered == {1, 2, 3}
    assert marker.told == ["KX1", "KX1", "KX2", "KX3"]
    assert marker.connections == 2


def test_deliver_when_the_device_stops_in_the_middle_then_the_first_are_receipted():
    def answer(line: str) -> list[bytes] | None:
        return None if line == "KX3" else [b"OK\r\n"]

    with Marker(answer) as marker, sink(marker) as device:
        assert device.deliver(batch(*ROWS)).delivered == {1, 2}


def test_deliver_when_a_reply_comes_too_late_then_it_is_not_taken_for_the_next_ones():
    def answer(line: str) -> Any:
        if len(marker.told) == 1:
            time.sleep(0.5)
        yield f"DONE {len(marker.told)}\r\n".encode()

    with Marker(answer) as marker, sink(marker) as device:
        with pytest.raises(DeliveryError):
            device.deliver(batch(ROWS[0]))
        assert device.deliver(batch(ROWS[1])).replies == {2: "DONE 2"}


def test_deliver_when_the_device_hung_up_between_rows_then_it_is_called_again():
    with Marker() as marker, sink(marker) as device:
        device.deliver(batch(ROWS[0]))
        marker.hang_up()
        assert device.deliver(batch(ROWS[1])).delivered == {2}
    assert marker.connections == 2


def test_deliver_when_connections_are_not_kept_then_one_a_row():
    with Marker() as marker, sink(marker, keep_open=False) as device:
        device.deliver(batch(*ROWS))
    assert marker.connections == 3


def test_deliver_when_replies_are_judged_then_refused_dead_and_others_told_again():
    replies = {"KX1": b"ACK\r\n", "KX2": b"NAK 7\r\n", "KX3": b"BUSY\r\n"}
    judged = {"accept": "ACK", "refuse": r"NAK \d+"}
    with Marker(lambda line: [replies[line]]) as marker, sink(marker, **judged) as device:
        receipt = device.deliver(batch(*ROWS))
        assert (receipt.delivered, set(receipt.dead)) == ({1}, {2})
        assert "'NAK 7'" in receipt.dead[2]
        with pytest.raises(DeliveryError, match="'BUSY', which `accept` does not match"):
            device.deliver(batch(ROWS[2]))


def test_deliver_when_a_row_has_no_code_then_the_other_template_or_nothing():
    bad = make_row(2, code=None, status="unsure")
    with Marker() as marker:
        with sink(marker) as device:
            assert device.deliver(batch(ROWS[0], bad)).delivered == {1, 2}
        with sink(marker, template_without_code="NG {status}\r\n") as device:
            assert device.deliver(batch(bad)).replies == {2: "OK"}
    assert marker.told == ["KX1", "NG unsure"]


@pytest.mark.parametrize("code", ["A\r\nRESET", "A\x00", "A\x1b[2J", "Ж1"])
def test_deliver_when_a_code_could_be_a_command_or_cannot_be_written_then_dead(code):
    with Marker() as marker, sink(marker, encoding="latin-1") as device:
        receipt = device.deliver(batch(make_row(1, code=code), ROWS[1]))
    assert set(receipt.dead) == {1}
    assert receipt.delivered == {2}
    assert marker.told == ["KX2"]


def test_deliver_when_no_reply_is_asked_for_then_what_the_device_says_is_not_read():
    with Marker(lambda line: [b"chatter\r\n"]) as marker, sink(marker, reply_end="") as device:
        receipt = device.deliver(batch(*ROWS))
        assert device.deliver(batch(*ROWS)).delivered == {1, 2, 3}
        marker.wait_for(6)
    assert receipt.replies == {}
    assert marker.connections == 1


def test_probe_when_nothing_listens_then_says_what_to_look_at():
    device = DeviceSink(
        DeviceOptions(host="127.0.0.1", port=free_port()), Site("plant-1", "/nowhere"), "marker"
    )
    with pytest.raises(DeliveryError, match=r"cannot be reached: .*; is it on"):
        device.probe()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"encoding": "utf8-ish"}, "no encoding"),
        ({"accept": "("}, "no regular expression"),
        ({"reply_end": "", "accept": "OK"}, "need a reply"),
        ({"template": "{kode}"}, "no field 'kode'"),
    ],
)
def test_options_when_wrong_then_say_why(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        DeviceOptions(**options)
