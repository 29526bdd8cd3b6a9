"""Scores: what counts as read, and which gain is clear."""

from __future__ import annotations

import pytest

from flows.proposing.scores import codes_seen, gain, longest_sure, scores


def test_gain_when_every_picture_gains_then_is_clear() -> None:
    assert gain([0.2, 0.3, 0.1], [0.8, 0.9, 0.95], 3).is_clear


def test_gain_when_one_picture_of_four_gains_then_is_not_clear() -> None:
    found = gain([0.2, 0.9, 0.9, 0.9], [0.9, 0.9, 0.9, 0.9], 4)
    assert found.mean == pytest.approx(0.175)
    assert not found.is_clear


def test_gain_when_small_then_counts_for_many_pictures_only() -> None:
    before, after = [0.5, 0.5, 0.5], [0.6, 0.6, 0.6]
    assert gain(before, after, 3).is_clear
    assert not gain(before, after, 2).is_clear
    assert not gain(before, after, 1).is_clear


def test_gain_when_negative_then_is_a_loss() -> None:
    found = gain([0.9, 0.9], [0.5, 0.6], 2)
    assert found.is_loss
    assert not found.is_clear


def test_score_when_code_is_known_then_sure_and_wrong_is_worst(line, picture) -> None:
    known = [picture(code="KX204817")]
    right, doubted, wrong, unread = (
        scores([each], known, [0])[0]
        for each in (line(), line(confidence=0.5), line("KX204811", 0.95), None)
    )
    assert right > doubted > unread > wrong


def test_score_when_code_is_unknown_then_part_of_a_text_scores_less_than_the_whole(
    line, picture
) -> None:
    whole, part = line("KX204817", 0.8), line("KX20", 0.99)
    longest = longest_sure([[whole], [part]], 1)
    assert longest == (8,)
    assert scores([whole], [picture()], longest) > scores([part], [picture()], longest)


def test_score_when_the_longer_text_is_unsure_then_does_not_count_as_the_whole(line) -> None:
    assert longest_sure([[line("KX204817KX204817", 0.2)], [line()]], 1) == (8,)


def test_code_when_words_stand_alike_in_every_picture_then_is_the_other_line(line, picture) -> None:
    words = line("GEARBOX12PCS", 0.99)
    seen = ((words, line("KX1", 0.9)), (words, line("KX2", 0.9)))
    chosen = codes_seen(seen, [picture(), picture()])
    assert [each.text for each in chosen] == ["KX1", "KX2"]


def test_code_when_another_line_holds_no_digit_then_is_the_one_with_digits(line, picture) -> None:
    seen = ((line("KEEPDRYALWAYS", 0.99), line("LOT1", 0.9)),)
    assert codes_seen(seen, [picture()])[0].text == "LOT1"


def test_code_when_known_then_is_the_nearest_line(line, picture) -> None:
    seen = ((line("EXP2027-03-14", 0.99), line("LOTK20431", 0.3)),)
    assert codes_seen(seen, [picture(code="LOTK20481")])[0].text == "LOTK20431"


def test_code_when_pictures_have_views_then_each_view_has_its_own(line, picture) -> None:
    pictures = [picture(code="A1"), picture(code="B2")]
    seen = tuple((line(text),) for text in ("A1", "B2", "A7", "B2", "A1", "B2"))
    chosen = codes_seen(seen, pictures)
    found = scores(chosen, pictures, [2, 2])
    assert found[0] == found[4] > found[2]
    assert found[1] == found[3] == found[5]


def test_code_when_same_text_in_views_of_one_picture_then_is_not_taken_for_words(
    line, picture
) -> None:
    seen = ((line("A1", 0.9), line("WORDS", 0.9)),) * 3
    assert {each.text for each in codes_seen(seen, [picture()])} == {"A1"}
