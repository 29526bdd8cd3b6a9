"""Flights: what shares a process, and who is blameless when it ends."""

from __future__ import annotations

from concurrent.futures import Future

from made import image

from flows.chunks import Waiting
from flows.flights import Flight, Flights


def fly(flights, *, life=1, deadline=10.0, alone=False, apart=False):
    future = Future()
    number = len(flights) + 1
    flight = Flight((Waiting(image(number), 0),), deadline, alone, apart, life)
    flights.sent(future, flight)
    return future


def test_sharing_when_one_is_apart_or_elsewhere_then_it_shares_nothing():
    flights = Flights()
    here, also = fly(flights), fly(flights)
    fly(flights, life=2)
    apart = fly(flights, alone=True, apart=True)
    assert flights.sharing(1) == [flights[here], flights[also]]
    assert flights.alone is flights[apart]
    assert flights.pictures == len(flights) == 4
    flights.landed(apart)
    assert flights.alone is None


def test_excuse_when_a_process_dies_then_only_its_first_chunks_are_suspect():
    flights = Flights()
    done, first, second, third, elsewhere = (fly(flights, life=1 + (n == 4)) for n in range(5))
    done.set_result([])
    first.set_exception(RuntimeError("died"))
    flights.excuse_late_comers(1, begun=2)
    excused = [flights[one].blameless for one in (done, first, second, third, elsewhere)]
    assert excused == [False, False, False, True, False]


def test_overdue_when_one_is_late_then_it_is_told_once_and_the_others_are_blameless():
    flights = Flights()
    hung, behind = fly(flights, deadline=5.0), fly(flights, deadline=9.0)
    elsewhere = fly(flights, life=2)
    assert flights.overdue(5.0) == {}
    assert list(flights.overdue(5.1)) == [hung]
    assert flights.overdue(8.0) == {}
    excused = [flights[one].blameless for one in (hung, behind, elsewhere)]
    assert excused == [False, True, False]


def test_overdue_when_it_was_apart_then_nobody_else_is_concerned():
    flights = Flights()
    fly(flights, alone=True, apart=True, deadline=5.0)
    line = fly(flights)
    assert len(flights.overdue(6.0)) == 1
    assert not flights[line].blameless
