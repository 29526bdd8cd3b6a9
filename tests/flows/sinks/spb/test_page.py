"""The integrator's page: every topic and metric is in it, and what it says to set is enough."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from brokers import make_row
from commands import invoke
from sparkplug_host import SparkplugListener
from stories import a_long_story

from flows.configuration.choices import SinkChoice
from flows.sinks.sparkplug import SparkplugOptions, SparkplugSink
from flows.sinks.spb import descriptor
from stages.ports import Batch, Site

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "mqtt.md").read_text(encoding="utf-8")


def block(start: str) -> str:
    """The fenced block of the page that begins with these words."""
    (found,) = [part for part in re.findall(r"```\w*\n(.*?)```", PAGE, re.S) if start in part]
    return found


def test_page_when_read_then_it_has_every_metric_and_verb_that_is_sent():
    named = {
        metric.name.replace("code/", "<field>/", 1)
        for message in a_long_story()
        for metric in message.decoded.metrics
        if metric.name is not None and not metric.name.startswith("date/")
    }
    told = set(re.findall(r"`([^`\n]+)`", PAGE))
    assert named - {"Properties/Software"} <= told
    verbs = {message.verb for message in a_long_story()}
    assert verbs == {verb for verb in verbs if f"/{verb}/<node>" in PAGE}


def test_page_when_its_configuration_is_loaded_then_it_is_valid():
    sinks = yaml.safe_load(block("sinks:"))["sinks"]
    made = {name: SinkChoice(**{"use": name, **options}) for name, options in sinks.items()}
    assert made["sparkplug"].options.group_id == "ulm-stamping"


def test_page_when_its_replay_is_tried_then_the_command_knows_the_options(tmp_path):
    command = re.search(r"`markwatch (replay [^`]+)`", PAGE)[1].split()
    done = invoke(*command, "--root", str(tmp_path))
    assert "No such option" not in done.stderr


def test_page_when_a_broker_has_its_rights_then_the_node_can_do_all_it_must(
    mosquitto, tmp_path, monkeypatch
):
    monkeypatch.setattr(descriptor.tempfile, "tempdir", str(tmp_path))
    rights = tmp_path / "rights"
    rights.write_text(f"topic readwrite #\n{block('user markwatch')}")
    port = mosquitto("allow_anonymous true", f"acl_file {rights}").port
    options = SparkplugOptions(
        port=port,
        group_id="ulm-stamping",
        node_id="line-1",
        username="markwatch",
        primary_host="scada",
        rebirth_min_seconds=0,
    )
    with SparkplugListener(port, "ulm-stamping", "line-1") as host:
        host.state("scada", online=True)
        with SparkplugSink(options, Site("st", str(tmp_path)), "scada") as sink:
            assert sink.deliver(Batch((make_row(1),), 0, 1)).delivered == {1}
            host.ask_rebirth()
            host.wait_for("NBIRTH", 2)
        host.wait_for("NDEATH")
        assert [row["seq"] for row in host.rows()] == [1]


@pytest.mark.parametrize("option", ["primary_host", "stand_down_seconds", "max_inflight"])
def test_page_when_it_names_an_option_then_there_is_one(option):
    assert f"`{option}" in PAGE
    assert option in SparkplugOptions.model_fields
