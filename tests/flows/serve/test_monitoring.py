"""The shipped dashboard and alert rules, against what `/metrics` of a running station serves.

Every PromQL expression is parsed; a metric, a label or an option that does not exist fails here.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import promql_parser as promql
import pytest
import yaml
from certificates import Authority
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from stations import b64, png
from typer.main import get_command

from flows import cli
from flows.configuration.settings import Layout, Settings
from flows.serve.machine import Machine
from stages.records import Status

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "grafana"
DASHBOARD = json.loads((FOLDER / "markwatch.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
TARGETS = [
    (panel["title"], target) for panel in DASHBOARD["panels"] for target in panel.get("targets", [])
]
BY_PROMETHEUS = {"instance", "job"}
"""Labels that a scrape adds."""

UNITS = {"bytes", "cpm", "none", "percentunit", "reqps", "s", "short"}
"""Of Grafana's `valueFormats`; a name that it does not know it would print as it is."""

Served = dict[str, set[str]]


def families(text: str) -> Served:
    """The labels of each series that a scrape holds."""
    found: Served = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.fixture(scope="module")
def served(station, tmp_path_factory) -> Served:
    """What a station serves that has read, failed, and has something that wants attention."""
    broken = station.plant.layout.recipes / "broken.yaml"
    broken.write_text("fields: [{detect: {use: nothing-like-it}}]\n")
    assert station.post(image=b64(png(111)), camera="press-3", wait=True).status == 200
    station.post(image=b64(png(1)[:-40]), wait=True)
    station.plant.wait_until(
        lambda: "markwatch_condition{" in station.get("/metrics").body.decode(), "a condition"
    )
    found = families(station.get("/metrics").body.decode())
    broken.unlink()

    folder = tmp_path_factory.mktemp("certificate")
    registry = CollectorRegistry()
    registry.register(Machine(Layout(folder), certificate(folder)))
    return {**families(generate_latest(registry).decode()), **found}


def certificate(folder: Path) -> Path:
    Authority(folder).sign("station", days=300)
    return folder / "station.pem"


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Metric and labels that an expression asks for; those it groups by count for each metric."""
    names, asked, groups = [], [], set()

    def visit(node: object) -> bool:
        if isinstance(node, promql.VectorSelector):
            matchers = node.matchers.matchers
            names.append(node.name)
            asked.append({matcher.name for matcher in matchers})
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            groups.update(node.modifier.labels)
        return True

    assert promql.walk(promql.parse(expression), visit)
    for name, labels in zip(names, asked, strict=True):
        yield name, labels | groups


def check(expression: str, served: Served) -> None:
    """Every metric is served, and has the labels that it is asked by."""
    found = list(selectors(expression))
    assert found, expression
    for name, labels in found:
        if name == "up":
            continue
        assert name in served, f"{name} is not served: {expression}"
        missing = labels - served[name] - BY_PROMETHEUS
        assert not missing, f"{name} has no {missing}: {expression}"


def filled(expression: str) -> str:
    """An expression of the dashboard as Grafana sends it."""
    text = expression.replace("$__rate_interval", "5m")
    for name in variables():
        text = text.replace(f"${name}", "x")
    assert "$" not in text, expression
    return text


def variables() -> dict[str, dict]:
    return {each["name"]: each for each in DASHBOARD["templating"]["list"]}


# the dashboard


@pytest.mark.parametrize(
    ("title", "target"), TARGETS, ids=[f"{t}-{q['refId']}" for t, q in TARGETS]
)
def test_dashboard_when_a_panel_asks_then_its_metrics_and_labels_are_served(title, target, served):
    check(filled(target["expr"]), served)
    for label in re.findall(r"{{\s*(\w+)\s*}}", target["legendFormat"]):
        kept = [
            labels | served.get(name, set()) for name, labels in selectors(filled(target["expr"]))
        ]
        assert all(label in each | BY_PROMETHEUS for each in kept), f"{title}: no {label}"


def test_dashboard_when_variables_look_up_labels_then_they_are_served(served):
    for name, each in variables().items():
        if each["type"] == "datasource":
            assert each["query"] == "prometheus"
            continue
        metric, label = re.fullmatch(
            r"label_values\((.+), (\w+)\)", each["query"]["query"]
        ).groups()
        check(filled(metric), served)
        (asked,) = selectors(filled(metric))
        assert label == name and label in served[asked[0]] | BY_PROMETHEUS


def test_dashboard_when_looked_at_then_grafana_can_import_it_anywhere():
    panels = DASHBOARD["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(set(ids)) == len(ids)
    assert DASHBOARD["uid"] == "markwatch" and "id" not in DASHBOARD
    datasources = [panel["datasource"] for panel in panels if panel["type"] != "row"]
    datasources += [target["datasource"] for _, target in TARGETS]
    datasources += [each["datasource"] for each in variables().values() if "datasource" in each]
    assert all(each == {"type": "prometheus", "uid": "${datasource}"} for each in datasources)
    titles = [panel["title"] for panel in panels]
    assert len(set(titles)) == len(titles)
    for panel in panels:
        if panel["type"] == "row":
            continue
        assert panel["title"] and panel["description"] and panel["targets"]
        refs = [target["refId"] for target in panel["targets"]]
        assert refs == list("ABCDEF"[: len(refs)])
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS


def test_dashboard_when_laid_out_then_no_panel_lies_over_another_or_the_edge():
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_dashboard_when_it_compares_statuses_then_they_are_ours():
    texts = [target["expr"] for _, target in TARGETS] + [rule["expr"] for rule in ALERTS]
    named = {word for text in texts for word in re.findall(r'[{,]status!?="(\w+)"', text)}
    assert named and named <= set(get_args(Status))


# the alerts


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_alert_when_it_is_evaluated_then_its_metrics_and_labels_are_served(rule, served):
    check(rule["expr"], served)
    told = " ".join(rule["annotations"].values())
    names = {name for name, _ in selectors(rule["expr"])}
    for label in set(re.findall(r"\$labels\.(\w+)", told)):
        assert label in BY_PROMETHEUS or any(label in served.get(name, ()) for name in names)


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_alert_when_it_fires_then_it_says_what_to_do_with_commands_that_there_are(rule):
    assert re.fullmatch(r"Markwatch[A-Z]\w+", rule["alert"])
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"].startswith("{{ $labels.instance }}: ")
    runbook = rule["annotations"]["runbook"]
    assert len(runbook) > 40
    commands = set(get_command(cli.app).commands)
    assert set(re.findall(r"`markwatch (\w+)", runbook)) <= commands
    for section, option in re.findall(r"\b([a-z]+)\.([a-z_]+)\b", runbook):
        if section in Settings.model_fields:
            options = Settings.model_fields[section].annotation.model_fields
            assert option in options, f"{section}.{option}"
    for page in re.findall(r"docs/[\w.]+", runbook):
        assert (ROOT / page).is_file(), page


def test_alerts_when_listed_then_the_page_has_each_of_them_once():
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names)
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(Markwatch\w+)`", page, re.MULTILINE) == names


def test_alerts_when_series_go_wrong_then_each_fires_and_none_on_a_good_day():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run(
        [promtool, "test", "rules", str(Path(__file__).with_name("alerts_test.yml"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_when_their_test_is_read_then_it_covers_every_one():
    tested = yaml.safe_load(Path(__file__).with_name("alerts_test.yml").read_text())
    fired = {
        re.search(r'alertname="(\w+)"', sample["labels"])[1]
        for each in tested["tests"]
        for case in each["promql_expr_test"]
        for sample in case["exp_samples"]
    }
    assert fired == {rule["alert"] for rule in ALERTS}


# what was added for them


def test_machine_when_asked_then_disks_and_the_end_of_the_certificate(tmp_path):
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    registry = CollectorRegistry()
    registry.register(Machine(layout, certificate(tmp_path)))

    def value(name: str, **labels: str) -> float:
        found = registry.get_sample_value(name, labels)
        assert found is not None, name
        return found

    free = value("markwatch_disk_free_bytes", folder="data/state")
    assert 0 < free <= value("markwatch_disk_size_bytes", folder="data/state")
    # One disk, one series: work and archive are not there, or lie on the same.
    assert generate_latest(registry).decode().count("markwatch_disk_free_bytes{") == 1
    end = datetime.fromtimestamp(value("markwatch_certificate_end_timestamp_seconds"), UTC)
    assert abs(end - datetime.now(UTC) - timedelta(days=300)) < timedelta(hours=1)


def test_machine_when_there_is_no_certificate_then_no_series_and_a_bad_one_is_told_elsewhere(
    tmp_path,
):
    (tmp_path / "bad.pem").write_text("rubbish")
    for given in (None, tmp_path / "bad.pem", tmp_path / "missing.pem"):
        registry = CollectorRegistry()
        registry.register(Machine(Layout(tmp_path), given))
        assert "certificate" not in generate_latest(registry).decode()
