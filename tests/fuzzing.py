"""Fuzzing by mutation: seeded, so that what was found once is found again.

A target takes bytes and must end well or with the one error that it is allowed. Most inputs are
good ones with a few changes (bits, runs, lengths, pieces of other inputs and of a dictionary): what
is random from its first byte is refused at its first byte, and finds nothing.

    python tests/fuzzing.py [INPUTS] [SEED] prints the figures of every target.
"""

from __future__ import annotations

import random
import re
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

INPUTS = 120_000
LONGEST_SECONDS = 20.0
MOST_BYTES = 1 << 19
_TOKEN = re.compile(rb"[\w.+-]+")
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Target:
    """Something to be fuzzed: `run` gives a word for how an input ended."""

    name: str
    share: float
    """Its part of all inputs."""
    seeds: Sequence[bytes]
    words: Sequence[bytes]
    run: Callable[[bytes], str]


@dataclass(frozen=True, slots=True)
class Found:
    """An input that did not end as it must."""

    target: str
    number: int
    data: bytes
    trace: str


def mutate(chance: random.Random, target: Target) -> bytes:
    """A seed with some changes."""
    data = bytearray(chance.choice(target.seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(11):
            case 0 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case 1 if data:
                data[at % len(data)] = chance.randrange(256)
            case 2:
                del data[at : at + chance.choice((1, 2, 4, 16, 256))]
            case 3:
                data[at:at] = bytes([chance.randrange(256)]) * chance.choice((1, 4, 64, 1024))
            case 4:
                word = chance.choice(target.words) if target.words else b"\0"
                data[at : at + chance.choice((0, len(word)))] = word
            case 5:
                size = chance.choice((1, 2, 4, 8))
                value = chance.choice(INTERESTING) & (256**size - 1)
                data[at : at + size] = value.to_bytes(size, chance.choice(("big", "little")))
            case 6:
                other = chance.choice(target.seeds)
                begin = chance.randrange(len(other) + 1)
                data[at : at + 64] = other[begin : begin + chance.choice((8, 64, 512))]
            case 7:
                del data[at:]
            case 8 | 9 if tokens := list(_TOKEN.finditer(data)):
                token, other = chance.choice(tokens), chance.choice(tokens)
                data[token.start() : token.end()] = chance.choice([*target.words, other[0]])
            case _:
                piece = bytes(data[at : at + chance.choice((4, 32, 256))])
                data[at:at] = piece * chance.choice((1, 2, 20))
    return bytes(data[:MOST_BYTES])


def fuzz(target: Target, inputs: int, seed: int) -> tuple[Counter[str], list[Found], float]:
    """Run so many inputs; how they ended, which did not end well, and the slowest in seconds."""
    chance = random.Random(f"{target.name} {seed}")
    ended: Counter[str] = Counter()
    found: list[Found] = []
    slowest = 0.0
    for number in range(inputs):
        data = mutate(chance, target)
        begin = time.perf_counter()
        try:
            ended[target.run(data)] += 1
        except Exception:
            found.append(Found(target.name, number, data, traceback.format_exc(limit=-4)))
            ended["FOUND"] += 1
        took = time.perf_counter() - begin
        if took > LONGEST_SECONDS:
            found.append(Found(target.name, number, data, f"took {took:.1f} s"))
        slowest = max(slowest, took)
    return ended, found, slowest


def main(inputs: int = INPUTS, seed: int = 1) -> int:
    """Fuzz every target and print a table; 1 if one found something."""
    from fuzz_targets import targets

    everything: list[Found] = []
    total = 0
    _say(f"{'target':<22}{'inputs':>9}{'seconds':>9}{'slowest':>10}  how they ended")
    with tempfile.TemporaryDirectory() as folder:
        for target in targets(Path(folder)):
            begin = time.monotonic()
            count = int(inputs * target.share)
            ended, found, slowest = fuzz(target, count, seed)
            total += count
            everything += found
            words = ", ".join(f"{word} {number}" for word, number in ended.most_common())
            spent = time.monotonic() - begin
            _say(f"{target.name:<22}{count:>9}{spent:>9.0f}{slowest:>8.2f} s  {words}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    _say(f"{total} inputs, seed {seed}, {len(everything)} found, {peak} MB at most")
    shown: set[str] = set()
    for each in everything:
        last = each.trace.strip().splitlines()[-1]
        if last not in shown:
            shown.add(last)
            _say(f"\n{each.target} #{each.number}: {each.data[:200]!r}\n{each.trace}")
    return 1 if everything else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # As `pythonpath` of pytest has it.
    here = Path(__file__).resolve()
    sys.path[:0] = [str(here.parents[1]), str(here.parent)]
    sys.exit(main(*(int(word) for word in sys.argv[1:])))
