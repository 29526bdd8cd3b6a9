"""A scan of an inbox: what is yielded, in which order, and when it is looked at again."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from made import Clock

from flows.sources.looks import Looks
from flows.sources.names import Names
from flows.sources.scan import TURN, Scan

INTERVAL = 1.0
RESCAN = 30.0


def a_scan(inbox: Path, clock: Clock) -> Scan:
    return Scan(Names(str(inbox), ("png",), ()), INTERVAL, RESCAN, clock.tick)


def fill(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.png").write_bytes(b"x")


def test_walk_when_one_camera_has_a_backlog_then_the_others_do_not_wait_for_its_end(
    tmp_path: Path,
) -> None:
    for name in ("a", "b", "c"):
        fill(tmp_path / name, 5 * TURN)
    fill(tmp_path / "new", 1)
    found = [arrival.camera for arrival in a_scan(tmp_path, Clock()).walk(full=True)]
    assert len(found) == 15 * TURN + 1
    assert found.index("new") <= 3 * TURN
    for name in ("a", "b", "c"):
        assert found.index(name) <= 3 * TURN + 1


def test_walk_when_a_look_is_due_before_its_end_then_it_is_taken_in_between(tmp_path: Path) -> None:
    clock = Clock()
    scan = a_scan(tmp_path, clock)
    fill(tmp_path / "new", 1)
    assert len(list(scan.walk(full=True))) == 1
    fill(tmp_path / "full", 20 * TURN)
    walk = scan.walk(full=False)
    seen = [next(walk)]
    clock.seconds += INTERVAL
    while seen[-1].camera != "new":
        seen.append(next(walk))
    # This slice, the next, and the first file of the backlog, whose look is due as well.
    assert len(seen) <= 2 * TURN + 2
    assert len({arrival.path for arrival in [*seen, *walk]}) == 20 * TURN + 1


def test_visit_when_a_folder_comes_then_its_files_are_seen_once_until_the_next_look(
    tmp_path: Path,
) -> None:
    clock = Clock()
    scan = a_scan(tmp_path, clock)
    fill(tmp_path / "full", 3 * TURN)
    walk = scan.walk(full=True)
    next(walk)
    (tmp_path / "new" / "deep").mkdir(parents=True)
    fill(tmp_path / "new" / "deep" / "er", 2)
    (tmp_path / "new" / ".hidden").symlink_to(tmp_path / "full")
    assert {Path(seen.path).name for seen in scan.visit(str(tmp_path / "new"))} == {
        "0.png",
        "1.png",
    }
    # Neither the rest of this walk nor the next one tells of them a moment later.
    rest = [*walk, *scan.walk(full=True), *scan.look()]
    assert "new" not in {seen.camera for seen in rest}
    clock.seconds += INTERVAL
    assert [seen.camera for seen in scan.look()].count("new") == 2


def test_visit_when_the_folder_is_ignored_a_link_or_elsewhere_then_nothing(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    scan = Scan(Names(str(inbox), ("png",), ("~*",)), INTERVAL, RESCAN, Clock().tick)
    fill(inbox / "~draft", 1)
    fill(tmp_path / "elsewhere", 1)
    (inbox / "link").symlink_to(tmp_path / "elsewhere")
    for folder in (inbox / "~draft", inbox / "link", tmp_path / "elsewhere", inbox / "gone"):
        assert not list(scan.visit(str(folder)))


def test_look_when_a_file_stays_then_the_pauses_double_until_a_walk_is_sooner(
    tmp_path: Path,
) -> None:
    clock = Clock()
    scan = a_scan(tmp_path, clock)
    fill(tmp_path / "camera", 1)
    list(scan.walk(full=True))
    looks = []
    for second in range(1, 100):
        clock.seconds += 1.0
        looks += [second for _ in scan.look()]
    assert looks == [1, 3, 7, 15, 31]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["plan", "drop", "due"]),
            st.integers(0, 5),
            st.integers(0, 20),
        ),
        max_size=60,
    )
)
def test_looks_when_planned_and_dropped_at_will_then_each_is_due_once_at_its_last_time(
    acts: list[tuple[str, int, int]],
) -> None:
    looks, model, now = Looks(), dict[str, float](), 0.0
    for act, number, time in acts:
        path = f"/{number % 2}/{number}"
        if act == "plan":
            looks.plan(path, now + time)
            model[path] = now + time
        elif act == "drop":
            looks.drop(path)
            model.pop(path, None)
        else:
            now += time
            due = {path for path, at in model.items() if at <= now}
            found = looks.due(now, most=number)
            assert len(found) == min(number, len(due))
            assert set(found) <= due
            assert len(set(found)) == len(found)
            for path in found:
                del model[path]
    assert set(looks.due(1e9, most=100)) == set(model)
