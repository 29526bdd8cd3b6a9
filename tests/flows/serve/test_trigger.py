"""The line protocol, over a real socket: right answers, and `NG` for all that is wrong."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from commands import invoke
from made import picture
from stations import DEADLINE, Station, b64, end, launch, png


def drop(station, camera: str, name: str, level: int) -> None:
    """As a camera does: written aside, renamed in."""
    target = station.plant.inbox(camera) / name
    aside = picture(target.with_name(f".{name}"), level)
    aside.rename(target)


def test_read_when_the_picture_comes_after_then_its_code_and_confidence(station):
    with station.trigger() as line:
        line.send(b"READ press-3 later.png\r\n")
        drop(station, "press-3", "later.png", 171)
        assert re.fullmatch(r"OK G171 0\.\d{4}\r\n", line.hear())


def test_read_when_the_picture_was_read_before_then_at_once_and_only_once(station):
    drop(station, "press-3", "early.png", 172)
    found = "/v1/readings?camera=press-3&image=early.png"
    station.plant.wait_until(lambda: station.get(found).json()["readings"], "read")
    with station.trigger() as line:
        assert line.say("READ press-3 early.png").startswith("OK G172 ")
        line.send(b"READ press-3 early.png\n")
        drop(station, "press-3", "early.png", 173)
        assert line.hear().startswith("OK G173 ")


def test_read_when_many_commands_come_at_once_then_answered_in_order(station):
    with station.trigger() as line:
        line.send(b"READ press-3 a.png\r\nREAD press-3 b.png\r\nLAST press-3\r\n")
        drop(station, "press-3", "b.png", 175)
        drop(station, "press-3", "a.png", 174)
        answers = [line.hear().split()[1] for _ in range(3)]
    assert answers[:2] == ["G174", "G175"] and answers[2] in answers[:2]


def test_read_when_its_first_connection_died_then_the_second_has_the_answer(station):
    with station.trigger() as dead:
        dead.send(b"READ press-3 twice.png\r\n")
        assert dead.socket.getsockname()
    with station.trigger() as line:
        line.send(b"READ press-3 twice.png\r\n")
        # The commands of this one are behind that READ; another's answer says that it was taken.
        with station.trigger() as other:
            assert other.say("STATUS").startswith("OK")
        drop(station, "press-3", "twice.png", 184)
        assert line.hear().startswith("OK G184 ")


def test_read_when_nothing_can_be_read_then_ng_with_the_reason(station):
    target = station.plant.inbox("press-3") / "bad.png"
    aside = target.with_name(".bad.png")
    aside.write_bytes(b"no picture")
    aside.rename(target)
    with station.trigger() as line:
        assert line.say("READ press-3 bad.png").startswith("NG failed ")


def test_expect_when_a_picture_follows_then_it_is_verified_and_the_next_is_not(station):
    with station.trigger() as line:
        assert line.say("EXPECT press-3 G999") == "OK"
        assert line.say("EXPECT press-3 G000") == "OK"
        drop(station, "press-3", "wrong.png", 176)
        assert line.say("READ press-3 wrong.png").startswith("NG mismatch ")
        drop(station, "press-3", "free.png", 177)
        assert line.say("READ press-3 free.png").startswith("OK G177")
        assert line.say("EXPECT press-3 G178") == "OK"
        drop(station, "press-3", "right.png", 178)
        assert line.say("READ press-3 right.png").startswith("OK G178")
    rows = station.get("/v1/readings?order=newest&limit=3&camera=press-3").json()["readings"]
    assert [(row["expected"], row["match"]) for row in rows] == [
        ("G178", True),
        (None, None),
        ("G000", False),
    ]


def test_expect_when_a_picture_brings_its_own_code_then_that_holds_and_the_other_waits(station):
    with station.trigger() as line:
        assert line.say("EXPECT press-3 G180") == "OK"
    (own,) = station.post(image=b64(png(179)), camera="press-3", expected="G179", wait=True).json()[
        "readings"
    ]
    (next_one,) = station.post(image=b64(png(180)), camera="press-3", wait=True).json()["readings"]
    assert (own["expected"], own["status"]) == ("G179", "read")
    assert (next_one["expected"], next_one["status"]) == ("G180", "read")


def test_last_and_status_when_asked_then_the_ledgers_figures(station):
    station.post(image=b64(png(181)), camera="press-3", wait=True)
    with station.trigger() as line:
        assert line.say("last press-3").startswith("OK G181 ")
        answer = line.say("STATUS")
    assert answer.startswith("OK st seen=") and answer.endswith("balanced=1")


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("HELLO", "NG command"),
        ("READ press-3", "NG command"),
        ("LAST", "NG command"),
        ("STATUS now", "NG command"),
        ("READ nobody a.png", "NG unknown-camera"),
        ("LAST ../..", "NG camera-name"),
        ("READ press-3 ../../etc/passwd", "NG file-name"),
        ("READ press-3 a\\b.png", "NG file-name"),
        ("EXPECT press-3 a\x1bb", "NG expected-code"),
        ("\x1b[2J \xff", "NG command"),
    ],
)
def test_command_when_wrong_then_ng_in_one_printable_line_and_the_next_is_answered(
    station, said, heard
):
    with station.trigger() as line:
        answer = line.say(said)
        assert answer.startswith(heard) and answer.isprintable()
        assert line.say("STATUS").startswith("OK ")


def test_line_when_too_long_then_ng_and_closed(station):
    with station.trigger() as line:
        line.send(b"READ press-3 " + b"x" * 5000)
        assert line.hear().startswith("NG line longer than 64 bytes")
        assert line.hear() == ""


@pytest.mark.parametrize("said", [b"", b"EXPECT press-3 G1"])
def test_line_when_half_or_silent_then_closed_in_time_and_nothing_was_done(station, said):
    with station.trigger() as line:
        line.send(said)
        assert line.hear().startswith("NG silence")
        assert line.hear() == ""
    assert not list((station.plant.layout.state / "expected").glob("*.expected"))


def test_line_when_cut_off_in_a_command_then_it_is_not_done(station):
    with station.trigger() as line:
        line.send(b"EXPECT press-3 G12")
        line.socket.shutdown(1)
        assert line.hear() == ""
    assert not list((station.plant.layout.state / "expected").glob("*.expected"))


def test_connections_when_one_address_opens_many_then_it_is_told_and_others_are_served(station):
    # A PLC that opens and never closes must not keep the others out.
    lines = [station.trigger("127.0.0.9") for _ in range(4)]
    try:
        for line in lines:
            assert line.say("LAST default")
        with station.trigger("127.0.0.9") as extra:
            assert extra.hear().startswith("NG connections 4 of 127.0.0.9 are open")
        with station.trigger() as other:
            assert other.say("LAST default")
    finally:
        for line in lines:
            line.__exit__()


def test_connections_when_too_many_then_told_and_those_in_are_served(station):
    lines = []

    def let_in(address):
        line = station.trigger(address)
        with suppress(ConnectionError):
            if line.say("STATUS").startswith("OK"):
                lines.append(line)
                return True
        # The station may not have heard yet that an earlier test's line was closed.
        line.__exit__()
        return False

    try:
        for number in range(16):
            address = f"127.0.0.{2 + number // 4}"
            station.plant.wait_until(lambda address=address: let_in(address), "room for a line")
        with station.trigger() as extra:
            extra.socket.settimeout(DEADLINE)
            assert extra.hear().startswith("NG connections")
            assert extra.hear() == ""
        assert lines[0].say("STATUS").startswith("OK")
    finally:
        for line in lines:
            line.__exit__()


def test_connection_when_its_address_is_not_allowed_then_closed_unanswered(tmp_path):
    plant = launch(tmp_path / "plant", trigger="allow: [192.0.2.0/24]")
    try:
        with Station(plant).trigger() as line:
            assert line.hear() == ""
        assert plant.wait_for("refused")["address"] == "127.0.0.1"
    finally:
        end(plant)


def test_read_when_a_picture_of_that_name_is_read_again_then_the_old_part_does_not_answer(station):
    drop(station, "press-3", "again.png", 182)
    with station.trigger() as line:
        assert line.say("READ press-3 again.png").startswith("OK G182")
    (row,) = station.get("/v1/readings?code=G182").json()["readings"]
    station.plant.wait_until(lambda: not station.plant.filed("work"), "filed")
    done = invoke("reread", row["id"], "--root", str(station.plant.root))
    assert done.returncode == 0, done.stderr
    answered = "/v1/readings?code=G182&limit=2"
    station.plant.wait_until(
        lambda: len(station.get(answered).json()["readings"]) == 2, "read again"
    )
    with station.trigger() as line:
        line.send(b"READ press-3 again.png\r\n")
        drop(station, "press-3", "again.png", 183)
        assert line.hear().startswith("OK G183 ")


def test_lines_when_sent_and_half_closed_as_nc_does_then_every_one_is_answered(station):
    with station.trigger() as line:
        line.send(b"STATUS\r\nLAST nobody\r\nstatus\n")
        line.socket.shutdown(1)
        answers = [line.hear() for _ in range(4)]
    assert [answer[:6].rstrip() for answer in answers] == ["OK st", "NG unk", "OK st", ""]
