"""What comes from outside is shown, and never steers the terminal that shows it."""

from __future__ import annotations

import json
import logging
import sys

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from flows import telemetry
from flows.cli import main
from flows.configuration.settings import LogOptions
from flows.files.filenames import shown
from flows.sinks.mqtt_client import Endpoint

EVIL = "part\x1b]0;owned\x07\x9b2J\u202e\r.png"
STEERS = {"\x1b", "\x07", "\x9b", "\u202e", "\r"}


@pytest.fixture
def stderr(capsys):
    """What goes to standard error, with logging as it was put back afterwards."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield lambda: capsys.readouterr().err
    structlog.reset_defaults()
    logging.root.handlers[:], logging.root.level = handlers, level


@pytest.mark.parametrize("style", ["human", "json"])
def test_log_when_a_name_holds_escapes_then_they_are_shown_as_text(stderr, style):
    telemetry.configure(LogOptions(style=style))
    structlog.get_logger("markwatch").warning("seen", image=EVIL, more={"a": [EVIL]})
    logging.getLogger("library").warning("of %s", EVIL)
    text = stderr()
    assert text.count("owned") == 3
    assert not STEERS & set(text)
    if style == "json":
        assert json.loads(text.splitlines()[0])["image"] == shown(EVIL)


@pytest.mark.parametrize("style", ["human", "json"])
def test_log_when_an_exception_is_told_then_no_local_variable_is(stderr, style):
    telemetry.configure(LogOptions(style=style))

    def connect():
        endpoint = Endpoint("h", 1, 1, 1.0, 1.0, 1.0, 1, "user", "s3cret-word", None)
        word = "s3cret-word"
        raise OSError(f"no way to {endpoint}, {len(word)} letters, {endpoint!r}")

    try:
        connect()
    except OSError:
        structlog.get_logger("markwatch").exception("failed")
    text = stderr()
    assert "no way to mqtt://h:1" in text
    assert "s3cret-word" not in text


def test_error_when_it_quotes_a_path_with_escapes_then_they_are_text(tmp_path, monkeypatch, capsys):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "markwatch.yaml").write_text('"st\\e[2Jation": x\n')
    monkeypatch.setattr(sys, "argv", ["markwatch", "status", "--root", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert "unknown key" in said and r"\x1b[2J" in said
    assert "\x1b" not in said


@given(st.recursive(st.text() | st.binary() | st.none() | st.floats(), st.lists, max_leaves=5))
def test_shown_when_given_anything_then_every_text_is_printable_and_json(value):
    for text in _texts(shown({"key": value})):
        assert all(line.isprintable() for line in text.split("\n"))
        json.dumps(text).encode()


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (*_texts(key), *_texts(item))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
