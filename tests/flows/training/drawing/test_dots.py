"""Dot matrices and the lines drawn with them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest

from flows.training.drawing.dots import Dots, MatrixWriter, PeckWriter
from flows.training.drawing.lines import CAP, Hand
from flows.training.drawing.matrices import MatrixPool, classic_matrix, face_matrix, stroke_matrix
from flows.training.drawing.strokes import Alphabet
from flows.training.material.fonts import FaceSet

_SMALL = Dots(diameter=0.5, edge=0.1)


def _dots(picture: np.ndarray) -> int:
    return cv2.connectedComponents((picture > 100).astype(np.uint8), connectivity=4)[0] - 1


@pytest.fixture
def writer() -> MatrixWriter:
    return MatrixWriter(classic_matrix(), _SMALL, Hand())


def test_write_when_dots_are_small_then_each_of_the_matrix_is_there(writer: MatrixWriter) -> None:
    line = writer.write(np.random.default_rng(0), "A8-")
    wanted = sum(classic_matrix().cells[char].rows.size for char in "A8-")
    assert _dots(line.picture) == wanted
    assert abs(line.picture.shape[0] - CAP) <= 4


def test_write_when_dots_are_missing_then_about_that_many(writer: MatrixWriter) -> None:
    text = "8" * 24
    whole = _dots(writer.write(np.random.default_rng(0), text).picture)
    worn = replace(writer, dots=replace(_SMALL, missing=0.2))
    left = _dots(worn.write(np.random.default_rng(0), text).picture)
    assert 0.7 < left / whole < 0.9


def test_write_when_nothing_has_dots_then_the_line_is_empty(writer: MatrixWriter) -> None:
    sputtering = replace(writer, dots=replace(_SMALL, satellites=0.5))
    assert sputtering.write(np.random.default_rng(0), " ").picture.max(initial=0) == 0


def test_write_when_drifting_then_the_upper_rows_lead(writer: MatrixWriter) -> None:
    line = replace(writer, dots=replace(_SMALL, drift=2.0)).write(np.random.default_rng(0), "H")
    columns = np.arange(line.picture.shape[1])
    top, bottom = line.picture[:8].sum(axis=0), line.picture[-8:].sum(axis=0)
    assert (top @ columns) / top.sum() > (bottom @ columns) / bottom.sum() + 5


def test_pecked_when_dots_are_small_then_they_follow_the_stroke() -> None:
    writer = PeckWriter(Alphabet(), Dots(diameter=0.4, edge=0.1), Hand(), per_cap=8)
    assert _dots(writer.write(np.random.default_rng(0), "I").picture) == 9


def test_classic_matrix_when_any_two_compared_then_they_differ_by_two_dots() -> None:
    cells = {
        char: frozenset(zip(cell.columns.tolist(), cell.rows.tolist(), strict=True))
        for char, cell in classic_matrix().cells.items()
    }
    assert min(len(cells[a] ^ cells[b]) for a, b in itertools.combinations(cells, 2)) >= 2


def test_face_matrix_when_rows_suffice_then_capitals_have_that_many(plain_faces: FaceSet) -> None:
    matrix = face_matrix(plain_faces.faces[0], 10)
    assert matrix is not None
    assert matrix.covers("AB07")
    assert matrix.cells["H"].rows.max() == 9


def test_face_matrix_when_too_coarse_to_tell_apart_then_none(plain_faces: FaceSet) -> None:
    assert face_matrix(plain_faces.faces[0], 3) is None


def test_stroke_matrix_when_nine_by_seven_then_one_dot_thick() -> None:
    matrix = stroke_matrix(Alphabet(1.0, 0.2), 9, 7)
    assert matrix is not None
    assert matrix.cells["I"].width == 1
    assert matrix.cells["H"].rows.size == 2 * 9 + 5


def test_pool_when_another_of_the_same_faces_then_the_same_matrices(plain_faces: FaceSet) -> None:
    one, other = MatrixPool(plain_faces), MatrixPool(plain_faces)
    for seed in range(12):
        found = one.choose(np.random.default_rng(seed), "A1", tall=False)
        again = other.choose(np.random.default_rng(seed), "A1", tall=False)
        assert found is not None
        assert again is not None
        assert (found.cells["A"].rows == again.cells["A"].rows).all()
