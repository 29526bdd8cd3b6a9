"""CSV as spreadsheets save it: every dialect gives the same rows, every doubt one line."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.configuration.spreadsheets import read_rows
from stages.errors import ConfigError

COLUMNS = ("file", "text")
PLAIN = 'file,text,more\na.png,"00,1",x\nb.png,"3"" pipe",\n'
ROWS = [("a.png", "00,1"), ("b.png", '3" pipe')]


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "my.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def cells(path):
    return [tuple(row.cells[name] for name in COLUMNS) for row in read_rows(path, COLUMNS)]


def dialect(delimiter):
    """The rows with another delimiter."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(csv.reader(io.StringIO(PLAIN)))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.rstrip("\n").encode(),
        dialect(";").encode(),
        dialect(";").encode("utf-8-sig"),
        dialect("\t").encode(),
        dialect("\t").encode("utf-16"),
        PLAIN.replace("file,text", "File,TEXT").encode(),
        PLAIN.replace("file,text", " file , Text ").encode(),
        PLAIN.replace("file,text", '"file","text"').encode(),
        PLAIN.replace('png,"', 'png,  "').encode(),
        f"\n\n{PLAIN}\n,,\n\n".encode(),
    ],
)
def test_rows_when_saved_by_any_spreadsheet_then_the_same(write, content):
    assert cells(write(content)) == ROWS


def test_rows_when_the_columns_stand_elsewhere_then_found_by_name(write):
    path = write("number;Text;;file\n1;A;;a.png\n")
    assert cells(path) == [("a.png", "A")]


def test_rows_when_lines_are_empty_or_long_then_each_has_the_line_where_it_begins(write):
    path = write('file,text\r\n\r\na.png,"two\r\nlines"\r\n,\r\nb.png,B\r\n')
    assert [row.line for row in read_rows(path, COLUMNS)] == [3, 6]


def test_rows_when_short_or_long_then_the_cells_that_are_there_and_the_surplus(write):
    short, long = read_rows(write("file,text\na.png\nb.png,B,C,D\n"), COLUMNS)
    assert (dict(short.cells), short.surplus) == ({"file": "a.png"}, ())
    assert (dict(long.cells), long.surplus) == ({"file": "b.png", "text": "B"}, ("C", "D"))


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1)
        .map(str.strip)
        .filter(bool),
        max_size=4,
    ),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_rows_when_written_as_csv_then_every_text_comes_back(
    tmp_path_factory, texts, delimiter, encoding
):
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(
        [COLUMNS, *((f"{number}.png", text) for number, text in enumerate(texts))]
    )
    path = tmp_path_factory.getbasetemp() / "law.csv"
    path.write_bytes(file.getvalue().encode(encoding))
    assert cells(path) == [(f"{number}.png", text) for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", " is empty; the first line must be file,text"),
        ("\n\n", " is empty; the first line must be file,text"),
        ("a.png,A\n", ":1: `a.png,A` does not name the columns; the first line must be file,text"),
        ("image;label\na;A\n", ":1: `image;label` does not name the columns"),
        ("file|text\na|A\n", ":1: `file|text` does not name the columns"),
        ("file,text,Text\na,A,B\n", ":1: two columns are called text; rename one"),
        ("file;text\nÄ.png;A\n".encode("cp1252"), ":2: this is not UTF-8; save it as `CSV UTF-8`"),
        (PLAIN.encode("utf-16")[:-1], " is cut short or damaged; save it as `CSV UTF-8`"),
        (PLAIN.encode("utf-16-le"), " is no text; save it as `CSV UTF-8`"),
        (b"PK\x03\x04\x14\x00", " is a workbook, not a CSV; save it as `CSV UTF-8`"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", " is a workbook, not a CSV; save it as `CSV UTF-8`"),
        ('file,text\na.png,A\nb.png,"B\nc.png,C\n', ":3: quotes are not in pairs (unexpected end"),
        ('file;text\na.png;"A" and B\n', ":2: quotes are not in pairs ("),
    ],
)
def test_rows_when_the_file_is_wrong_then_one_line_with_its_place_and_remedy(write, content, words):
    path = write(content)
    with pytest.raises(ConfigError, match=re.escape(f"{path}{words}")) as caught:
        read_rows(path, COLUMNS)
    assert "\n" not in str(caught.value)


def test_rows_when_the_file_is_missing_or_a_folder_then_said(tmp_path):
    with pytest.raises(ConfigError, match=r"no such file: .*nothing\.csv; give a CSV with file,"):
        read_rows(tmp_path / "nothing.csv", COLUMNS)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_rows(tmp_path, COLUMNS)
