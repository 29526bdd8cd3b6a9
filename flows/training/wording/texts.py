"""What a mark says: (rng) -> text, from formats of real marks and at random, "" for nothing.

A text has at most `MAX_LENGTH` characters of `ALPHABET`, and no space first, last or twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase, digits

import numpy as np

from flows.training.wording import checked, words
from flows.training.wording.grammars import GROUPS
from flows.training.wording.languages import LOOK_ALIKES, Language
from stages.formats import Constraint

PUNCTUATION = "-./:+&()#,*%$=_'\"@!?<>[];°€£"
ALPHABET = digits + ascii_uppercase + ascii_lowercase + PUNCTUATION + " "
MAX_LENGTH = 24

BLANK = 0.03
FORMATTED = 0.6
_SINGLE = 0.025
_LOOK_ALIKE = 0.1
_RUN = 0.16
_SPACED = 0.12

_LENGTHS = np.cumsum([1.5, 2, 3.5, 6, 8, 9, 9, 9, 8, 8, 7, 6, *[3.5] * 4, *[2] * 8])
_COMMON = "-./:+()#"
_CHARSETS: tuple[tuple[float, str], ...] = (
    (26, digits),
    # codes are mostly made without the letters that pass for digits
    (20, "ABCDEFGHJKLMNPRSTUVWXYZ" + digits),
    (10, ascii_uppercase + digits),
    (8, ascii_uppercase),
    (5, digits * 4 + "-./:,"),
    (8, (ascii_uppercase + digits) * 3 + _COMMON * 2),
    (6, ascii_uppercase + ascii_lowercase + digits),
    (3, ascii_lowercase),
    (4, ALPHABET.replace(" ", "")),
    (4, "".join(sorted(LOOK_ALIKES - {"l"}))),
    (2, "O0QDCUIl1iLtTjJS5sB83Z2z7G6q9gVvUuXxKkPpWwcoCMmNn"),
    (3, "1Il.-:i'!7/,;J"),
    (2, "0123456789ABCDEF"),
    (2.5, digits + ascii_uppercase + ascii_lowercase + PUNCTUATION * 2),
)
_CHARSET_AT = np.cumsum([weight for weight, _ in _CHARSETS])
_SINGLES = digits * 6 + ascii_uppercase * 3 + ascii_lowercase + "1I.-" * 6 + PUNCTUATION

_MADE: tuple[tuple[float, Callable[[np.random.Generator], str]], ...] = (
    (12, checked.dated),
    (2.5, checked.vin),
    (2.5, checked.container),
    (3, checked.elements),
    (11, words.words),
)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where formatted texts come from: a function, or the languages of a group of formats."""

    make: Callable[[np.random.Generator], str] | None
    languages: tuple[Language, ...] = ()

    def sample(self, rng: np.random.Generator) -> str:
        if self.make is not None:
            return self.make(rng)
        language = self.languages[int(rng.random() * len(self.languages))]
        return language.sample(rng, look_alikes=_LOOK_ALIKE)


class Texts:
    """The texts to train with; of the given formats only, where there are any.

    `alphabet` restricts the characters; `blank` is the share of "".

    Raises:
        ValueError: the alphabet has characters that no mark here may have, none besides the space,
            or a format has no text of at most `MAX_LENGTH` of its characters.
    """

    def __init__(
        self,
        alphabet: Collection[str] = ALPHABET,
        formats: Sequence[Constraint] = (),
        blank: float = BLANK,
    ) -> None:
        self.alphabet = frozenset(alphabet)
        if unknown := self.alphabet - set(ALPHABET):
            raise ValueError(f"not in the training alphabet: {''.join(sorted(unknown))}")
        if not self.alphabet - {" "}:
            raise ValueError("the alphabet has no character to write")
        self._blank = blank
        self._formats = tuple(Language(each, self.alphabet, MAX_LENGTH) for each in formats)
        self._sources: list[_Source] = []
        weights = []
        if not self._formats:
            for group in GROUPS:
                languages = tuple(filter(None, map(self._language, group.formats)))
                if languages:
                    self._sources.append(_Source(None, languages))
                    weights.append(group.weight)
            for weight, make in _MADE:
                self._sources.append(_Source(make))
                weights.append(weight)
        self._at = np.cumsum(weights)
        self._charsets = [
            "".join(char for char in charset if char in self.alphabet) for _, charset in _CHARSETS
        ]
        self._any = "".join(sorted(self.alphabet - {" "}))
        self._singles = "".join(char for char in _SINGLES if char in self.alphabet) or self._any

    def _language(self, pattern: str) -> Language | None:
        try:
            return Language.of(pattern, self.alphabet, MAX_LENGTH)
        except ValueError:
            return None

    def sample(self, rng: np.random.Generator) -> str:
        """One text, or "" for a picture in which nothing is to be read."""
        if rng.random() < self._blank:
            return ""
        if self._formats:
            return self._formats[int(rng.random() * len(self._formats))].sample(rng, _LOOK_ALIKE)
        if rng.random() < FORMATTED:
            for _ in range(4):
                at = int(np.searchsorted(self._at, rng.random() * self._at[-1], side="right"))
                text = " ".join(self._sources[at].sample(rng).split())
                if 0 < len(text) <= MAX_LENGTH and self.alphabet.issuperset(text):
                    return _with_run(rng, text) if rng.random() < _RUN else text
        return self._random(rng)

    def _random(self, rng: np.random.Generator) -> str:
        """Characters without any order, so that the model looks rather than guesses."""
        random = rng.random
        if random() < _SINGLE:
            return self._singles[int(random() * len(self._singles))]
        length = 1 + int(np.searchsorted(_LENGTHS, random() * _LENGTHS[-1], side="right"))
        at = int(np.searchsorted(_CHARSET_AT, random() * _CHARSET_AT[-1], side="right"))
        charset = self._charsets[at] or self._any
        chars = [charset[int(each * len(charset))] for each in random(length)]
        if random() < _RUN:
            chars = list(_with_run(rng, "".join(chars)))
        if length > 3 and " " in self.alphabet and random() < _SPACED:
            for _ in range(1 + int(random() * 2)):
                place = 1 + int(random() * (length - 2))
                if " " not in chars[place - 1 : place + 2]:
                    chars[place] = " "
        return "".join(chars)


def _with_run(rng: np.random.Generator, text: str) -> str:
    """The text with two to six of one digit or letter in a row: readers lose count of them."""
    start = int(rng.random() * len(text))
    end = min(len(text), start + 2 + int(rng.random() * 5))
    if not text[start].isalnum():
        return text
    char = "0" if text[start].isdigit() and rng.random() < 0.5 else text[start]
    return text[:start] + char * (end - start) + text[end:]
