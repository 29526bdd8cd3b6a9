"""Speaking to the recipe editor's routes as its page does."""

from __future__ import annotations

from pathlib import Path

import pytest
from stations import Station

OWN = """\
# The plates of press 3.
description: plates
fields:
  - name: code  # in every row
    detect: {use: everything}
    map: {format: 'G\\d{3}'}
"""


@pytest.fixture
def camera(station, request):
    """A camera of this test's own, with a recipe."""
    name = f"cam-{abs(hash(request.node.name)) % 10**8}"
    file(station, name).write_text(OWN)
    return name


def file(station: Station, camera: str) -> Path:
    return station.plant.layout.recipes / f"{camera}.yaml"


def opened(station, camera):
    answer = station.get(f"/v1/recipes/{camera}")
    assert answer.status == 200, answer.body
    return answer.json()


def check(station, camera, text, values=None):
    answer = station.ask(
        "POST", f"/v1/recipes/{camera}/check", json={"text": text, "values": values}
    )
    assert answer.status == 200, answer.body
    return answer.json()


def save(station, camera, text, tag):
    headers = {"If-None-Match": "*"} if tag is None else {"If-Match": f'"{tag}"'}
    return station.ask("PUT", f"/v1/recipes/{camera}", json={"text": text}, headers=headers)


def bring(station, camera, content, name="a.png"):
    return station.ask("POST", f"/v1/recipes/{camera}/pictures", fields={"image": (name, content)})


def preview(station, camera, text, key, **more):
    return station.ask(
        "POST", f"/v1/recipes/{camera}/preview", json={"text": text, "picture": key, **more}
    )
