"""The HTTP sink against a real server: receipts, refusals, patience, certificates."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from brokers import free_port, make_row
from certificates import Authority
from machines import Answer, RestServer
from pydantic import ValidationError

from flows import vocabulary
from flows.sinks.http import HttpOptions, HttpSink
from stages.errors import DeliveryError
from stages.ports import Batch, Site

ROWS = [make_row(seq, code=f"KX{seq}") for seq in (1, 2, 3)]


def sink(url: str, root: Path = Path("/nowhere"), **options: Any) -> HttpSink:
    chosen = HttpOptions(**{"url": url, "answer_seconds": 0.5, **options})
    return HttpSink(chosen, Site("plant-1", str(root)), "mes")


def batch(*rows: dict[str, Any]) -> Batch:
    return Batch(rows, 0, rows[-1]["seq"])


def test_deliver_when_no_body_is_configured_then_the_row_with_its_id_as_key():
    with RestServer(lambda asked: Answer(201, b"stored")) as server, sink(server.url) as mes:
        receipt = mes.deliver(batch(*ROWS))
    assert receipt.delivered == {1, 2, 3}
    assert [vocabulary.from_json(asked.body) for asked in server.asked] == ROWS
    keys = [asked.headers["Idempotency-Key"] for asked in server.asked]
    assert keys == [row["id"] for row in ROWS]


def test_deliver_when_a_body_is_configured_then_constants_and_templates_are_filled():
    body = {
        "machine_name": "lathe 4",
        "line": 7,
        "old_part_name": "{code}",
        "new_part_name": "{reply}",
        "note": "read {status} at {read_at:%H:%M}",
        "box": {"corners": ["{cord}", None]},
    }
    row = {**ROWS[0], "reply": "OP20-KX1"}
    with RestServer() as server:
        with sink(server.url + "?line=7", method="PUT", body=body) as mes:
            mes.deliver(batch(row))
        (asked,) = server.asked
    assert (asked.method, asked.path) == ("PUT", "/readings?line=7")
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.json == {
        "machine_name": "lathe 4",
        "line": 7,
        "old_part_name": "KX1",
        "new_part_name": "OP20-KX1",
        "note": "read read at 12:00",
        "box": {"corners": [row["cord"], None]},
    }


def test_deliver_when_a_row_is_refused_for_good_then_it_is_dead_and_the_others_go_on():
    def answer(asked: Any) -> Answer:
        return Answer(422, b"part\r\nunknown") if asked.json["code"] == "KX2" else Answer()

    with RestServer(answer) as server, sink(server.url) as mes:
        receipt = mes.deliver(batch(*ROWS))
    assert receipt.delivered == {1, 3}
    assert receipt.dead == {2: f"{server.url} answered 422: part unknown"}


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (Answer(500, b"oops"), "answered 500: oops; the row is sent again"),
        (Answer(503), "answered 503: no reason"),
        (Answer(401), "answered 401: set the right `token`"),
        (Answer(307, headers={"Location": "https://mes/new"}), "moved to https://mes/new"),
    ],
)
def test_deliver_when_it_may_be_taken_later_then_the_row_is_still_owed(answer, complaint):
    with RestServer(lambda asked: answer) as server, sink(server.url) as mes:
        with pytest.raises(DeliveryError, match=complaint):
            mes.deliver(batch(*ROWS))
        server.answer = lambda asked: Answer()
        assert mes.deliver(batch(*ROWS)).delivered == {1, 2, 3}


def test_deliver_when_the_server_asks_to_wait_then_it_is_left_alone():
    slow = Answer(429, headers={"retry-after": "60"})
    with RestServer(lambda asked: slow) as server, sink(server.url) as mes:
        for _ in range(3):
            with pytest.raises(DeliveryError):
                mes.deliver(batch(ROWS[0]))
    assert len(server.asked) == 1


def test_deliver_when_a_later_row_fails_then_the_first_are_receipted():
    def answer(asked: Any) -> Answer:
        return Answer(500 if asked.json["code"] == "KX3" else 200)

    with RestServer(answer) as server, sink(server.url) as mes:
        assert mes.deliver(batch(*ROWS)).delivered == {1, 2}


def test_deliver_when_the_answer_is_endless_then_only_its_beginning_is_read():
    endless = RestServer(lambda asked: Answer(200, b"x" * 3_000_000))
    with endless as server, sink(server.url) as mes:
        assert mes.deliver(batch(ROWS[0])).delivered == {1}
        assert mes.deliver(batch(ROWS[1])).delivered == {2}


def test_deliver_when_nobody_answers_then_says_so():
    reached = pytest.raises(DeliveryError, match=r"cannot be reached: .*is it on")
    with sink(f"http://127.0.0.1:{free_port()}/") as mes, reached:
        mes.deliver(batch(ROWS[0]))


def test_deliver_when_a_token_is_given_then_it_is_sent_and_never_shown(tmp_path):
    (tmp_path / "token").write_text("s3cr3t-word\n")
    (tmp_path / "token").chmod(0o600)
    with RestServer(lambda asked: Answer(403)) as server:
        mes = sink(server.url, tmp_path, token_file="token")
        with mes, pytest.raises(DeliveryError) as refused:
            mes.deliver(batch(ROWS[0]))
        assert server.asked[0].headers["Authorization"] == "Bearer s3cr3t-word"
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"url": "mes/readings"}, "no address of a server"),
        ({"url": "https://me:word@mes/readings"}, "holds a user or password"),
        ({"body": {"part": {"name": "{kode}"}}}, "body part.name: .*no field 'kode'"),
        ({"headers": {"Authorization": "Bearer x"}}, "is a secret"),
        ({"headers": {"X-A": "b\r\nX-C: d"}}, "is no header"),
        ({"token": "a", "token_file": "b"}, "keep one"),
    ],
)
def test_options_when_wrong_then_say_why(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        HttpOptions(**options)


def served(folder: Path, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("good", None),
        ("expired", "its certificate is not trusted .*expired"),
        ("elsewhere", "its certificate is not trusted .*mismatch"),
        ("stranger", "its certificate is not trusted .*name its authority in `tls.ca_file`"),
    ],
)
def test_deliver_when_tls_is_spoken_then_the_server_is_verified(tmp_path, name, complaint):
    ours = Authority(tmp_path)
    ours.sign("good").sign("expired", days=-1).sign("elsewhere", address="127.0.0.9")
    Authority(tmp_path, "other").sign("stranger")
    with RestServer(context=served(tmp_path, name)) as server:
        mes = sink(server.url, tmp_path, tls={"ca_file": "ca.pem"})
        if complaint is None:
            assert mes.probe() == f"POST {server.url}, reachable"
            with mes:
                assert mes.deliver(batch(*ROWS)).delivered == {1, 2, 3}
            return
        with pytest.raises(DeliveryError, match=complaint):
            mes.probe()
        with mes, pytest.raises(DeliveryError, match=complaint):
            mes.deliver(batch(*ROWS))
    assert not server.asked
