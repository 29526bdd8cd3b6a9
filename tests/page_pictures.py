"""Makes docs/page.png, docs/page-dark.png and docs/editor.png, and measures the first load.

    PYTHONPATH=.:tests python tests/page_pictures.py

A real station reads the sample pictures while Chromium looks on; nothing in the pictures is made up
but the length of the shift, of which a few minutes fill the trend.
"""

from __future__ import annotations

import csv
import shutil
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from browsers import find_chromium
from PIL import Image
from plants import Plant, wait_until
from playwright.sync_api import Browser, Page, sync_playwright

from flows.commands.broker import EmbeddedBroker

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "data" / "samples"
SIZE = {"width": 1440, "height": 900}
COLOURS = 128
LOADS = 5
SITE = """
station: hall-2
cluster: {{scheduler: threads, threads: 1}}
intake: {{settle_seconds: 0.2, max_in_flight: 2}}
sinks: {{mqtt: {{host: 127.0.0.1, port: {port}}}}}
serve: {{enabled: true, port: 0, shift_starts: ['{start}', '{end}'], requests_per_second: 500}}
"""
FIRST_LOAD = """() => new Promise((done) => {
  const look = () => {
    const images = [...document.querySelectorAll("#list img")];
    if (!document.querySelector("#list li") || !images[0]?.complete) return setTimeout(look, 5);
    const files = performance.getEntries().filter((one) =>
      one.entryType === "navigation" || /[.](js|css|svg)$/.test(one.name));
    done({
      files: files.length,
      bytes: files.reduce((sum, one) => sum + one.encodedBodySize, 0),
      load: performance.getEntriesByType("navigation")[0].loadEventEnd,
      reading: performance.now(),
    });
  };
  look();
})"""


def main() -> None:
    """Run the station, look at it, and print what the first load took."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedBroker(port=0) as broker:
        plant = Plant(Path(folder) / "plant")
        shutil.copytree(ROOT / "conf" / "recipes", plant.layout.recipes, dirs_exist_ok=True)
        now = datetime.now()
        times = {"start": f"{now:%H:%M}", "end": f"{now + timedelta(minutes=6):%H:%M}"}
        plant.configure(SITE.format(port=broker.port, **times))
        plant.start()
        try:
            plant.wait_for("watching")
            address = plant.wait_for("serving")["url"]
            with sync_playwright() as playwright:
                path = find_chromium()
                browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
                look(plant, browser, address)
                edit(plant, browser, address)
                measure(browser, address)
                browser.close()
            plant.stop()
        finally:
            if plant.process is not None:
                plant.kill()


def look(plant: Plant, browser: Browser, address: str) -> None:
    """Let the samples come while the page is open, and keep two pictures of it."""
    page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
    page.goto(address)
    with (SAMPLES / "expected.csv").open(newline="", encoding="utf-8") as file:
        samples = [(row["camera"], row["file"]) for row in csv.DictReader(file)]
    # As they would come: all cameras in turn, and one that is hard to read on the way.
    samples.sort(key=lambda sample: (sample[1][-6:-4], sample[0]))
    last = samples.pop(samples.index(("press-3", "press-3-06.webp")))
    samples.append(last)
    torn = plant.inbox("castings") / "torn.png"
    for number, (camera, name) in enumerate(samples):
        if number == len(samples) - 4:
            torn.write_bytes((SAMPLES / "castings-01.png").read_bytes()[:30_000])
        shutil.copy(SAMPLES / name, plant.inbox(camera) / name)
        done = number + 1 + (number >= len(samples) - 4)
        wait_until(lambda done=done: plant.reported() >= done, name)
    newest = page.locator("#list li").first
    newest.filter(has_text=last[1]).wait_for()
    page.wait_for_timeout(2500)
    seen = "[...document.querySelectorAll('#list li:nth-child(-n+8) img')]"
    wait_until(lambda: page.evaluate(f"{seen}.every((one) => one.complete)"), "all crops")
    keep(page, "page.png")
    page.emulate_media(color_scheme="dark")
    keep(page, "page-dark.png")
    page.close()


def edit(plant: Plant, browser: Browser, address: str) -> None:
    """Keep a picture of the recipe editor: a mark round a ring, and the polygon that unrolls it."""
    recipe = ROOT / "conf" / "recipes" / "hard-turning.example.yaml"
    shutil.copy(recipe, plant.layout.recipes / "hard-turning.yaml")
    done = plant.reported()
    shutil.copy(SAMPLES / "hard-turning.png", plant.inbox("hard-turning") / "hard-turning.png")
    wait_until(lambda: plant.reported() > done, "the ring")
    page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
    page.goto(f"{address}recipes?camera=hard-turning")
    page.locator("#reading .big").filter(has_text="HT04812509KA70416").wait_for(timeout=90_000)
    page.locator(".steps .title").nth(2).click()
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(500)
    keep(page, "editor.png")
    page.close()


def keep(page: Page, name: str) -> None:
    """Write a picture of what is seen into docs/, in few colours."""
    path = ROOT / "docs" / name
    page.screenshot(path=path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLOURS)
    small.save(path, optimize=True)
    sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB\n")


def measure(browser: Browser, address: str) -> None:
    """Print the first load of the page with an empty cache, the median of some."""
    found = []
    for _ in range(LOADS):
        context = browser.new_context(viewport=SIZE)
        page = context.new_page()
        page.goto(address)
        found.append(page.evaluate(FIRST_LOAD))
        context.close()
    found.sort(key=lambda one: one["reading"])
    median = found[LOADS // 2]
    sys.stdout.write(
        f"first load: {median['files']} files, {median['bytes'] / 1000:.1f} kB; loaded after "
        f"{median['load']:.0f} ms, newest reading with its crop after {median['reading']:.0f} ms "
        f"(median of {LOADS}, {found[0]['reading']:.0f} to {found[-1]['reading']:.0f})\n"
    )


if __name__ == "__main__":
    main()
