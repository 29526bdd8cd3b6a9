"""Drafts tried on pictures: every step shown, and the walk not disturbed."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from plants import Plant
from stations import RECIPE, Station, b64, end, launch, png
from workshops import OWN, bring, camera, opened, preview

__all__ = ["camera"]


HANG, CRASH = 22, 11


def test_preview_when_a_picture_is_brought_then_every_step_and_the_reading(station, camera):
    key = bring(station, camera, png(101)).json()["key"]
    rows = station.plant.query("SELECT COUNT(*) FROM rows")
    text = OWN.replace(
        "fields:", "preprocess: [{crop: {right_px: 4}}, {resize: {scale: 2}}]\nfields:"
    )
    answer = preview(station, camera, text, key)
    assert answer.status == 200, answer.body
    found = answer.json()
    assert [(frame["name"], frame["size"]) for frame in found["frames"]] == [
        (None, [64, 32]),
        ("crop", [60, 32]),
        ("resize", [120, 64]),
    ]
    (mark,) = found["marks"]
    # The first pixel is cubic's by now.
    assert mark["reading"]["status"] == "read" and mark["reading"]["code"].startswith("G")
    assert found["lines"][0]["shape"][0] == [0, 0] and mark["lines"] == [1]
    assert set(found["timings_ms"]) == {"decode", "preprocess", "detect", "recognise", "map"}
    assert station.plant.query("SELECT COUNT(*) FROM rows") == rows


def test_preview_when_a_step_does_not_fit_then_the_steps_before_it_are_shown(station, camera):
    key = bring(station, camera, png(101)).json()["key"]
    text = OWN.replace("fields:", "preprocess: [{invert: {}}, {crop: {left_px: 90}}]\nfields:")
    found = preview(station, camera, text, key).json()
    assert "frames" in found, found
    assert [frame["name"] for frame in found["frames"]] == [None, "invert"]
    assert found["failure"]["stage"] == "preprocess" and "[1] crop" in found["failure"]["reason"]


def test_preview_when_the_picture_is_broken_then_why(station, camera):
    key = bring(station, camera, png(101)[:60]).json()["key"]
    found = preview(station, camera, OWN, key).json()
    assert found["frames"] == [] and found["failure"]["stage"] == "decode"
    assert bring(station, camera, b"").json()["error"] == "no-picture"
    big = bring(station, camera, b"x" * 33_000_000)
    assert big.status == 413


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "brought-0", "", "a'--"])
def test_preview_when_the_key_is_nobodys_then_404(station, camera, key):
    assert preview(station, camera, OWN, key).status == 404


def test_preview_when_the_draft_is_wrong_then_its_complaint(station, camera):
    key = bring(station, camera, png(101)).json()["key"]
    answer = preview(station, camera, OWN + "thresold: 1\n", key)
    assert answer.status == 422 and "thresold" in answer.json()["detail"]


def test_pictures_when_a_camera_sent_some_then_the_newest_first_and_they_can_be_tried(station):
    for level in (101, 102):
        station.post(image=b64(png(level)), camera="press-3", wait=True, name="<b>.png")
    found = station.get("/v1/recipes/press-3/pictures").json()["pictures"]
    assert [each["code"] for each in found] == ["G102", "G101"]
    text = opened(station, "press-3")["text"]
    tried = preview(station, "press-3", text, found[1]["key"]).json()
    assert tried["marks"][0]["reading"]["code"] == "G101"


def test_pictures_when_many_are_brought_then_the_oldest_goes(station, camera):
    keys = [bring(station, camera, png(100 + at)).json()["key"] for at in range(9)]
    assert preview(station, camera, OWN, keys[0]).status == 404
    assert preview(station, camera, OWN, keys[-1]).status == 200


def children(plant: Plant) -> list[psutil.Process]:
    """The processes beside the flow, by their modest priority."""
    assert plant.process is not None
    every = psutil.Process(plant.process.pid).children()
    return [each for each in every if each.nice() > 0]


def test_preview_when_it_hangs_or_crashes_then_said_so_and_the_walk_is_not_disturbed(tmp_path):
    plant = launch(tmp_path / "plant", "preview_seconds: 6\n  max_connections_per_address: 60")
    try:
        station = Station(plant)
        hanging, fine, crashing = (
            bring(station, "press-3", png(level)).json()["key"] for level in (HANG, 103, CRASH)
        )
        assert preview(station, "press-3", RECIPE, fine).status == 200
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(preview, station, "press-3", RECIPE, hanging)
            read = station.post(image=b64(png(104)), camera="press-3", wait=True)
            assert read.status == 200 and not slow.done()
            assert slow.result().status == 504
        assert slow.result().json()["error"] == "too-slow"
        again = preview(station, "press-3", RECIPE, fine)
        assert again.status == 200, again.body
        died = preview(station, "press-3", RECIPE, crashing)
        assert died.status == 503 and died.json()["error"] == "preview-died"
        assert preview(station, "press-3", RECIPE, fine).status == 200
        # A stop does not wait for what hangs, and leaves nobody behind.
        beside = children(plant)
        assert beside
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(preview, station, "press-3", RECIPE, hanging)
            plant.wait_until(lambda: any(each.status() == "sleeping" for each in beside), "asked")
            begin = time.monotonic()
            assert plant.stop() == 0
            assert time.monotonic() - begin < 15
        assert psutil.wait_procs(beside, timeout=10)[1] == []
    finally:
        end(plant)


def test_form_data_when_it_has_no_file_then_refused(station, camera):
    answer = station.ask("POST", f"/v1/recipes/{camera}/pictures", fields={"a": "b"})
    assert answer.status == 422
    answer = station.ask(
        "POST",
        f"/v1/recipes/{camera}/pictures",
        body=io.BytesIO(b"x").read(),
        headers={"Content-Type": "image/png"},
    )
    assert answer.status == 415
