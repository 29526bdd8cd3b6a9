"""The live stream: resumed by Last-Event-ID without a gap and without a repeat."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
import urllib3
from stations import b64, png


def listen(station, *, after: int | None = None, query: str = ""):
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    answer = station.pool.request(
        "GET", f"/v1/events{query}", headers=headers, preload_content=False, retries=False
    )
    assert answer.status == 200, answer.data
    assert answer.headers["content-type"].startswith("text/event-stream")
    return answer


def told(answer: urllib3.BaseHTTPResponse) -> Iterator[dict[str, str]]:
    """The readings of the stream."""
    return (event for event in blocks(answer) if "data" in event)


def blocks(answer: urllib3.BaseHTTPResponse) -> Iterator[dict[str, str]]:
    """The blocks of the stream as a browser takes them apart, comments left out."""
    event: dict[str, str] = {}
    rest = b""
    for chunk in answer.stream(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.decode().partition(": ")
            if line and name:
                event[name] = value
            elif not line:
                if event:
                    yield event
                event = {}


def newest(station) -> int:
    rows = station.get("/v1/readings?order=newest&limit=1").json()["readings"]
    return rows[0]["seq"] if rows else 0


def send(station, *levels: int, camera: str = "default") -> None:
    for level in levels:
        assert station.post(image=b64(png(level)), camera=camera, wait=True).status == 200


def test_events_when_pictures_come_then_each_is_told_as_its_record(station):
    begin = newest(station)
    answer = listen(station, after=begin)
    stream = told(answer)
    send(station, 141, 142)
    events = [next(stream), next(stream)]
    answer.close()
    assert [int(event["id"]) for event in events] == [begin + 1, begin + 2]
    assert [json.loads(event["data"])["code"] for event in events] == ["G141", "G142"]
    assert {event["event"] for event in events} == {"reading"}


def test_events_when_a_listener_comes_back_again_and_again_then_no_gap_and_no_repeat(station):
    begin = position = newest(station)
    sender = threading.Thread(target=send, args=(station, *range(150, 162)))
    sender.start()
    heard: list[int] = []
    while len(heard) < 12:
        answer = listen(station, after=position)
        stream = told(answer)
        for _ in range(min(1 + len(heard) % 3, 12 - len(heard))):
            heard.append(int(next(stream)["id"]))
        position = heard[-1]
        answer.close()
    sender.join()
    assert heard == list(range(begin + 1, begin + 13))


def test_events_when_filtered_then_others_are_passed_over_and_not_told_later(station):
    begin = newest(station)
    send(station, 163, camera="default")
    send(station, 164, camera="press-3")
    answer = listen(station, query=f"?camera=press-3&after={begin}")
    event = next(told(answer))
    answer.close()
    assert (int(event["id"]), json.loads(event["data"])["code"]) == (begin + 2, "G164")


@pytest.mark.parametrize("given", ["nonsense", "-3", "9" * 40])
def test_events_when_last_id_is_none_of_ours_then_it_begins_now(station, given):
    begin = newest(station)
    answer = station.pool.request(
        "GET",
        "/v1/events",
        headers={"Last-Event-ID": given},
        preload_content=False,
        retries=False,
    )
    stream = blocks(answer)
    # Once it has begun to speak, it stands where it begins.
    assert set(next(stream)) == {"retry"}
    send(station, 165)
    event = next(stream)
    answer.close()
    assert int(event["id"]) == begin + 1


def test_events_when_every_seat_is_taken_then_told_so_and_one_that_leaves_makes_room(station):
    open_ones = [listen(station) for _ in range(20)]
    answer = station.get("/v1/events")
    assert answer.status == 503 and answer.json()["error"] == "too-many-streams"
    for one in open_ones:
        one.close()

    def free() -> bool:
        one = station.pool.request("GET", "/v1/events", preload_content=False, retries=False)
        one.close()
        return one.status == 200

    station.plant.wait_until(free, "a free seat")
