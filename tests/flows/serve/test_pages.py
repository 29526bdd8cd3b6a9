"""How the pages are sent: whole, small, never stale, open to all, and closed to other sites."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import flows.serve
from flows.serve.pages import PAGES, POLICY, edition, shipped

STATIC = Path(flows.serve.__file__).parent / "static"


def test_page_when_asked_for_then_html_with_a_policy_that_lets_nothing_else_run(station):
    for path in PAGES:
        answer = station.get(path)
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "unsafe" not in POLICY and "http" not in POLICY
        loaded = re.findall(r'(?:src|href)="([^"]+)"', answer.body.decode())
        assert loaded and all(name.startswith("/static/") for name in loaded)
        assert {station.get(name).status for name in loaded} == {200}


def test_page_when_loaded_first_then_small_enough_for_a_tablet_on_a_bad_network():
    found = shipped()
    text = found["live.html"].content.decode()
    names = {name.removeprefix("/static/") for name in re.findall(r'(?:src|href)="([^"]+)"', text)}
    assert names >= {name for name in found if name.startswith("live/")}
    assert sum(len(found[name].packed) for name in {*names, "live.html"}) < 30_000


def test_page_when_read_then_no_script_or_style_stands_in_it():
    for path in STATIC.glob("*.html"):
        text = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text), path


def test_modules_when_read_then_none_makes_markup_of_text_or_loads_from_elsewhere():
    for path in STATIC.rglob("*.js"):
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text), (
            path
        )
        urls = [url for url in re.findall(r"https?://[^\s\"'`]+", text) if "www.w3.org" not in url]
        assert urls == [], path


def test_static_when_asked_for_again_then_304_and_packed_for_who_can_unpack(station):
    first = station.get("/static/parts/dom.js")
    assert first.status == 200 and first.headers["cache-control"] == "no-cache"
    assert first.body == (STATIC / "parts" / "dom.js").read_bytes()
    tag = first.headers["etag"]
    again = station.get("/static/parts/dom.js", headers={"If-None-Match": f'"x", {tag}'})
    assert again.status == 304 and again.body == b"" and again.headers["etag"] == tag
    packed = station.get(
        "/static/parts/dom.js", headers={"Accept-Encoding": "gzip"}, decode_content=False
    )
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == first.body and len(packed.body) < len(first.body)
    head = station.ask("HEAD", "/static/parts/dom.js")
    assert head.status == 200 and head.body == b""


def test_static_when_a_name_leaves_the_folder_then_404(station):
    for name in ("../pages.py", "..%2fpages.py", "%2e%2e/pages.py", "/etc/passwd", "", "parts"):
        assert station.get(f"/static/{name}").status == 404
    assert station.get("/static/live.html").status == 404


def test_page_when_linked_to_from_another_site_then_shown_but_nothing_else_is(station):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert station.get("/", headers=headers).status == 200
    assert station.get("/v1/board", headers=headers).status == 403
    assert station.get("/", headers={**headers, "Sec-Fetch-Mode": "no-cors"}).status == 403


def test_change_when_a_browser_sends_it_without_our_header_then_403(station):
    origin = f"http://127.0.0.1:{station.port}"
    path = "/v1/readings/none/reread"
    for headers in ({"Origin": origin}, {"Sec-Fetch-Site": "same-origin"}, {"Cookie": "a=b"}):
        answer = station.ask("POST", path, headers=headers)
        assert (answer.status, answer.json()["error"]) == (403, "foreign-origin")
        answer = station.ask("POST", path, headers={**headers, "X-Markwatch": "1"})
        assert (answer.status, answer.json()["error"]) == (404, "unknown-reading")
    assert station.ask("POST", path).status == 404


def test_edition_when_any_file_differs_then_another():
    found = shipped()
    name = "parts/dom.js"
    other = {**found, name: found["live.js"]}
    assert edition(found) == edition(shipped()) != edition(other)
