"""Decoding under a format: a constraint's automaton as masks over the tokens of a vocabulary.

A token may come next where the characters that it adds lead from the automaton's state to another
one. Masks are made when a state is first reached, and kept. `stages/recognisers/beams.py`
searches under them.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stages.formats import Constraint

_KEPT_CONSTRAINTS = 64


class Vocabulary:
    """What each token adds to a text, as a trie; made from a transformers tokenizer.

    A token that spells only a part of a character (bytes of UTF-8) adds nothing here, so a format
    with such characters is not steered into them.
    """

    def __init__(self, tokenizer: Any) -> None:
        special = frozenset(tokenizer.all_special_ids)
        anchor = [
            each for each in tokenizer.encode("0", add_special_tokens=False) if each not in special
        ][-1:]
        before = len(tokenizer.decode(anchor, skip_special_tokens=True))
        tokens = [each for each in range(len(tokenizer)) if each not in special]
        texts = tokenizer.batch_decode(
            [[*anchor, each] for each in tokens], skip_special_tokens=True
        )
        self.root = _Node()
        for token, text in zip(tokens, texts, strict=True):
            piece = text[before:]
            if piece and "\ufffd" not in piece:
                self.root.add(piece, token)


class Masks:
    """The tokens that a constraint allows in each of its states, and where they lead."""

    def __init__(self, vocabulary: Vocabulary, constraint: Constraint) -> None:
        self._root, self._constraint = vocabulary.root, constraint
        self._known: dict[tuple[int, bool], tuple[np.ndarray, list[int], list[str]]] = {}

    def allowed(self, state: int, *, first: bool) -> tuple[np.ndarray, list[int], list[str]]:
        """Token ids, the state after each, and the text that each adds.

        A `first` token may begin with spaces, which a transcript does not keep.
        """
        found = self._known.get((state, first))
        if found is None:
            tokens: list[int] = []
            states: list[int] = []
            texts: list[str] = []
            stack = [(self._root, state, "")]
            while stack:
                node, at, text = stack.pop()
                if text:
                    tokens += node.tokens
                    states += [at] * len(node.tokens)
                    texts += [text] * len(node.tokens)
                for char, below in node.below.items():
                    if first and not text and char.isspace():
                        stack.append((below, at, ""))
                        continue
                    after = self._constraint.step(at, char)
                    if after is not None:
                        stack.append((below, after, text + char))
            found = self._known[state, first] = (np.array(tokens, np.int64), states, texts)
        return found


class Steering:
    """The masks of the constraints in use, over one vocabulary, made when first needed."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._vocabulary: Vocabulary | None = None
        self._masks: OrderedDict[Constraint, Masks] = OrderedDict()

    def masks(self, constraint: Constraint) -> Masks:
        """The masks of a constraint."""
        if constraint in self._masks:
            self._masks.move_to_end(constraint)
            return self._masks[constraint]
        if self._vocabulary is None:
            self._vocabulary = Vocabulary(self._tokenizer)
        made = self._masks[constraint] = Masks(self._vocabulary, constraint)
        while len(self._masks) > _KEPT_CONSTRAINTS:
            self._masks.popitem(last=False)
        return made


@dataclass(slots=True)
class _Node:
    tokens: list[int] = field(default_factory=list)
    below: dict[str, _Node] = field(default_factory=dict)

    def add(self, piece: str, token: int) -> None:
        node = self
        for char in piece:
            node = node.below.setdefault(char, _Node())
        node.tokens.append(token)
