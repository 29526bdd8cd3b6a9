"""The search: which steps it keeps, given what each trial reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.configuration.choices import RecogniserChoice
from flows.configuration.recipes import load_files
from flows.configuration.settings import Layout
from flows.proposing import search as searching
from flows.proposing.search import Found, search
from flows.proposing.trials import Line
from stages.decode import DecodeOptions


def turned(line: Line) -> Line:
    """The same line, read upside down."""
    a, b, c, d = line.outline
    return Line(line.text, line.confidence, (c, d, a, b))


@pytest.fixture
def found(monkeypatch, line, picture) -> Callable[..., Found]:
    """Searches among trials of which `read(steps, number)` says what they read in a picture."""

    def run(read: Callable[[list[str], int], Line | None], pictures: int = 4) -> Found:
        def lines_of(image, recipe, options):
            own = [step.name for step in recipe.preprocess if step.name != "resize"]
            one = read(own, int(image.id[-4:]))
            return () if one is None else (one,)

        monkeypatch.setattr(searching, "lines_of", lines_of)
        bare = load_files(Layout(Path("/nowhere")), "default", [], RecogniserChoice(use="trocr"))
        shown = [picture(number=number) for number in range(pictures)]
        return search(shown, bare, DecodeOptions(), lambda words: None)

    return run


def steps(found: Found) -> list[str]:
    return [step.name for step in found.trial.steps]


def moving(number: int) -> tuple[float, float]:
    """Places all over the picture, so that no part of it is kept."""
    return [(50, 50), (800, 700), (50, 700), (800, 50)][number % 4]


def test_search_when_nothing_can_gain_then_tries_no_filter(found, line) -> None:
    result = found(lambda own, number: line(f"KX{number}", 0.99, at=moving(number)))
    assert steps(result) == []
    assert "clahe" not in {each.name for each in result.attempts}


def test_search_when_a_filter_helps_every_picture_then_keeps_it_alone(found, line) -> None:
    def read(own, number):
        return line(f"KX{number}", 0.9 if "clahe" in own else 0.4, at=moving(number))

    result = found(read)
    assert steps(result) == ["clahe"]
    assert result.before == pytest.approx(0.4)
    assert result.after == pytest.approx(0.9)


def test_search_when_a_filter_helps_one_picture_of_four_then_leaves_it_out(found, line) -> None:
    def read(own, number):
        trust = 0.9 if "clahe" in own and number == 0 else 0.5
        return line(f"KX{number}", trust, at=moving(number))

    assert steps(found(read)) == []


def test_search_when_two_filters_help_together_then_keeps_both(found, line) -> None:
    def read(own, number):
        trust = 0.3 + 0.3 * ("illumination" in own) + 0.2 * ("median" in own)
        return line(f"KX{number}", trust, at=moving(number))

    assert steps(found(read)) == ["illumination", "median"]


def test_search_when_a_filter_no_longer_helps_beside_a_later_one_then_drops_it(found, line) -> None:
    def read(own, number):
        # which gain differs from picture to picture: too much for median alone to be clear
        alone = [0.45, 0.95, 0.45, 0.95][number]
        trust = {(): 0.4, ("illumination",): 0.7, ("median",): alone}
        return line(f"KX{number}", trust.get(tuple(own), 0.8), at=moving(number))

    def with_median_better(own, number):
        if own == ["illumination", "median"]:
            return line(f"KX{number}", [0.85, 0.95, 0.85, 0.95][number], at=moving(number))
        if set(own) - {"illumination", "median"}:
            return line(f"KX{number}", 0.3, at=moving(number))
        return read(own, number)

    result = found(with_median_better)
    [dropped] = [each for each in result.attempts if each.name == "without illumination"]
    assert "no clear loss" in dropped.verdict
    assert steps(result) == ["median"]


def test_search_when_a_turn_makes_sure_but_the_text_does_not_run_that_way_then_leaves_it_out(
    found, line
) -> None:
    def read(own, number):
        return line(f"KX{number}", 0.99 if "rotate" in own else 0.4, at=moving(number))

    result = found(read)
    assert steps(result) == []
    assert any("does not run that way" in each.verdict for each in result.attempts)


def test_search_when_text_is_found_upside_down_then_turns_the_picture(found, line) -> None:
    def read(own, number):
        return turned(line(f"KX{number}", 0.95, at=moving(number)))

    result = found(read)
    assert [step.options.degrees for step in result.trial.steps] == [180]


def test_search_when_text_stays_in_its_place_then_keeps_that_part_before_all_else(
    found, line
) -> None:
    def read(own, number):
        one = line(f"KX{number}", 0.95 if "crop" in own else 0.9, at=(400, 300))
        return turned(one)

    assert steps(found(read)) == ["crop", "rotate"]


def test_search_when_a_part_reads_worse_then_keeps_the_whole_picture(found, line) -> None:
    def read(own, number):
        return line(f"KX{number}", 0.5 if "crop" in own else 0.9, at=(400, 300))

    assert steps(found(read)) == []


def test_search_when_there_is_no_text_then_ends_without_a_step(found) -> None:
    result = found(lambda own, number: None)
    assert steps(result) == []
    assert (result.before, result.after, set(result.lines)) == (0.0, 0.0, {None})
