"""The recipe editor in a real Chromium: a camera set up by mouse and by keys, by two at once."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from browsers import WAIT_MS, chromium
from PIL import Image
from plants import Plant
from playwright.sync_api import Browser, Page, expect
from stations import RECIPE, Station, end, launch, png

__all__ = ["chromium"]

SAMPLES = Path(__file__).resolve().parents[4] / "data" / "samples"
SITE = """
station: line-4
cluster: {scheduler: threads, threads: 1}
sinks: {mqtt: null, parquet: null}
intake: {settle_seconds: 0.1}
serve: {enabled: true, port: 0, trigger: {enabled: true, port: 0}}
"""
FIRST_MS = 90_000
"""The model is loaded twice: by the flow, and beside it."""

HOSTILE = "<img src=x onerror=pwned=1>"
OWN = f"""\
# Kept.
description: {HOSTILE}
fields:
  - detect: {{use: everything}}  # why
"""


@contextmanager
def opened(browser: Browser, station: Station, camera: str, **options) -> Iterator[Page]:
    """The editor with a camera's recipe; what it complains of must be nothing."""
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{station.port}",
        viewport={"width": 1280, "height": 960},
        **options,
    )
    context.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.goto(f"/recipes?camera={camera}")
    expect(page.locator("body[data-ready]")).to_be_attached(timeout=FIRST_MS)
    yield page
    assert page.evaluate("window.pwned") is None
    # A refusal that is answered in the page is told in the console, too.
    assert [words for words in complaints if "status of 4" not in words] == []
    context.close()


def bring(page: Page, name: str, content: bytes) -> None:
    chosen = {"name": name, "mimeType": "image/png", "buffer": content}
    page.locator("input[type=file]").set_input_files([chosen])


def drag(page: Page, start: tuple[float, float], stop: tuple[float, float]) -> None:
    """Drag over the large picture, from and to shares of its width and height."""
    box = page.locator("svg.overlay").bounding_box()
    assert box is not None
    (x1, y1), (x2, y2) = (
        (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, stop)
    )
    page.mouse.move(x1, y1)
    page.mouse.down()
    page.mouse.move((x1 + x2) / 2, (y1 + y2) / 2)
    page.mouse.move(x2, y2)
    page.mouse.up()


def text(page: Page) -> dict:
    return yaml.safe_load(page.locator("#text").input_value()) or {}


def settled(page: Page) -> None:
    """What was changed has been checked, and may be saved."""
    expect(page.locator("#save")).to_be_enabled()


def two_parts() -> bytes:
    """Two plates side by side: without a region nobody can say which of the marks is meant."""
    sheet = Image.new("L", (1000, 420), 90)
    for name, place in (("press-3-01.png", (0, 40)), ("labels-01.png", (520, 40))):
        with Image.open(SAMPLES / name) as part:
            sheet.paste(part.convert("L").resize((470, 320)), place)
    written = io.BytesIO()
    sheet.save(written, "PNG")
    return written.getvalue()


def test_editor_when_a_region_is_drawn_and_saved_then_the_line_reads_the_next_part_by_it(
    chromium, tmp_path
):
    plant = Plant(tmp_path / "plant")
    plant.configure(SITE, recipe="fields: [{map: {case: upper}}]\n")
    shutil.rmtree(plant.layout.recipes / "history", ignore_errors=True)
    plant.start()
    try:
        station = Station(plant)
        camera = plant.inbox("press-9")
        (plant.root / "a.png").write_bytes(two_parts())
        (plant.root / "a.png").rename(camera / "first.png")
        plant.wait_until(lambda: plant.reported() == 1, "read by the default")
        assert plant.query("SELECT status FROM rows") == [("unsure",)]
        with opened(chromium, station, "press-9") as page:
            expect(page.locator("#camera")).to_have_value("press-9")
            reading = page.locator("#reading")
            expect(reading.locator(".chip")).to_have_text("unsure", timeout=FIRST_MS)
            expect(reading).to_contain_text("2 lines may be the code")
            page.locator("#draw").click()
            drag(page, (0.01, 0.1), (0.48, 0.9))
            expect(reading.locator(".chip")).to_have_text("read", timeout=FIRST_MS)
            expect(reading.locator(".big")).to_have_text("KX204817")
            page.get_by_label("format", exact=True).fill("[A-Z]{2}\\d{6}")
            page.get_by_label("Try a code").fill("kx 20481")
            expect(page.locator(".try p")).to_contain_text("after 'KX20481' still comes [0-9]")
            settled(page)
            page.locator("#save").click()
            expect(page.locator("#save-state")).to_contain_text("Saved at")
        written = yaml.safe_load((plant.layout.recipes / "press-9.yaml").read_text())
        (step,) = written["preprocess"]
        x1, y1, x2, y2 = step["crop"]["box_px"]
        assert 0 <= x1 < 30 and 460 < x2 < 500 and y1 < 60 and y2 > 360
        assert written["fields"][0]["map"]["format"] == "[A-Z]{2}\\d{6}"
        plant.wait_until(lambda: plant.logged("recipe in force"), "the recipe taken up")
        (plant.root / "a.png").write_bytes(two_parts())
        (plant.root / "a.png").rename(camera / "second.png")
        plant.wait_until(lambda: plant.reported() == 2, "read by the new recipe")
        ((status, code),) = plant.query(
            "SELECT status, json_extract(record, '$.code') FROM rows"
            " WHERE json_extract(record, '$.image') LIKE 'second%'"
        )
        assert (status, code) == ("read", "KX204817")
        assert plant.stop() == 0
    finally:
        end(plant)


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    folder = tmp_path_factory.mktemp("editor") / "plant"
    plant = launch(folder, "requests_per_second: 500\n  max_connections_per_address: 60")
    try:
        yield Station(plant)
    finally:
        end(plant)


@pytest.fixture
def camera(station, request):
    name = f"cam-{abs(hash(request.node.name)) % 10**8}"
    (station.plant.layout.recipes / f"{name}.yaml").write_text(OWN)
    return name


def recipe(station: Station, camera: str) -> str:
    return (station.plant.layout.recipes / f"{camera}.yaml").read_text()


def test_editor_when_only_keys_are_used_then_a_recipe_is_made_and_saved(chromium, station, camera):
    with opened(chromium, station, camera) as page:
        bring(page, f"{HOSTILE}.png", png(101))
        expect(page.locator("#reading .big")).to_have_text("G101", timeout=FIRST_MS)
        page.locator("#add-step").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.type("keep a part")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        settled(page)
        assert text(page)["preprocess"] == [{"crop": {"box_px": [6, 3, 58, 29]}}]
        shape = page.locator("[data-handle]")
        expect(shape).to_have_count(9)
        page.locator("[data-handle='2']").focus()
        for key in ("ArrowRight", "ArrowDown", "Shift+ArrowLeft"):
            page.keyboard.press(key)
        page.locator("[data-handle='-1']").focus()
        page.keyboard.press("ArrowLeft")
        settled(page)
        assert text(page)["preprocess"] == [{"crop": {"box_px": [5, 3, 48, 30]}}]
        page.locator("#add-step").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.type("invert")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_label("Earlier: step 2, invert").focus()
        page.keyboard.press("Enter")
        settled(page)
        assert [*map(next, map(iter, text(page)["preprocess"]))] == ["invert", "crop"]
        expect(page.locator(".steps img")).to_have_count(2)
        page.keyboard.press("Control+s")
        expect(page.locator("#save-state")).to_contain_text("Saved at")
    # What the form does not know stands where it stood.
    kept = recipe(station, camera)
    assert kept.startswith("# Kept.\ndescription: <img") and "{use: everything}  # why" in kept
    assert "preprocess:\n  - invert: {}\n  - crop: {box_px: [5, 3, 48, 30]}\n" in kept


def test_editor_when_an_option_cannot_be_then_it_is_said_beside_it_and_not_saved(
    chromium, station, camera
):
    with opened(chromium, station, camera) as page:
        page.locator("#add-step").click()
        page.get_by_role("button", name="contrast").click()
        factor = page.get_by_label("factor", exact=True)
        settled(page)
        factor.fill("-3")
        option = page.locator(".option", has=factor)
        expect(option.locator(".refusal")).to_contain_text("greater than or equal to 0")
        expect(factor).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#save")).to_be_disabled()
        expect(page.locator("#save-state")).to_have_text("1 mistake")
        factor.fill("3")
        expect(option.locator(".refusal")).to_be_hidden()
        settled(page)
        page.locator("#text").fill("fields: [")
        expect(page.locator("#mistakes")).to_contain_text("is not valid YAML")
        page.get_by_role("button", name="Undo").click()
        settled(page)
        assert text(page)["preprocess"] == [{"contrast": {"factor": 3}}]
    assert recipe(station, camera) == OWN


def test_editor_when_two_save_one_recipe_then_the_second_sees_what_the_first_did(
    chromium, station, camera
):
    with (
        opened(chromium, station, camera) as one,
        opened(chromium, station, camera) as other,
    ):
        for page, words in ((one, "of one"), (other, "of the other")):
            page.get_by_label("description").fill(words)
            settled(page)
        one.locator("#save").click()
        expect(one.locator("#save-state")).to_contain_text("Saved at")
        other.locator("#save").click()
        dialog = other.get_by_role("dialog")
        expect(dialog).to_contain_text("Somebody else has saved this recipe meanwhile")
        expect(dialog).to_contain_text("- description: of one")
        expect(dialog).to_contain_text("+ description: of the other")
        dialog.get_by_role("button", name="Back to mine").click()
        assert "of one" in recipe(station, camera)
        other.locator("#save").click()
        dialog.get_by_role("button", name="Write mine over it").click()
        expect(other.locator("#save-state")).to_contain_text("Saved at")
        assert "of the other" in recipe(station, camera)
        # And what was there before is there again, once it is chosen and saved.
        other.get_by_label("Earlier texts").select_option(index=1)
        settled(other)
        other.locator("#save").click()
        expect(other.locator("#save-state")).to_contain_text("Saved at")
        assert "of one" in recipe(station, camera)


def test_editor_when_changes_are_not_saved_then_leaving_is_asked_about(chromium, station, camera):
    with opened(chromium, station, camera) as page:
        page.get_by_label("description").fill("something")
        settled(page)
        page.locator("#camera").select_option("default")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("not saved")
        dialog.get_by_role("button", name="Stay").click()
        expect(page.locator("#camera")).to_have_value(camera)
        page.locator("#camera").select_option("default")
        dialog.get_by_role("button", name="Drop them").click()
        expect(page.locator("#camera")).to_have_value("default")
        expect(page.locator("#text")).to_have_value(RECIPE)


def test_editor_when_a_recipe_cannot_be_opened_then_said_and_the_other_one_stays(
    chromium, station, camera
):
    (station.plant.layout.recipes / "torn.yaml").write_bytes(b"description: \xff\n")
    try:
        with opened(chromium, station, camera) as page:
            page.locator("#camera").select_option("torn")
            expect(page.get_by_text("torn: the recipe of torn is no UTF-8 text")).to_be_visible()
            expect(page.locator("#camera")).to_have_value(camera)
            expect(page.locator("#text")).to_have_value(OWN)
    finally:
        (station.plant.layout.recipes / "torn.yaml").unlink()


@pytest.mark.parametrize(
    ("operation", "places", "key"),
    [
        ("unroll arc", [(0.2, 0.6), (0.5, 0.2), (0.8, 0.6)], "centre_px"),
        ("perspective", [(0.1, 0.1), (0.9, 0.2), (0.9, 0.8), (0.1, 0.9)], "corners_px"),
        (
            "unroll polygon",
            [(0.1, 0.2), (0.5, 0.3), (0.9, 0.2), (0.9, 0.8), (0.1, 0.8)],
            "points_px",
        ),
    ],
)
def test_editor_when_a_shape_is_pressed_by_a_finger_then_the_step_has_it(
    chromium, station, camera, operation, places, key
):
    with opened(chromium, station, camera, has_touch=True) as page:
        bring(page, "a.png", png(101, size=(640, 480)))
        expect(page.locator("#reading .big")).to_have_text("G101", timeout=FIRST_MS)
        page.locator("#add-step").click()
        page.get_by_role("dialog").get_by_role("button", name=operation).click()
        page.get_by_role("button", name="Draw it anew").click()
        box = page.locator("svg.overlay").bounding_box()
        for x, y in places:
            page.touchscreen.tap(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if key == "points_px":
            page.get_by_role("button", name="Done").click()
        settled(page)
        ((_, options),) = text(page)["preprocess"][0].items()
        expect(page.locator("[data-handle='0']")).to_be_visible()
        if key == "centre_px":
            x, y = options["centre_px"]
            # Through (128, 288), (320, 96) and (512, 288): a circle about (320, 288).
            assert abs(x - 320) < 4 and abs(y - 288) < 4
            assert options["inner_radius_px"] < 192 < options["outer_radius_px"]
            assert abs(options["start_degrees"] + 90) < 2 and abs(options["end_degrees"] - 90) < 2
        else:
            assert len(options[key]) == len(places)
            assert abs(options[key][1][0] - places[1][0] * 640) < 4
        expect(page.locator(".steps img")).to_have_count(1)
