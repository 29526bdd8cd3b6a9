"""Suspects: who is next, and who is let go."""

from __future__ import annotations

from made import image

from flows.chunks import Waiting
from flows.suspects import Suspects


def fresh(number, **changes):
    return Waiting(image(number), 0, **changes)


def test_next_when_some_failed_more_often_then_the_likeliest_to_be_sound_is_first():
    suspects = Suspects()
    often = fresh(1).failed("once").failed("twice")
    once, later = fresh(2).failed("once"), fresh(3).failed("once")
    suspects.add([often, once, later])
    assert suspects.next() is once
    suspects.remove([once])
    assert suspects.next() is later
    assert len(suspects) == 2


def test_beside_when_the_guilty_one_is_known_then_those_of_the_same_death_are_innocent():
    suspects = Suspects()
    guilty, innocent = fresh(1).lost("died", 7), fresh(2).lost("died", 7)
    other, failed = fresh(3).lost("died", 8), fresh(4).failed("the engine says no")
    suspects.add([innocent, other, failed])
    assert suspects.beside(guilty) == [innocent]
    assert suspects.beside(guilty.failed("died alone")) == []
    assert suspects.beside(fresh(5).lost("died", None)) == []


def test_lost_when_it_was_spared_before_then_it_must_prove_itself_alone():
    spared = fresh(1).lost("died", 7).acquitted()
    assert (spared.attempts, spared.suspect) == (0, False)
    again = spared.lost("died", 9)
    assert (again.attempts, again.suspect, again.beside) == (1, True, None)
