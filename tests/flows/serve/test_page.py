"""The live page in a real Chromium: what an operator sees, and what hostile parts cannot do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browsers import WAIT_MS, chromium
from made import picture
from plants import Plant
from playwright.sync_api import Browser, Page, expect
from stations import RECIPE, Station, end, launch

__all__ = ["chromium"]

QUICK = {"MARKWATCH__INTAKE__SETTLE_SECONDS": "0.1"}
TOKEN = "a-token-that-is-long-enough"
MARKUP, LONG = 97, 98
OUTSIDE = "preprocess: [crop: {box_px: [500, 500, 600, 600]}]\n" + RECIPE
NONE = "\N{EN DASH}"
DRAWN = "document.querySelector('#list img')?.naturalWidth > 0"
HOSTILE = "<img src=x onerror=pwned=1>.png"


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "plant"
    plant = launch(folder, "requests_per_second: 500", **QUICK)
    (plant.layout.recipes / "torn.yaml").write_text(OUTSIDE)
    try:
        yield plant
    finally:
        end(plant)


@pytest.fixture(scope="module")
def station(plant) -> Station:
    return Station(plant)


@pytest.fixture
def page(chromium: Browser, station: Station):
    """The live page, opened; what it complains of must be nothing."""
    context = chromium.new_context(base_url=f"http://127.0.0.1:{station.port}")
    context.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto("/")
    page.evaluate("window.same = true")
    yield page
    assert page.evaluate("window.pwned") is None
    assert complaints == []
    context.close()


def drop(plant: Plant, level: int, name: str, camera: str = "press-3") -> None:
    """Put a whole picture into the inbox, as a camera does that renames it there."""
    folder = plant.inbox(camera)
    made = picture(plant.root / "made.png", level)
    made.rename(folder / name)


def item(page: Page, name: str):
    """The readings of the picture of this name."""
    return page.locator("#list li").filter(has=page.get_by_text(name, exact=True))


def focused(page: Page) -> str:
    words = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText"
    return page.evaluate(words)


def test_page_when_no_picture_came_yet_then_it_says_where_to_put_one(page):
    expect(page.locator("#empty")).to_contain_text("data/inbox/CAMERA/")
    expect(page.locator("#frame [role=status]")).to_contain_text("Watching")
    expect(page).to_have_title("st · markwatch")


def test_page_when_a_picture_is_dropped_then_it_appears_without_reload(page, plant):
    drop(plant, 101, "first.png")
    newest = item(page, "first.png")
    expect(newest.locator(".code")).to_have_text("G101")
    expect(newest.locator(".chip")).to_have_text("read")
    expect(newest.locator(".camera")).to_have_text("press-3")
    expect(page.locator("#empty")).to_be_hidden()
    drop(plant, 102, "second.png")
    expect(page.locator("#list li").first.locator(".code")).to_have_text("G102")
    expect(page.locator("#shift tr.all td").first).to_have_text("2")
    plant.wait_until(lambda: page.evaluate(DRAWN), "the crop")
    assert page.evaluate("window.same")
    assert page.locator("#list li").count() == 2


def test_page_when_a_reading_is_opened_then_its_picture_leads_to_the_recipe_editor(page, plant):
    drop(plant, 104, "tuned.png")
    drop(plant, 105, "newer.png")
    expect(item(page, "newer.png")).to_be_visible()
    item(page, "tuned.png").locator("button").click()
    page.get_by_role("link", name="Open in the recipe editor").click()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("ul.pictures [aria-pressed=true]")).to_have_attribute("title", "tuned.png")


def test_page_when_a_picture_failed_then_its_reason_and_a_button_that_has_it_read(page, plant):
    drop(plant, 103, "torn.png", "torn")
    failed = page.locator("#failures-list li").filter(has_text="torn.png")
    expect(failed.locator(".why")).to_contain_text("not inside this picture of 64 x 32 pixels")
    expect(item(page, "torn.png").locator(".chip")).to_have_text("failed")
    # Read again under the same recipe it fails again, and says so.
    failed.get_by_role("button", name="Read again").click()
    plant.wait_until(
        lambda: plant.query("SELECT 1 FROM rows WHERE status='failed' AND id LIKE '%-2-1'"),
        "the second try",
    )
    before = len(plant.logged("recipe in force"))
    (plant.layout.recipes / "torn.yaml").write_text(RECIPE)
    plant.wait_until(lambda: len(plant.logged("recipe in force")) > before, "the recipe")
    again = failed.get_by_role("button", name="Read again")
    expect(again).to_be_enabled()
    again.press("Enter")
    expect(page.locator("#failures")).to_be_hidden()
    expect(item(page, "torn.png").first.locator(".code")).to_have_text("G103")
    expect(item(page, "torn.png").last).to_have_class(re.compile("superseded"))
    expect(page.locator("#shift tr").filter(has_text="torn").locator("td").last).to_have_text(NONE)
    assert page.evaluate("window.same")


def test_page_when_names_and_texts_are_markup_then_they_are_only_text(page, plant, station):
    drop(plant, MARKUP, HOSTILE, "<b onmouseover=pwned=1>x")
    shown = item(page, HOSTILE)
    expect(shown.locator(".code")).to_contain_text(
        "<script>window.pwned=1</script><img/src=x/onerror=pwned=1>"
    )
    expect(shown.locator(".camera")).to_have_text("<b onmouseover=pwned=1>x")
    expect(shown.locator(".file")).to_have_text(HOSTILE)
    expect(page.locator("#shift a").filter(has_text="onmouseover")).to_be_visible()
    (plant.inbox("press-3") / "broken").write_text("no picture")
    (plant.inbox("press-3") / "broken").rename(plant.inbox("press-3") / f"2{HOSTILE}")
    expect(page.locator("#failures-list .code").filter(has_text=f"2{HOSTILE}")).to_be_visible()
    shown.locator("button").click()
    expect(page.locator("#details-head")).to_contain_text("<script>")
    expect(page.locator("#details dd").filter(has_text=HOSTILE)).to_be_visible()
    page.keyboard.press("Escape")
    page.goto("/?camera=%3Cscript%3Epwned=1%3C/script%3E#reading=%3Cimg%20src=x%3E")
    expect(page.locator("#details")).to_contain_text("there is no reading '<img src=x>'")
    page.goto("/#reading=%E0%A4%A")
    expect(page.locator("#details")).to_contain_text("This reading cannot be shown")
    page.keyboard.press("Escape")
    assert page.locator("main b, main script, img[src='x']").count() == 0
    for attack in (
        "document.body.innerHTML = '<img src=x onerror=pwned=1>'",
        "document.body.append(Object.assign(document.createElement('script'), {text: 'pwned=1'}))",
    ):
        with pytest.raises(Exception, match="Trusted"):
            page.evaluate(f"() => {{ {attack} }}")


def test_page_when_codes_are_very_long_then_nothing_grows_out_of_the_screen(page, plant):
    drop(plant, LONG, "long.png")
    expect(item(page, "long.png").locator(".code")).to_have_attribute("data-length", "long")
    for width in (1920, 820, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_page_when_walked_by_keyboard_then_all_of_it_is_reached_and_left(page, plant):
    expect(page.locator("#list li").first).to_be_visible()
    page.keyboard.press("Tab")
    assert focused(page) == "To the content"
    walked = []
    for _ in range(9):
        page.keyboard.press("Tab")
        walked.append(focused(page).partition("\n")[0])
        if page.evaluate("document.activeElement.classList.contains('reading')"):
            break
    assert {"Live", "Recipes", "Hold"} <= set(walked), walked
    for _ in range(page.locator("#list li").count()):
        page.keyboard.press("ArrowDown")
        if "second.png" in focused(page):
            break
    second = page.evaluate("document.activeElement.dataset.id")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    expect(dialog).to_contain_text(second)
    expect(dialog.locator("#picture img")).to_be_visible()
    box = dialog.locator("#picture svg polygon.region").bounding_box()
    assert box and box["width"] > 100
    page.keyboard.press("ArrowLeft")
    expect(dialog).not_to_contain_text(second)
    page.keyboard.press("ArrowRight")
    expect(dialog).to_contain_text(second)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page).not_to_have_url(re.compile("#reading"))
    small = page.locator("button:visible, select:visible, a:visible:not(td a, th a, #skip)")
    heights = [one.bounding_box()["height"] for one in small.all()]
    assert heights and min(heights) >= 44


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_when_light_or_dark_then_every_text_keeps_its_contrast(page, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    expect(page.locator("#list li").first).to_be_visible()
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == (scheme == "dark")
    assert page.evaluate("getComputedStyle(document.querySelector('.reading')).animationName") == (
        "none"
    )
    low = page.evaluate(Path(__file__).with_name("contrast.js").read_text())
    assert low == []


def test_page_when_held_then_new_readings_wait(page, plant):
    expect(page.locator("#list li").first).to_be_visible()
    before = page.locator("#list li").count()
    page.get_by_role("button", name="Hold", exact=True).click()
    drop(plant, 111, "held.png")
    going_on = page.get_by_role("button", name="Go on (1 new)")
    expect(going_on).to_have_attribute("aria-pressed", "true")
    assert page.locator("#list li").count() == before
    going_on.click()
    expect(item(page, "held.png").locator(".code")).to_have_text("G111")


def test_page_when_the_station_restarts_then_it_says_so_and_goes_on(page, plant, station):
    expect(page.locator("#list li").first).to_be_visible()
    shown = page.locator("#list li").count()
    assert plant.stop() == 0
    banner = page.locator("#away")
    expect(banner).to_contain_text("The station has not answered since")
    restart(plant, station)
    expect(banner).to_be_hidden()
    drop(plant, 112, "after.png")
    expect(item(page, "after.png").locator(".code")).to_have_text("G112")
    ids = page.locator("#list button").evaluate_all("all => all.map((one) => one.dataset.id)")
    assert len(ids) == len(set(ids)) == shown + 1
    assert page.evaluate("window.same")


def test_page_when_a_token_is_wanted_then_it_is_asked_for_once_and_kept_from_scripts(
    page, plant, station
):
    assert plant.stop() == 0
    restart(plant, station, MARKWATCH__SERVE__TOKEN=TOKEN)
    field = page.get_by_label("Token", exact=True)
    field.fill("not-the-token-at-all")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="not the token")).to_be_visible()
    field.fill(TOKEN)
    page.keyboard.press("Enter")
    expect(field).to_be_hidden()
    drop(plant, 113, "locked.png")
    expect(item(page, "locked.png").locator(".code")).to_have_text("G113")
    plant.wait_until(lambda: page.evaluate(DRAWN), "the crop")
    kept = page.evaluate("[document.cookie, JSON.stringify(sessionStorage), location.href]")
    assert not any(TOKEN in words for words in kept) and kept[0] == ""
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and TOKEN not in cookie["value"]
    page.get_by_role("button", name="Sign out").click()
    expect(field).to_be_visible()
    assert page.context.cookies() == []


def restart(plant: Plant, station: Station, **environment: str) -> None:
    """Start it again at the same place."""
    conf = plant.layout.conf / "markwatch.yaml"
    text = conf.read_text().replace("  port: 0\n", f"  port: {station.port}\n", 1)
    conf.write_text(text)
    plant.start(**QUICK, **environment)
