"""Bad input over HTTP: a clear answer each, one shape, and the walk goes on."""

from __future__ import annotations

import base64
import socket
import time

import pytest
from stations import Station, b64, end, launch, png, received

from flows.serve.guard import HEADERS

TOKEN = "a-token-that-is-long-enough"
POST = b"POST /v1/images HTTP/1.1\r\nHost: 127.0.0.1\r\n"
HEAD_SECONDS = 1
MOST = 12
MOST_OF_ONE = 8
STALL_SECONDS = 1


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """A station with a token and small limits."""
    serve = f"head_seconds: {HEAD_SECONDS}\n  body_seconds: 1\n  max_upload_megabytes: 0.1\n"
    serve += f"  max_connections: {MOST}\n  requests_per_second: 200\n  max_uploads: 2\n"
    serve += f"  max_connections_per_address: {MOST_OF_ONE}\n  stall_seconds: {STALL_SECONDS}"
    plant = launch(
        tmp_path_factory.mktemp("strict") / "plant", serve, MARKWATCH__SERVE__TOKEN=TOKEN
    )
    try:
        yield Station(plant, TOKEN)
        assert plant.stop() == 0
    finally:
        end(plant)


def refused(answer, status: int, error: str) -> dict:
    assert answer.status == status, answer.body
    told = answer.json()
    assert set(told) == {"error", "detail", "remedy"} and all(told.values())
    assert told["error"] == error, told
    return told


def reads_on(station: Station, level: int) -> None:
    assert station.post(image=b64(png(level)), wait=True).json()["code"] == f"G{level}"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"image": "%%% rubbish"}, 422, "base64"),
        ({"image": b64(b"plain text, no picture")}, 422, "no-picture"),
        ({"image": ""}, 422, "no-picture"),
        ({"image": b64(b"GIF89a" + bytes(20))}, 422, "no-picture"),
        ({}, 422, "invalid"),
        ({"image": b64(png(1)), "path": "/etc/passwd"}, 422, "invalid"),
        ({"image": b64(png(1)), "camera": "../../etc"}, 422, "camera-name"),
        ({"image": b64(png(1)), "camera": ".hidden"}, 422, "camera-name"),
        ({"image": b64(png(1)), "camera": "a/b"}, 422, "camera-name"),
        ({"image": b64(png(1)), "camera": "c" * 300}, 422, "camera-name"),
        ({"image": b64(png(1)), "camera": "nobody"}, 404, "unknown-camera"),
        ({"image": b64(png(1)), "recipe": "nothing"}, 404, "unknown-recipe"),
        ({"image": b64(png(1)), "recipe": "../default"}, 404, "unknown-recipe"),
        (
            {"image": b64(png(1)), "camera": "press-3", "recipe": "default"},
            422,
            "camera-and-recipe",
        ),
        ({"image": b64(png(1)), "expected": "two\nlines"}, 422, "expected-code"),
        ({"image": b64(png(1)), "expected": "x" * 2000}, 422, "expected-code"),
    ],
)
def test_post_when_body_is_bad_then_clear_refusal_and_nothing_in_the_inbox(
    station, body, status, error
):
    before = station.plant.query("SELECT COUNT(*) FROM images")
    refused(station.post(**body), status, error)
    assert station.plant.filed("inbox") == []
    assert station.plant.query("SELECT COUNT(*) FROM images") == before


@pytest.mark.parametrize(
    "name",
    [
        "../../../conf/markwatch.yaml",
        "..\\..\\evil.png",
        "/etc/cron.d/x",
        "x\x00.png",
        ".part",
        "a\nb\x1b[2J.png",
        "長" * 400,
        "<script>alert(1)</script>.png",
        "",
    ],
)
def test_post_when_name_is_a_path_or_worse_then_only_its_stem_is_used(station, name):
    before = sorted(path for path in station.plant.root.rglob("*.yaml"))
    told = station.post(image=b64(png(121)), name=name, wait=True)
    assert told.status == 200, told.body
    image = told.json()["image"]
    assert image.isprintable() and not set(image) & set("/\\<>:") and len(image.encode()) < 200
    assert sorted(path for path in station.plant.root.rglob("*.yaml")) == before


def test_post_when_not_json_or_form_then_415_and_broken_json_422(station):
    refused(station.ask("POST", "/v1/images", body=b"x"), 415, "content-type")
    kind = {"Content-Type": "application/json"}
    refused(station.ask("POST", "/v1/images", body=b"{", headers=kind), 422, "invalid")
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = station.ask("POST", "/v1/images", body=b"--x\r\nrubbish", headers=kind)
    assert answer.status in (400, 422) and answer.json()["remedy"]


def test_log_when_forms_are_none_then_it_does_not_tell_of_each(station):
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    before = len(station.plant.log)
    for number in range(20):
        body = b"--x\r\nContent-Disposition\xff%d: \r\n" % number
        assert station.ask("POST", "/v1/images", headers=kind, body=body).status in (400, 422)
    assert "character" not in str(station.plant.log[before:])


def test_request_when_route_method_or_argument_is_wrong_then_the_one_shape(station):
    refused(station.get("/nothing"), 404, "not-found")
    refused(station.ask("DELETE", "/v1/readings"), 405, "method-not-allowed")
    refused(station.get("/v1/readings?limit=0"), 422, "invalid")
    refused(station.get("/v1/readings?cursor=99999999999999999999"), 422, "invalid")
    refused(station.get("/v1/readings?from=yesterday"), 422, "invalid")
    refused(station.get("/v1/readings?status=great"), 422, "invalid")
    refused(station.get("/v1/readings/01900000-x"), 404, "unknown-reading")


def test_request_when_a_foreign_page_or_host_sends_it_then_403(station):
    refused(station.get("/v1/status", headers={"Host": "evil.example"}), 403, "foreign-host")
    headers = {"Origin": "https://evil.example"}
    refused(station.get("/v1/status", headers=headers), 403, "foreign-origin")
    headers = {"Sec-Fetch-Site": "cross-site"}
    refused(station.get("/v1/status", headers=headers), 403, "foreign-origin")
    own = {"Origin": f"http://127.0.0.1:{station.port}"}
    assert station.get("/v1/status", headers=own).status == 200


def test_answer_when_given_then_security_headers_are_set(station):
    for path in ("/v1/status", "/nothing", "/v1/readings"):
        headers = station.get(path).headers
        for name, value in HEADERS:
            assert headers[name.decode()] == value.decode()
        assert "server" not in headers


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"]
)
def test_request_when_token_is_missing_or_wrong_then_401_everywhere_but_health(strict, header):
    headers = {"Authorization": header}
    for path in ("/v1/status", "/v1/readings", "/metrics", "/openapi.json", "/v1/events", "/x"):
        answer = strict.get(path, headers=headers)
        refused(answer, 401, "token")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert strict.get("/healthz", headers=headers).status == 200
    assert strict.get("/v1/status").status == 200


def test_post_when_ten_gigabytes_are_declared_then_413_at_once_unread(strict):
    with strict.raw() as connected:
        head = (
            b"Authorization: Bearer " + TOKEN.encode() + b"\r\nContent-Type: application/json\r\n"
        )
        connected.sendall(POST + head + b"Content-Length: 10737418240\r\n\r\n")
        answer = received(connected)
    assert answer.startswith(b"HTTP/1.1 413 ") and b'"too-large"' in answer
    reads_on(strict, 131)


def test_post_when_more_comes_than_is_allowed_undeclared_then_413(strict):
    with strict.raw() as connected:
        head = (
            b"Authorization: Bearer " + TOKEN.encode() + b"\r\nContent-Type: application/json\r\n"
        )
        connected.sendall(POST + head + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(40):
                connected.sendall(b"2000\r\n" + bytes(0x2000) + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = received(connected)
    assert answer.startswith(b"HTTP/1.1 413 ")
    reads_on(strict, 132)


def test_post_when_picture_is_over_the_limit_then_413_in_form_and_json(strict):
    large = png(1) + bytes(110_000)
    refused(strict.post(image=b64(large)), 413, "too-large")
    refused(strict.ask("POST", "/v1/images", fields={"image": ("a.png", large)}), 413, "too-large")


def test_post_when_body_stops_half_way_then_408_and_the_slot_is_free_again(strict):
    lines = []
    for _ in range(2):
        connected = strict.raw()
        head = (
            b"Authorization: Bearer " + TOKEN.encode() + b"\r\nContent-Type: application/json\r\n"
        )
        connected.sendall(POST + head + b'Content-Length: 1000\r\n\r\n{"image": "')
        lines.append(connected)
    for connected in lines:
        answer = received(connected)
        connected.close()
        assert answer.startswith(b"HTTP/1.1 408 ") and b'"slow-body"' in answer
    reads_on(strict, 133)


def test_connection_when_silent_or_half_a_head_then_closed_in_time(strict):
    for said in (b"", b"GET /healthz HT", POST + b"X-Slow: "):
        with strict.raw() as connected:
            connected.sendall(said)
            begun = time.monotonic()
            assert received(connected) == b""
            assert time.monotonic() - begun < 20 * HEAD_SECONDS


def test_connections_when_a_thousand_are_open_then_told_so_and_those_in_are_served(strict):
    assert strict.get("/healthz").status == 200
    opened: list[socket.socket] = []
    try:
        told = b""
        for number in range(1000):
            # As many machines would: one alone is refused before the house is full.
            opened.append(strict.raw(f"127.0.0.{2 + number % 200}"))
            if len(opened) > 4 * MOST and not told:
                told = received(opened[-1])
        assert told.startswith(b"HTTP/1.1 503 ") and b'"too-many-connections"' in told
        # By the connection that was open before.
        assert strict.get("/healthz").status == 200
    finally:
        for connected in opened:
            connected.close()
    reads_on(strict, 134)


def test_connections_when_one_address_holds_its_share_then_it_alone_is_refused(strict):
    assert strict.get("/healthz").status == 200
    auth = b"Authorization: Bearer " + TOKEN.encode() + b"\r\n"
    head = b"GET %s HTTP/1.1\r\nHost: x\r\n" + auth + b"\r\n"
    opened: list[socket.socket] = []
    try:
        # Listeners, which may stay for as long as they like, and connections that say nothing.
        for number in range(MOST_OF_ONE):
            opened.append(strict.raw("127.0.0.7"))
            if number % 2:
                opened[-1].sendall(head % b"/v1/events")
                assert received(opened[-1], b"retry:").startswith(b"HTTP/1.1 200 ")
        with strict.raw("127.0.0.7") as extra:
            told = received(extra)
        assert told.startswith(b"HTTP/1.1 429 ") and b'"too-many-connections"' in told
        assert f"{MOST_OF_ONE} connections of your address".encode() in told
        with strict.raw("127.0.0.8") as other:
            other.sendall(head % b"/v1/status")
            assert received(other, b"}").startswith(b"HTTP/1.1 200 ")
        # A place is free again as soon as one is given back.
        opened.pop().close()

        def admitted() -> bool:
            with strict.raw("127.0.0.7") as again:
                again.sendall(head % b"/healthz")
                return received(again, b"ok").startswith(b"HTTP/1.1 200 ")

        strict.plant.wait_until(admitted, "a place")
    finally:
        for connected in opened:
            connected.close()


def test_answer_when_it_is_not_taken_then_the_connection_is_broken_off(strict):
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + TOKEN.encode()
    with socket.socket() as connected:
        # The kernel holds little on the client's side, and the requests keep coming.
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connected.settimeout(60)
        connected.connect(("127.0.0.1", strict.port))
        begun = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - begun < 40 * STALL_SECONDS:
                connected.sendall(ask + b"\r\n\r\n")
        assert time.monotonic() - begun < 30 * STALL_SECONDS
    reads_on(strict, 136)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 5x\r\n",
        b"Content-Length: 1e3\r\n",
        b"Transfer-Encoding: gzip\r\n",
    ],
)
def test_post_when_its_length_contradicts_itself_then_400_and_nothing_is_done(strict, head):
    smuggled = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
    kind = b"Content-Type: application/json\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"
    with strict.raw() as connected:
        connected.sendall(POST + kind + head + b"\r\nhello" + smuggled)
        answer = received(connected)
    status = int(answer.split()[1])
    assert status in (400, 501), answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_post_when_more_comes_than_was_declared_then_the_rest_is_no_part_of_it(strict):
    body = b'{"image": "x"}'
    kind = b"Content-Type: application/json\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"
    with strict.raw() as connected:
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        connected.sendall(POST + kind + length + body + b"and more than that\r\n\r\n")
        answer = received(connected)
    assert answer.startswith(b"HTTP/1.1 422 ") and b'"base64"' in answer
    assert b"HTTP/1.1 400 " in answer
    reads_on(strict, 137)


def test_request_when_it_is_no_http_then_400_and_others_are_served(strict):
    with strict.raw() as connected:
        connected.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n")
        assert received(connected).startswith(b"HTTP/1.1 400 ")
    reads_on(strict, 135)


def test_log_when_tokens_were_shown_then_it_holds_none(strict):
    assert not [line for line in strict.plant.log if TOKEN in str(line)]
    assert base64.b64encode(TOKEN.encode()).decode() not in str(strict.plant.log)
