"""Sessions: granted for the token, known again, and ended by time or by another token."""

from __future__ import annotations

from datetime import timedelta

import pytest
from made import Clock
from stations import Station, end, launch

from flows.serve.sessions import Sessions

TOKEN = "a-token-that-is-long-enough"


def scope(cookie: str = "", *, scheme: str = "http", port: int = 8790) -> dict:
    headers = [(b"cookie", cookie.encode("latin-1"))] if cookie else []
    return {"type": "http", "scheme": scheme, "server": ("127.0.0.1", port), "headers": headers}


def granted(sessions: Sessions, **place) -> str:
    return sessions.grant(scope(**place)).partition(";")[0]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock) -> Sessions:
    return Sessions(TOKEN, 30, clock)


def test_session_when_granted_then_held_until_its_time_is_over(sessions, clock):
    cookie = granted(sessions)
    assert sessions.holds(scope(cookie)) and sessions.holds(scope(f"a=b; {cookie}; c=d"))
    clock.now += timedelta(days=30) - timedelta(seconds=1)
    assert sessions.holds(scope(cookie))
    clock.now += timedelta(seconds=1)
    assert not sessions.holds(scope(cookie))


def test_session_when_the_token_changes_then_over_and_after_a_restart_not(sessions, clock):
    cookie = granted(sessions)
    assert Sessions(TOKEN, 30, clock).holds(scope(cookie))
    assert not Sessions(TOKEN + "x", 30, clock).holds(scope(cookie))
    assert not Sessions(None, 30, clock).holds(scope(cookie))
    assert Sessions(None, 30, clock).grant(scope()) is None


def test_session_when_made_up_or_prolonged_by_hand_then_not_held(sessions):
    name, _, value = granted(sessions).partition("=")
    ends, _, signature = value.partition(".")
    later = int(ends) + 1
    for forged in (
        "",
        ".",
        f".{signature}",
        f"{ends}.",
        f"{later}.{signature}",
        f"{ends}.{signature[:-1]}",
        f"-1.{signature}",
        f"{'9' * 400}.{signature}",
        f"\u00b2.{signature}",
        TOKEN,
    ):
        assert not sessions.holds(scope(f"{name}={forged}"))
    assert not sessions.holds(scope("markwatch-8790"))
    assert not sessions.holds(scope('=;;"\\'))


def test_session_when_granted_then_only_for_this_station_and_out_of_reach_of_scripts(sessions):
    told = sessions.grant(scope())
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(told.split("; "))
    assert "Secure" not in told and "Secure" in sessions.grant(scope(scheme="https"))
    assert TOKEN not in told
    assert granted(sessions, port=8790).split("=")[0] != granted(sessions, port=8791).split("=")[0]
    assert "Max-Age=0" in sessions.end(scope())


def test_station_when_signed_in_then_the_cookie_opens_it_and_changes_want_our_header(tmp_path):
    plant = launch(tmp_path / "plant", MARKWATCH__SERVE__TOKEN=TOKEN)
    try:
        station = Station(plant, TOKEN)
        bare = {"Authorization": ""}
        assert station.get("/", headers=bare).status == 200
        assert station.get("/v1/board", headers=bare).status == 401
        assert station.ask("POST", "/v1/session", headers=bare).status == 401
        answer = station.ask("POST", "/v1/session")
        assert answer.status == 204
        cookie = {**bare, "Cookie": answer.headers["set-cookie"].partition(";")[0]}
        assert station.get("/v1/board", headers=cookie).json()["locked"] is True
        refused = station.ask("POST", "/v1/readings/x/reread", headers=cookie)
        assert refused.status == 403
        ours = {**cookie, "X-Markwatch": "1"}
        assert station.ask("POST", "/v1/readings/x/reread", headers=ours).status == 404
        gone = station.ask("DELETE", "/v1/session", headers=ours)
        assert gone.status == 204 and "Max-Age=0" in gone.headers["set-cookie"]
        assert plant.stop() == 0
    finally:
        end(plant)
