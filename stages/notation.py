r"""The notation of formats: a pattern -> a tree of characters, sequences, choices, repetitions.

It is the part of regular expressions that every engineer knows: characters (escaped where they
mean something), `\d` (ASCII digits), sets `[A-Z0-9]`, `(...)`, `(?:...)`, named segments
`(?P<lot>...)`, `|`, `?`, `*`, `+`, `{n}`, `{n,}`, `{,m}`, `{n,m}`. `^` at the start and `$` at
the end change nothing. What is accepted means the same to Python's `re` with `re.ASCII`; what is
not is refused with its position and what to write instead.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import NoReturn

MAX_LENGTH = 64
"""The most characters that a code may have; it also bounds `*` and `+`."""

_MAX_RANGE = 1_000
_MAX_DEPTH = 50
_COUNTS = re.compile(r"\{(?:([0-9]{1,4})|([0-9]{0,4}),([0-9]{0,4}))\}")


@dataclass(frozen=True, slots=True)
class Characters:
    """Any one of these characters."""

    chars: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part after another."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any one of these parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part from `low` to `high` times; None is without end."""

    part: Node
    low: int
    high: int | None


Node = Characters | Sequence | Choice | Repeat


def parse_format(pattern: str) -> Node:
    """Parse a format.

    Raises:
        ValueError: not in the notation; one line with the position, counted from 1.
    """
    if not pattern:
        raise ValueError("the format is empty; leave it out to allow any text")
    return _Parser(pattern).parse()


def segment_patterns(pattern: str) -> dict[str, str]:
    """The named segments of a format in the order of their names, each as a format of its own.

    Raises:
        ValueError: not in the notation; one line with the position, counted from 1.
    """
    parser = _Parser(pattern)
    parser.parse()
    return parser.segments


class _Parser:
    """Recursive descent; `at` is the index of the next character."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0
        self.segments: dict[str, str] = {}

    def refuse(self, problem: str, at: int | None = None) -> NoReturn:
        position = (self.at if at is None else at) + 1
        shown = self.pattern if self.pattern.isprintable() else ascii(self.pattern)[1:-1]
        raise ValueError(f"format '{shown}', position {position}: {problem}")

    def peek(self, size: int = 1) -> str:
        return self.pattern[self.at : self.at + size]

    def take(self, token: str) -> bool:
        if not self.pattern.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def parse(self) -> Node:
        for at, char in enumerate(self.pattern):
            if not char.isprintable():
                self.refuse(f"U+{ord(char):04X} cannot be printed; take it out", at)
        self.take("^")
        node = self.choice()
        if self.peek() == ")":
            self.refuse(r"this ')' closes nothing; write \) for the character")
        return node

    def choice(self) -> Node:
        parts = [self.sequence()]
        while self.take("|"):
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            if self.peek(2) == "$" and not self.depth:
                self.at += 1
                break
            parts.append(self.repeated(self.atom()))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def repeated(self, part: Node) -> Node:
        start = self.at
        if self.take("?"):
            low, high = 0, 1
        elif self.take("*"):
            low, high = 0, None
        elif self.take("+"):
            low, high = 1, None
        elif match := _COUNTS.match(self.pattern, self.at):
            exact, least, most = match.groups()
            self.at = match.end()
            low = int(exact or least or 0)
            high = int(exact) if exact else int(most) if most else None
        else:
            return part
        if high is not None and low > high:
            self.refuse(f"{low} is more than {high}", start)
        if max(low, high or 0) > MAX_LENGTH:
            self.refuse(f"a code has at most {MAX_LENGTH} characters", start)
        if self.peek() and self.peek() in "?*+{":
            self.refuse("two repetitions in a row; put the first in a group: (...)")
        return Repeat(part, low, high)

    def atom(self) -> Node:
        start = self.at
        if self.take("("):
            return self.group(start)
        if self.take("["):
            return self.set(start)
        if self.take("\\"):
            return Characters(self.escaped())
        char = self.peek()
        if char == ".":
            self.refuse(r"'.' is not supported; list the characters, as in [A-Z0-9], or write \.")
        if char in "?*+":
            self.refuse(f"nothing stands before '{char}' to repeat; write \\{char} for itself")
        if char in "{}]^$":
            self.refuse(f"'{char}' means nothing here; write \\{char} for the character")
        self.at += 1
        return Characters(frozenset(char))

    def group(self, start: int) -> Node:
        name = ""
        if self.take("?P<"):
            name, bracket, _ = self.pattern[self.at :].partition(">")
            if not bracket or not name.isidentifier():
                self.refuse("name a segment like (?P<lot>...), with letters, digits and _")
            if name in self.segments:
                self.refuse(f"a second segment is named '{name}'")
            self.segments[name] = ""
            self.at += len(name) + 1
        elif not self.take("?:") and self.peek() == "?":
            self.refuse("only (...), (?:...) and (?P<name>...) are supported", start)
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self.refuse(f"more than {_MAX_DEPTH} groups inside each other", start)
        inner = self.at
        node = self.choice()
        self.depth -= 1
        if name:
            self.segments[name] = self.pattern[inner : self.at]
        if not self.take(")"):
            self.refuse(r"this '(' is not closed; write \( for the character", start)
        return node

    def set(self, start: int) -> Node:
        chars: set[str] = set()
        if self.peek() == "^":
            self.refuse(r"[^...] is not supported; list what is allowed, or write \^")
        while not self.take("]"):
            at = self.at
            found = self.member(start, may_be_dash=not chars or self.peek(2) == "-]")
            if self.peek() == "-" and self.peek(2) != "-]":
                self.at += 1
                last = self.member(start, may_be_dash=False)
                if len(found) > 1 or len(last) > 1:
                    self.refuse(r"\d cannot be the end of a range", at)
                found = self.range(min(found), min(last), at)
            chars |= found
        if not chars:
            self.refuse(r"the set is empty; write \[ and \] for the characters", start)
        return Characters(frozenset(chars))

    def range(self, first: str, last: str, at: int) -> frozenset[str]:
        if first > last:
            self.refuse(f"the range {first}-{last} runs backwards", at)
        if ord(last) - ord(first) > _MAX_RANGE:
            self.refuse(f"the range has more than {_MAX_RANGE} characters", at)
        return frozenset(map(chr, range(ord(first), ord(last) + 1)))

    def member(self, start: int, *, may_be_dash: bool) -> frozenset[str]:
        if self.take("\\"):
            return self.escaped()
        char = self.peek()
        if not char:
            self.refuse(r"this '[' is not closed; write \[ for the character", start)
        # Python warns that `[`, `--`, `&&`, `||` and `~~` may get a meaning in sets.
        is_operator = char == "[" or (char in "&|~" and self.peek(2) == char * 2)
        if is_operator or (char == "-" and not may_be_dash):
            self.refuse(f"write \\{char} for the character itself in a set")
        self.at += 1
        return frozenset(char)

    def escaped(self) -> frozenset[str]:
        char = self.peek()
        if not char:
            self.refuse(r"a lone \ at the end; write \\ for the character", self.at - 1)
        if char != "d" and char not in string.punctuation + " ":
            self.refuse(f"\\{char} is not supported; list the characters, as in [A-Z0-9]")
        self.at += 1
        return frozenset(string.digits if char == "d" else char)
