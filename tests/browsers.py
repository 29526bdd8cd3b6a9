"""A real Chromium for tests of the pages, driven by playwright; one for each module of tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

WAIT_MS = 20_000


def find_chromium() -> str:
    """Path of Chromium; skips the test where it is missing, unless `CI` is true."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        words = "chromium is not installed: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless browser."""
    path = find_chromium()
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not run as root, as which containers run tests.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
