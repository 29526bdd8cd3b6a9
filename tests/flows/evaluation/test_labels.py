"""Labels: what a CSV may hold, and that a bad row is told without stopping the others."""

from __future__ import annotations

import pytest
from made import picture

from flows.evaluation.complaints import SHOWN
from flows.evaluation.labels import limited, read_sets
from stages.errors import ConfigError


def test_labels_when_read_then_texts_are_kept_and_files_lie_beside_the_csv(write_labels):
    path = write_labels("set", '\ufefffile,text,more\na.png," 00,1 ",x\nsub/b.png,,\n')
    for name in ("a.png", "sub/b.png"):
        picture(path.parent / name, 100)

    (found,) = read_sets([path])

    assert found.name == "set"
    assert found.complaints == ()
    assert [(each.file, each.text) for each in found.labels] == [
        ("a.png", "00,1"),
        ("sub/b.png", ""),
    ]
    assert all(each.path.is_file() for each in found.labels)


def test_labels_when_rows_are_bad_then_each_is_told_with_its_line_and_the_rest_is_kept(
    write_labels,
):
    path = write_labels("set", "file,text\na.png,A,B\nnone.png,A\na.png\n,A\na.png,good\n")
    picture(path.parent / "a.png", 100)

    (found,) = read_sets([path])

    assert [each.text for each in found.labels] == ["good"]
    words = ("more cells than columns", "no such picture", "no text", "no file is named")
    assert len(found.complaints) == len(words)
    for line, (complaint, expected) in enumerate(zip(found.complaints, words, strict=True), 2):
        assert complaint.startswith(f"{path}:{line}: {expected}")


def test_labels_when_read_then_each_knows_its_place(write_labels):
    path = write_labels("set", "file;text\n\na.png;A\nb.png;\n")
    for name in ("a.png", "b.png"):
        picture(path.parent / name, 100)

    (found,) = read_sets([path])

    assert [each.place for each in found.labels] == [f"{path}:3", f"{path}:4"]


def test_labels_when_written_on_windows_then_the_folders_are_found(write_labels):
    path = write_labels("set", "file,text\nsub\\a.png,A\n")
    picture(path.parent / "sub" / "a.png", 100)

    (found,) = read_sets([path])

    assert found.labels[0].file == "sub\\a.png"
    assert found.labels[0].path == path.parent / "sub" / "a.png"


def test_labels_when_no_picture_is_there_then_a_screenful_of_rows_and_their_number(write_labels):
    rows = "".join(f"{number}.png,A\n" for number in range(500))

    with pytest.raises(ConfigError) as caught:
        read_sets([write_labels("set", f"file,text\n{rows}")])

    *shown, number, remedy = str(caught.value).splitlines()
    assert len(shown) == SHOWN
    assert all(": no such picture: " in line for line in shown)
    assert number == f"and {500 - SHOWN} more like these, 500 in all"
    assert remedy.endswith("has no row that can be used; mend the lines above")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the first line must be file,text"),
        ("file,label\na.png,A\n", "does not name the columns"),
        ("file,text\n", "has no row that can be used; write a row for each picture: file,text"),
        ("file,text\nnone.png,A\n", "no such picture"),
    ],
)
def test_labels_when_the_file_is_wrong_then_the_error_says_how_to_mend_it(
    write_labels, content, words
):
    with pytest.raises(ConfigError, match=words):
        read_sets([write_labels("set", content)])


def test_labels_when_the_file_is_missing_or_a_folder_then_said(tmp_path):
    with pytest.raises(ConfigError, match=r"no such file: .*nothing\.csv"):
        read_sets([tmp_path / "nothing.csv"])
    with pytest.raises(ConfigError, match="cannot be read"):
        read_sets([tmp_path])


def test_sets_when_named_alike_then_told_apart_by_their_paths(write_labels):
    paths = [write_labels("a", "file,text\na.png,A\n"), write_labels("b", "file,text\na.png,A\n")]
    paths.append(write_labels("b", "file,text\na.png,A\n", name="extra.csv"))
    for folder in ("a", "b"):
        picture(paths[0].parents[1] / folder / "a.png", 100)

    assert [each.name for each in read_sets(paths)] == ["a", "b", "extra"]
    assert [each.name for each in read_sets([paths[0], paths[0]])] == [paths[0].as_posix()] * 2


@pytest.mark.parametrize(("most", "left"), [(None, 3), (2, 2), (9, 3)])
def test_sets_when_limited_then_the_first_pictures_are_left(write_labels, most, left):
    path = write_labels("a", "file,text\n" + "".join(f"a.png,{n}\n" for n in range(3)))
    picture(path.parent / "a.png", 100)

    (found,) = limited(read_sets([path]), most)

    assert [each.text for each in found.labels] == ["0", "1", "2"][:left]
