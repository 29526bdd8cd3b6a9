"""Settings: layers, secrets, and errors that name file, line and key, all at once."""

from __future__ import annotations

import pytest

from flows.configuration import settings
from flows.configuration.settings import Layout
from stages.errors import ConfigError
from stages.recognisers.checkpoint import EMBEDDED


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    import os

    for name in [name for name in os.environ if name.startswith("MARKWATCH_")]:
        monkeypatch.delenv(name)


def write(root, text, name="markwatch.yaml"):
    path = root / "conf" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return root


def complaint(root, **flags):
    with pytest.raises(ConfigError) as caught:
        settings.load(root, flags)
    return str(caught.value).splitlines()


def test_load_when_the_file_is_empty_then_gives_the_defaults(tmp_path):
    site = settings.load(write(tmp_path, ""))
    assert site.station == "station-1"
    assert set(site.sinks) == {"mqtt", "parquet", "csv"}
    assert (site.recogniser.use, site.recogniser.options.checkpoint) == ("trocr", EMBEDDED)


def test_load_when_layers_overlap_then_the_later_one_wins(tmp_path, monkeypatch):
    write(tmp_path, "station: from-yaml\nsinks:\n  mqtt: {use: mqtt, port: 1884, root: a}\n")
    write(tmp_path, "sinks:\n  mqtt: {port: 1885, root: b}\n", "local.yaml")
    monkeypatch.setenv("MARKWATCH__SINKS__MQTT__PORT", "1886")
    site = settings.load(tmp_path)
    options = site.sinks["mqtt"].options
    assert (site.station, options.port, options.root) == ("from-yaml", 1886, "b")


def test_load_when_a_file_names_one_sink_then_the_others_stay_and_null_switches_off(tmp_path):
    write(tmp_path, "sinks:\n  mqtt: {port: 1884}\n  scada: {use: mqtt, port: 1885}\n  csv: null\n")
    site = settings.load(tmp_path)
    assert set(site.sinks) == {"mqtt", "parquet", "scada"}
    assert site.sinks["mqtt"].options.port == 1884


def test_load_when_only_an_option_of_the_recogniser_is_set_then_it_is_the_default_ones(tmp_path):
    recogniser = settings.load(write(tmp_path, "recogniser: {threads: 3}\n")).recogniser
    assert (recogniser.use, recogniser.options.threads) == ("trocr", 3)
    (line,) = complaint(write(tmp_path, "recogniser: {max_width_px: 640}\n"))
    assert line == "conf/markwatch.yaml:1 recogniser.max_width_px: unknown key"


def test_load_when_another_recogniser_is_named_then_the_default_ones_options_are_dropped(
    tmp_path, monkeypatch
):
    assert settings.load(write(tmp_path, "")).recogniser.options.opinion == "rapidocr"
    write(tmp_path, "recogniser: {use: trocr, second_look_nats: 2}\n")
    assert settings.load(tmp_path).recogniser.options.opinion == "rapidocr"
    write(tmp_path, "recogniser: {use: rapidocr}\n")
    assert settings.load(tmp_path).recogniser.use == "rapidocr"
    write(tmp_path, "recogniser: {opinion: null}\n")
    assert settings.load(tmp_path).recogniser.options.opinion is None
    monkeypatch.setenv("MARKWATCH__RECOGNISER__USE", "rapidocr")
    assert settings.load(write(tmp_path, "")).recogniser.use == "rapidocr"


def test_load_when_several_keys_are_wrong_then_tells_all_with_file_and_line(tmp_path):
    lines = complaint(
        write(
            tmp_path, "station: line 1\nsinks:\n  mqtt:\n    use: mqtt\n    port: -2\n    hots: x\n"
        )
    )
    assert len(lines) == 3
    assert any(line.startswith("conf/markwatch.yaml:1 station:") for line in lines)
    assert any(line.startswith("conf/markwatch.yaml:5 sinks.mqtt.port: -2") for line in lines)
    assert "conf/markwatch.yaml:6 sinks.mqtt.hots: unknown key" in lines


def test_load_when_the_last_layer_is_wrong_then_names_that_layer(tmp_path, monkeypatch):
    write(tmp_path, "station: fine\n")
    monkeypatch.setenv("MARKWATCH__STATION", "not fine")
    (line,) = complaint(tmp_path)
    assert line.startswith("environment MARKWATCH__STATION station:")


def test_load_when_a_plugin_is_unknown_then_lists_what_is_installed(tmp_path):
    (line,) = complaint(write(tmp_path, "recogniser: {use: telepathy}\n"))
    assert "conf/markwatch.yaml:1 recogniser.use" in line
    assert "rapidocr" in line
    assert "trocr" in line


def test_load_when_a_key_is_set_twice_then_says_so(tmp_path):
    (line,) = complaint(write(tmp_path, "station: a\nstation: b\n"))
    assert line == "conf/markwatch.yaml:2 is not valid YAML: key 'station' is set twice"


def test_load_when_yaml_is_broken_then_names_the_line(tmp_path):
    (line,) = complaint(write(tmp_path, "station: a\n  : [\n"))
    assert line.startswith("conf/markwatch.yaml:2 is not valid YAML")


def test_load_when_a_password_stands_in_yaml_then_refuses_and_does_not_show_it(tmp_path):
    (line,) = complaint(write(tmp_path, "sinks:\n  mqtt: {use: mqtt, password: hunter2}\n"))
    assert line.startswith("conf/markwatch.yaml:2 sinks.mqtt.password: is a secret")
    assert "hunter2" not in line


def test_load_when_a_password_comes_from_the_environment_then_keeps_it_hidden(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("MARKWATCH__SINKS__MQTT__PASSWORD", "hunter2")
    monkeypatch.setenv("MARKWATCH__SINKS__MQTT__USERNAME", "anna")
    site = settings.load(write(tmp_path, ""))
    assert site.sinks["mqtt"].options.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(site)


def test_load_when_a_sink_follows_one_that_is_not_there_then_refuses(tmp_path):
    (line,) = complaint(write(tmp_path, "sinks:\n  csv: {use: csv, after: marker}\n"))
    assert "no other sink is called 'marker'" in line


def test_load_when_there_is_no_conf_then_says_how_to_make_one(tmp_path):
    (line,) = complaint(tmp_path)
    assert "markwatch init" in line


def test_layout_when_a_path_is_below_the_root_then_labels_it_as_typed(tmp_path):
    layout = Layout(tmp_path)
    assert layout.label(layout.conf / "markwatch.yaml") == "conf/markwatch.yaml"


def test_load_when_sinks_wait_for_each_other_then_refuses(tmp_path):
    text = "sinks:\n  csv: {after: parquet}\n  parquet: {after: csv}\n"
    assert "wait for each other" in complaint(write(tmp_path, text))[0]


@pytest.mark.parametrize(
    "text",
    ["\0" * 80, "description: 2026-13-45", "a: 0x_", "? [a, b]", "&x [*x]", "a: \x07", "%YAML 9"],
)
def test_load_when_a_file_is_no_sound_yaml_then_it_is_one_line_that_names_it(tmp_path, text):
    lines = complaint(write(tmp_path, text))
    assert lines[0].startswith("conf/markwatch.yaml")
    assert len(lines) == 1
