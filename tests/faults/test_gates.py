"""The fault harness in small: each gate with a few seeded faults. `make faults` does it in full."""

from __future__ import annotations

import random
import sqlite3
import threading
from contextlib import contextmanager

import pytest
from faults.account import account
from faults.filesystem import Change, Model
from faults.gate import NotHereError, Trial, chosen, gates
from faults.pictures import RECIPE, SITE, drop

from flows import watch
from flows.commands.running import clocks
from flows.configuration import settings
from flows.ledger.log import Ledger

FAILING = SITE + "delivery: {backoff_seconds: 0.01, max_backoff_seconds: 0.05}\n"


@pytest.mark.faults
@pytest.mark.parametrize("gate", gates(), ids=lambda gate: f"{gate.number}-{gate.title}")
def test_gate_when_run_in_small_then_it_holds(gate, tmp_path):
    with Trial(tmp_path, scale=0) as trial:
        try:
            figures = gate.run(trial)
        except NotHereError as reason:
            pytest.skip(str(reason))
    assert figures.size
    assert figures.line()


def test_chosen_when_a_number_names_no_gate_then_it_is_refused():
    assert [gate.number for gate in chosen("12 1")] == [12, 1]
    with pytest.raises(ValueError, match="no gate 99; there are 1, "):
        chosen("99")


@pytest.mark.parametrize("world", ["ordered", "strict"])
def test_model_when_the_power_is_cut_then_only_what_was_fsynced_is_sure(tmp_path, world):
    before, root = tmp_path / "before", tmp_path / "root"
    before.mkdir()
    root.mkdir()
    path, other = str(root / "a").encode(), str(root / "b").encode()
    calls = [
        Change("o", 5, 0o101, path, b""),
        Change("w", 5, 0, b"sure", b""),
        Change("s", 5, 0, b"", b""),
        Change("o", 6, 0, str(root).encode(), b""),
        Change("s", 6, 0, b"", b""),
        Change("w", 5, 4, b", not", b""),
        Change("r", 0, 0, path, other),
    ]
    model = Model(root, before)
    for call in calls:
        model.apply(call, world)
    found = set()
    for seed in range(60):
        model.cut(world, random.Random(seed))
        (left,) = root.iterdir()
        found.add((left.name, left.read_bytes()))
    assert found == {(name, text) for name in "ab" for text in (b"sure", b"sure, not")}


@pytest.mark.faults
def test_watch_when_any_ledger_write_may_fail_then_all_is_read_once_without_a_restart(
    tmp_path, monkeypatch
):
    chance = random.Random(7)
    real = Ledger._transaction
    failed = []

    @contextmanager
    def full(self):
        if armed and chance.random() < 0.3:
            failed.append(1)
            raise sqlite3.OperationalError("database or disk is full")
        with real(self) as db:
            yield db

    armed = []
    monkeypatch.setattr(Ledger, "_transaction", full)
    monkeypatch.setattr(watch, "TRY_AGAIN_SECONDS", 0.01)
    with Trial(tmp_path, scale=0) as trial:
        plant = trial.plant("plant", FAILING, RECIPE)
        flow = watch.Watch(plant.layout, settings.load(plant.root), clocks())
        thread = threading.Thread(target=flow.run)
        thread.start()
        plant.wait_until(lambda: plant.layout.ledger.exists() and plant.status(), "the start")
        armed.append(True)
        dropped = [drop(plant.inbox(f"cam-{n % 3}"), n) for n in range(60)]
        plant.wait_until(lambda: plant.reported() == 60, "all to be read")
        armed.clear()
        flow.stop()
        thread.join()
        account(plant, dropped).done()
    assert len(failed) > 20
