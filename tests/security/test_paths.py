"""No path outside the roots: what somebody with the right to write into an inbox can try."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import Clock, image, picture, report

from flows.archive import Archive
from flows.clocks import Clocks
from flows.configuration import recipes
from flows.configuration.choices import RecogniserChoice
from flows.configuration.settings import IntakeOptions, Layout
from flows.files.opening import open_regular, without_links
from flows.files.sidecar import expected_of
from flows.intake import Intake
from flows.ledger.log import Ledger
from stages.decode import DecodeOptions, decode
from stages.errors import ImageError
from stages.records import Arrival

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


@pytest.fixture
def root(tmp_path):
    layout = Layout(tmp_path / "root")
    layout.work.mkdir(parents=True)
    clock = Clock()
    with Ledger(layout.ledger, clock, root=layout.root) as ledger:
        yield layout, Intake(layout, ledger, IntakeOptions(), Clocks(clock, clock.tick)), ledger


def arrival(path: Path) -> Arrival:
    about = os.lstat(path)
    return Arrival(str(path), "cam", about.st_size, about.st_mtime_ns, "renamed")


def drop(layout: Layout, name: str = "part.png") -> Path:
    return picture(layout.root / "data" / "inbox" / "cam" / name, 1)


def test_claim_when_the_folder_has_become_a_link_then_nothing_outside_is_moved(root, tmp_path):
    layout, intake, _ = root
    path = drop(layout)
    private = tmp_path / "private"
    path.parent.rename(private)
    # The very file that was seen, but now by way of a link.
    path.parent.symlink_to(private, target_is_directory=True)
    (private / "part.png.expected").write_text("K1")
    intake.observe(arrival(path))
    assert intake.claim(10) == []
    assert sorted(each.name for each in private.iterdir()) == ["part.png", "part.png.expected"]
    assert "symbolic link" in str(intake.trouble)


def test_claim_when_the_picture_has_become_a_link_then_what_it_names_stays_and_is_not_read(
    root, tmp_path
):
    layout, intake, _ = root
    path = drop(layout)
    secret = tmp_path / "secret.png"
    path.rename(secret)
    path.symlink_to(secret)
    intake.observe(arrival(path))
    assert intake.claim(10) == []
    assert path.is_symlink()
    assert secret.exists()


def test_expected_when_the_file_beside_is_a_link_then_the_other_file_is_not_told(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("root:x:0:0")
    work = tmp_path / "0193.png"
    (tmp_path / "0193.png.expected").symlink_to(secret)
    assert expected_of(work) is None
    assert secret.read_text() == "root:x:0:0"


def test_expected_when_it_holds_escapes_then_they_are_text(tmp_path):
    (tmp_path / "0193.png.expected").write_bytes(b"K1\x1b[2J\n")
    assert expected_of(tmp_path / "0193.png") == r"K1\x1b[2J"


@pytest.mark.parametrize("kind", ["pipe", "folder", "socket", "link to a pipe"])
def test_open_when_it_is_no_plain_file_then_is_refused_without_waiting(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            here = os.getcwd()
            os.chdir(tmp_path)
            try:
                made.bind("x")
            finally:
                os.chdir(here)
    else:
        os.mkfifo(tmp_path / "pipe")
        (path.symlink_to if kind.startswith("link") else lambda to: to.rename(path))(
            tmp_path / "pipe"
        )
    ended = threading.Event()

    def attempt() -> None:
        with pytest.raises(OSError, match=r"link|regular|device|directory"):
            open_regular(path)
        ended.set()

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    assert ended.wait(10), "it waits for a writer"
    thread.join()


def test_without_links_when_nothing_is_a_link_then_the_file_is_the_same(tmp_path):
    path = tmp_path / "deep" / "er" / "x"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"1")
    with without_links(path) as same:
        assert same.samefile(path)
        same.rename(same.with_name("y"))
    assert path.with_name("y").read_bytes() == b"1"
    with pytest.raises(FileNotFoundError), without_links(tmp_path / "none" / "x"):
        pass


def test_claim_when_the_picture_has_another_hard_link_then_that_one_keeps_its_bytes(root, tmp_path):
    layout, intake, _ = root
    path = drop(layout)
    other = tmp_path / "other.png"
    os.link(path, other)
    before = other.read_bytes(), other.stat().st_mode
    intake.observe(arrival(path))
    (claimed,) = intake.claim(10)
    assert not path.exists()
    assert (other.read_bytes(), other.stat().st_mode) == before
    assert Path(claimed.path).is_relative_to(layout.work)


EVIL = st.one_of(
    st.text(max_size=300).filter(lambda text: "\0" not in text),
    st.sampled_from(
        ["..", ".", "...", "ü" * 200, "../..", "../../etc/passwd", "/etc/passwd", "a/../../b",
         "~root", "..\\..\\x", "C:\\x", "\\\\host\\share", "x/", "/", "-rf", "%2e%2e%2f", " ", ""]
    ),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(camera=EVIL, name=EVIL)
def test_archive_when_camera_and_name_are_anything_then_the_target_stays_in_its_folder(
    root, camera, name
):
    layout, _, ledger = root
    try:
        (camera + name).encode()
    except UnicodeEncodeError:
        return
    target = Archive(layout, ledger).target(report(1, camera=camera, name=name))
    whole = Path(os.path.normpath(layout.root / target))
    assert whole.is_relative_to(layout.archive)
    assert len(whole.relative_to(layout.archive).parts) == 5
    assert all(len(part.encode()) <= 255 for part in whole.parts)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(camera=EVIL)
def test_recipe_when_the_camera_is_called_like_a_way_out_then_only_recipes_are_opened(root, camera):
    layout = root[0]
    layout.recipes.mkdir(parents=True, exist_ok=True)
    (layout.conf / "outside.yaml").write_text("this: is no recipe")
    chosen = recipes._file_of(layout, camera)
    assert chosen is None
    assert recipes._file_of(layout, "../outside") is None


def test_recipe_when_there_is_none_for_the_camera_then_the_default_is_loaded(root):
    layout = root[0]
    layout.recipes.mkdir(parents=True)
    (layout.conf / "outside.yaml").write_text("this: is no recipe")
    loaded = recipes.load(layout, "../outside", RecogniserChoice(use="trocr"))
    assert loaded.name == "default"


def test_decode_when_the_claimed_file_is_a_folder_then_it_is_an_image_error(tmp_path):
    with pytest.raises(ImageError, match="not a regular file"):
        decode(image(path=str(tmp_path)), DecodeOptions())


def test_claim_when_a_name_is_as_long_as_can_be_then_it_is_claimed_all_the_same(root):
    layout, intake, _ = root
    path = drop(layout, "n" * 251 + ".png")
    intake.observe(arrival(path))
    (claimed,) = intake.claim(10)
    assert claimed.expected is None and claimed.sha256
