"""Rendered marks with check digits: their codes are codes, and the same numbers give the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import ImageFont

from flows.bench import coded
from flows.bench.coded import SCHEMES, Codes, Scheme, labelled, render
from flows.training.material.fetch import MANIFEST
from flows.training.material.fonts import HELD_OUT
from flows.training.validation import TIERS
from stages.map import MapOptions


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_codes_when_drawn_then_each_is_a_code_of_its_scheme(scheme):
    rng = np.random.default_rng(1)
    drawn = [Codes(scheme).sample(rng) for _ in range(20)]
    assert all(map(scheme.options.constraint.is_code, drawn))
    assert len(set(drawn)) == 20


def test_codes_when_there_is_no_format_then_value_error():
    with pytest.raises(ValueError, match="scheme any has no format"):
        Codes(Scheme("any", MapOptions()))


def test_render_when_called_again_then_what_is_there_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(coded, "SCHEMES", SCHEMES[1:2])
    monkeypatch.setattr(coded, "_PAINTED", 4)
    material = tmp_path / "material"
    material.mkdir()
    family = min(HELD_OUT)
    for name in ("arimo", family):
        (material / f"{name}.ttf").write_bytes(ImageFont.load_default(20).font_bytes)
    (material / MANIFEST).write_text(
        "kind,family,file,licence,source\n"
        + "".join(f"sans,{name},{name}.ttf,OFL-1.1,test\n" for name in ("arimo", family))
    )
    out = tmp_path / "out"
    render(material, out, 2, seed=5)
    found = labelled(out)
    assert list(found) == [("gtin", tier.name) for tier in TIERS]
    (first, truth), _ = found["gtin", "clean"]
    assert SCHEMES[1].options.constraint.is_code(truth)
    assert cv2.imread(str(first), cv2.IMREAD_GRAYSCALE).std() > 1
    before = first.read_bytes()
    first.write_bytes(b"kept")
    render(material, out, 2, seed=5)
    assert first.read_bytes() == b"kept"
    render(material, tmp_path / "again", 2, seed=5)
    assert (tmp_path / "again/gtin/clean" / first.name).read_bytes() == before
