"""What every source owes, whatever it sees: run over all entry points of `markwatch.sources`.

A source that can be fed by a test has a feeder here, by its name; the others are held to the part
of the contract that needs no picture.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from flows.care.sightings import STEM, is_canary, new_name
from stages.options import Options
from stages.ports import Perch, ScanEnd, Site, Trouble
from stages.records import Arrival, Hint

POINTS = {point.name: point for point in importlib.metadata.entry_points(group="markwatch.sources")}
HEAVY = ("watchdog", "numpy.testing", "torch", "dask", "pyarrow", "paho")


def drop(root: Path, number: int) -> Path:
    path = root / "data" / "inbox" / "press-3" / f"{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"picture")
    return path


FEEDERS: dict[str, Callable[[Path, int], Path]] = {"folder": drop}
HASTE: dict[str, dict[str, object]] = {"folder": {"rescan_seconds": 0.2}}


@pytest.fixture(params=sorted(POINTS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def feeder(name: str) -> Callable[[Path, int], Path]:
    if name not in FEEDERS:
        pytest.skip(f"no feeder for the source {name}")
    return FEEDERS[name]


@pytest.fixture
def made(name: str, tmp_path: Path) -> Iterator[object]:
    plugin = POINTS[name].load()
    yield plugin(plugin.Options(**HASTE.get(name, {})), Site("station-1", str(tmp_path)))


def test_source_when_loaded_then_its_options_are_frozen_and_described(name: str) -> None:
    options = POINTS[name].load().Options
    assert issubclass(options, Options)
    assert options.model_config["frozen"] and options.model_config["extra"] == "forbid"
    assert all(field.description for field in options.model_fields.values())


def test_source_when_its_module_is_imported_then_no_heavy_library_is(name: str) -> None:
    module = POINTS[name].value.partition(":")[0]
    code = f"import sys, {module}; print([n for n in {HEAVY!r} if n in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_source_when_asked_for_its_folders_then_they_are_paths_and_not_made(
    name: str, tmp_path: Path
) -> None:
    plugin = POINTS[name].load()
    folders = plugin.folders(plugin.Options(), Site("station-1", str(tmp_path)))
    assert all(isinstance(folder, Path) for folder in folders)
    assert list(tmp_path.iterdir()) == []


def test_source_when_made_then_nothing_is_touched(name: str, tmp_path: Path, made: object) -> None:
    assert list(tmp_path.iterdir()) == []


def test_source_when_entered_and_left_without_reading_then_no_thread_is_left(made: object) -> None:
    before = set(threading.enumerate())
    with made as entered:
        assert entered is made
    assert set(threading.enumerate()) == before


def test_source_when_stop_is_set_already_then_nothing_is_yielded(made: object) -> None:
    stop = threading.Event()
    stop.set()
    with made:
        assert list(made.arrivals(stop)) == []


def test_source_when_it_has_nothing_to_see_and_is_stopped_then_it_returns_soon(
    made: object,
) -> None:
    before = set(threading.enumerate())
    stop, returned = threading.Event(), threading.Event()

    def listen() -> None:
        for _ in made.arrivals(stop):
            pass
        returned.set()

    with made:
        thread = threading.Thread(target=listen)
        thread.start()
        # Long enough for it to have begun; it must be waiting by now.
        assert not returned.wait(0.3)
        begun = time.monotonic()
        stop.set()
        assert returned.wait(10)
        assert time.monotonic() - begun < 2
        thread.join()
    assert set(threading.enumerate()) == before


def test_source_when_it_is_left_while_being_read_then_the_reading_ends(
    made: object, feeder: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    feeder(tmp_path, 1)
    with made:
        arrivals = made.arrivals(threading.Event())
        next(arrivals)
    assert list(arrivals) == []


def test_source_when_pictures_come_then_each_is_yielded_again_and_again(
    made: object, feeder: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    waiting = str(feeder(tmp_path, 1))
    times = {waiting: 0}
    ends = []
    stop = threading.Event()
    with made:
        for seen in made.arrivals(stop):
            if isinstance(seen, ScanEnd):
                assert times[waiting] >= 1
                ends.append(seen.files)
                continue
            if isinstance(seen, Trouble):
                assert seen.words is None or seen.words
                continue
            assert isinstance(seen, Arrival)
            assert seen.hint in get_args(Hint)
            assert Path(seen.path).is_absolute()
            assert seen.camera == "press-3"
            # Of a file that is being written anything may be seen; of one at rest, what it is.
            found = Path(seen.path).stat()
            whole = (seen.size, seen.mtime_ns) == (found.st_size, found.st_mtime_ns)
            assert whole or seen.hint == "changed"
            times[seen.path] += 1
            if len(times) == 1:
                times[str(feeder(tmp_path, 2))] = 0
            if min(times.values()) >= 2 and 2 in ends:
                stop.set()
    assert len(times) == 2


def test_source_when_it_offers_a_perch_then_a_canary_written_there_is_seen_and_no_other_name(
    name: str, made: object, tmp_path: Path
) -> None:
    plugin = POINTS[name].load()
    if not hasattr(plugin, "perch"):
        pytest.skip(f"the source {name} offers no place for a canary")
    perch = plugin.perch(plugin.Options(), Site("station-1", str(tmp_path)), STEM)
    assert isinstance(perch, Perch) and perch.scan_seconds > 0 and perch.poll_seconds > 0
    assert list(tmp_path.iterdir()) == []
    perch.folder.mkdir(parents=True)
    staged = perch.folder / f".{new_name(perch.suffix)}.part"
    staged.write_bytes(b"canary")
    with made:
        arrivals = made.arrivals(threading.Event())
        seen = next(each for each in arrivals if isinstance(each, ScanEnd))
        assert seen.files == 0
        final = perch.folder / new_name(perch.suffix)
        staged.rename(final)
        found = next(each for each in arrivals if isinstance(each, Arrival))
        assert Path(found.path).name == final.name and is_canary(found.path)


def test_source_when_it_is_entered_again_then_it_sees_again(
    made: object, feeder: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    path = feeder(tmp_path, 1)
    for _ in range(2):
        with made:
            assert next(made.arrivals(threading.Event())).path == str(path)
