"""A short, seeded part of `make fuzz`: every target is reached, and finds nothing."""

from __future__ import annotations

import random

import fuzzing
import pytest
from fuzz_targets import targets

INPUTS = {"decode": 250, "endings": 200, "ledger, its bytes": 25, "ledger, its cells": 25}


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    return targets(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_fuzz_when_every_target_is_run_for_a_while_then_nothing_is_found(every):
    for target in every:
        ended, found, _ = fuzzing.fuzz(target, INPUTS.get(target.name, 60), seed=7)
        assert not found, f"{target.name}: {found[0].data[:300]!r}\n{found[0].trace}"
        # One that only ever refuses would be a fuzz of nothing.
        assert len(ended) >= 2, (target.name, ended)


def test_targets_when_listed_then_their_parts_are_all_inputs(every):
    assert sum(target.share for target in every) == pytest.approx(1.0)


def test_fuzz_when_a_target_is_broken_then_it_is_found_and_found_again():
    def run(data: bytes) -> str:
        if b"\xff" in data:
            raise ZeroDivisionError
        return "well"

    broken = fuzzing.Target("broken", 1.0, [b"abcdef"], [b"\xff"], run)
    first, again = fuzzing.fuzz(broken, 100, 1)[1], fuzzing.fuzz(broken, 100, 1)[1]
    assert first and first == again
    assert fuzzing.mutate(random.Random(1), broken) == fuzzing.mutate(random.Random(1), broken)
