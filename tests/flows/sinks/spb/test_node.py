"""The edge node against a host that judges every message by the specification's assertions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from brokers import NOON, make_row
from sparkplugs import Message, Verdict, decode, judge, rebirth_command, rows_of
from stories import births, data, make_node

from flows.sinks.spb.encoding import Payload, SparkplugB

# What a host can see broken in a node's messages; the rest is in test_sparkplug.py and here below.
ASSERTIONS = [
    "case-sensitivity-metric-names",
    "message-flow-device-birth-publish-dbirth-match-edge-node-topic",
    "message-flow-device-birth-publish-nbirth-wait",
    "operational-behavior-data-commands-rebirth-action-3",
    "operational-behavior-data-commands-rebirth-datatype",
    "operational-behavior-data-commands-rebirth-name",
    "operational-behavior-data-commands-rebirth-name-aliases",
    "operational-behavior-data-commands-rebirth-value",
    "operational-behavior-data-publish-dbirth",
    "operational-behavior-data-publish-dbirth-values",
    "operational-behavior-data-publish-nbirth-values",
    "payloads-alias-birth-requirement",
    "payloads-alias-data-cmd-requirement",
    "payloads-alias-uniqueness",
    "payloads-dbirth-order",
    "payloads-dbirth-qos",
    "payloads-dbirth-retain",
    "payloads-dbirth-seq-inc",
    "payloads-dbirth-timestamp",
    "payloads-ddata-order",
    "payloads-ddata-qos",
    "payloads-ddata-retain",
    "payloads-ddata-seq-inc",
    "payloads-ddata-timestamp",
    "payloads-metric-datatype-not-req",
    "payloads-metric-datatype-req",
    "payloads-metric-datatype-value",
    "payloads-metric-datatype-value-type",
    "payloads-name-birth-data-requirement",
    "payloads-nbirth-bdseq",
    "payloads-nbirth-qos",
    "payloads-nbirth-rebirth-req",
    "payloads-nbirth-retain",
    "payloads-nbirth-timestamp",
    "payloads-ndata-seq-inc",
    "payloads-ndeath-seq",
    "payloads-sequence-num-always-included",
    "payloads-sequence-num-incrementing",
    "payloads-sequence-num-zero-nbirth",
    "principles-birth-certificates-order",
    "topic-structure-namespace-a",
    "topic-structure-namespace-device-id-associated-message-types",
    "topic-structure-namespace-device-id-non-associated-message-types",
    "topics-dbirth-metric-reqs",
    "topics-dbirth-metrics",
    "topics-dbirth-mqtt",
    "topics-ddata-mqtt",
    "topics-nbirth-metrics",
    "topics-nbirth-mqtt",
    "topics-nbirth-seq-num",
    "topics-ndata-mqtt",
    "topics-ndeath-payload",
    "topics-ndeath-seq",
]


@pytest.fixture(scope="module")
def verdict(story) -> Verdict:
    return judge(story)


@pytest.mark.parametrize("assertion", ASSERTIONS, ids=lambda name: f"tck-id-{name}")
def test_story_when_a_host_judges_it_then_the_assertion_was_checked_and_holds(verdict, assertion):
    assert assertion in verdict.checked
    assert assertion not in verdict.broken


def test_story_when_a_host_judges_it_then_nothing_at_all_is_broken(verdict):
    assert verdict.broken == []


def without(story: list[Message], verb: str, nth: int = 0) -> list[Message]:
    index = [i for i, message in enumerate(story) if message.verb == verb][nth]
    return story[:index] + story[index + 1 :]


def turned(story: list[Message], verb: str, change: Callable[[Message], Message]) -> list[Message]:
    return [change(message) if message.verb == verb else message for message in story]


def as_verb(message: Message, verb: str) -> Message:
    return replace(message, topic=message.topic.replace(message.verb, verb))


def recoded(change: Callable[[Payload], Payload]) -> Callable[[Message], Message]:
    """A change of a message's payload."""
    code = SparkplugB()
    return lambda m: replace(m, payload=code.encode(change(code.decode(m.payload))))


def each_metric(**changes: Any) -> Callable[[Message], Message]:
    return recoded(lambda p: replace(p, metrics=tuple(replace(m, **changes) for m in p.metrics)))


@pytest.mark.parametrize(
    ("assertion", "spoil"),
    [
        ("payloads-sequence-num-incrementing", lambda s: without(s, "DDATA", 5)),
        ("payloads-ddata-seq-inc", lambda s: without(s, "DDATA", 260)),
        ("payloads-ddata-order", lambda s: without(s, "DBIRTH")),
        ("payloads-dbirth-order", lambda s: without(s, "DBIRTH", 5)),
        ("topics-dbirth-metric-reqs", lambda s: without(s, "DBIRTH", 3)),
        ("principles-birth-certificates-order", lambda s: without(s, "NBIRTH")),
        (
            "payloads-nbirth-retain",
            lambda s: turned(s, "NBIRTH", lambda m: replace(m, retain=True)),
        ),
        ("payloads-ddata-qos", lambda s: turned(s, "DDATA", lambda m: replace(m, qos=1))),
        ("topics-ndeath-payload", lambda s: [*s, as_verb(s[0], "NDEATH")]),
        ("payloads-ndeath-seq", lambda s: [*s, as_verb(s[0], "NDEATH")]),
        (
            "topics-nbirth-seq-num",
            lambda s: turned(s, "NBIRTH", recoded(lambda p: replace(p, seq=7))),
        ),
        (
            "operational-behavior-data-commands-rebirth-name-aliases",
            lambda s: turned(s, "NBIRTH", each_metric(alias=99)),
        ),
        (
            "operational-behavior-data-commands-rebirth-action-3",
            lambda s: [s[0], each_metric(value=5)(s[0]), *s[1:]],
        ),
        ("payloads-alias-uniqueness", lambda s: turned(s, "DBIRTH", each_metric(alias=1))),
        (
            "payloads-alias-data-cmd-requirement",
            lambda s: turned(s, "DDATA", each_metric(name="code/code")),
        ),
        (
            "payloads-name-birth-data-requirement",
            lambda s: turned(s, "NDATA", each_metric(timestamp=None)),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_judge_when_a_message_is_wrong_then_it_names_the_assertion(story, assertion, spoil):
    assert assertion in judge(spoil(story)).broken


def test_rows_when_a_host_reads_them_then_they_are_the_ledgers(story):
    rows = rows_of(story)
    assert [row["seq"] for row in rows] == list(range(1, 306))
    assert rows[0] == rows[0] | {
        "id": "0193-000001-1-1",
        "code": "A1",
        "confidence": 0.97,
        "match": None,
        "field": "code",
        "device": "press-1",
        "read_at": int(NOON.timestamp() * 1000),
        "captured_at": None,
        "late": False,
    }
    assert (rows[301]["status"], rows[301]["code"]) == ("failed", None)
    assert [row["seq"] for row in rows if row["late"]] == [303]


def test_births_when_backlog_came_then_it_is_told_but_is_no_current_value():
    node = make_node()
    births(node)
    data(node, make_row(7, code="NOW"))
    data(node, make_row(3, code="THEN"), late=True)
    data(node, make_row(4, camera="press-4", code="THEN"), late=True)
    _, first, second = births(node)
    assert first.decoded.named("code/code").value == "NOW"
    assert first.decoded.named("code/seq").value == 7
    assert second.decoded.named("code/code").is_null


def test_births_when_an_older_row_is_offered_again_then_the_newest_stays():
    node = make_node()
    births(node)
    data(node, make_row(7, code="NOW"))
    data(node, make_row(6, code="BEFORE"))
    assert births(node)[1].decoded.named("code/code").value == "NOW"


def test_data_when_a_field_is_new_then_the_device_is_born_again_with_both():
    node = make_node()
    births(node)
    first = data(node, make_row(1))
    again = data(node, make_row(2))
    other = data(node, make_row(3, field="batch"))
    assert [m.verb for m in first + again + other] == [
        "DBIRTH",
        "DDATA",
        "DDATA",
        "DBIRTH",
        "DDATA",
    ]
    names = {metric.name for metric in other[0].decoded.metrics}
    assert {"code/code", "batch/code"} <= names
    assert other[0].decoded.named("code/id").value == "0193-000002-1-1"
    assert other[0].decoded.named("batch/id").is_null


def test_cursor_when_another_life_remembers_it_then_its_births_are_the_same():
    node = make_node()
    births(node)
    for row in (make_row(1, captured_at=NOON), make_row(2, camera="部品 ✓", match=False)):
        data(node, row)
    heir = make_node()
    heir.remember(json.loads(json.dumps(node.cursor())))
    assert [m.payload for m in births(heir, 9)[1:]] == [m.payload for m in births(node, 9)[1:]]


def test_remember_when_the_cursor_is_of_another_version_then_unknown_metrics_are_left_out():
    node = make_node()
    values = {"code": "A1", "weather": "fine"}
    kept = {"seq": 3, "at": NOON.isoformat(), "values": values}
    node.remember({"devices": {"press-3": {"code": kept}}})
    node.remember({"last": {"press-3": 9}})
    node.remember(None)
    birth = births(node)[1].decoded
    assert birth.named("code/code").value == "A1"
    assert "code/weather" not in {metric.name for metric in birth.metrics}


def test_devices_when_cameras_have_odd_names_then_topics_are_levels_and_the_metric_is_in_full():
    node = make_node()
    births(node)
    birth, message = data(node, make_row(1, camera="line/1+2#"))
    assert message.levels[4] == "line_1_2_" == birth.levels[4]
    assert rows_of([birth, message])[0]["camera"] == "line/1+2#"
    same = data(node, make_row(2, camera="line_1_2_"))
    assert [m.verb for m in same] == ["DDATA"]


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        (rebirth_command(True), True),
        (rebirth_command(False), False),
        (b"", False),
        (b"\xff\xff\xff", False),
        (b"\x0a\x05rerun", False),
        # a timestamp that no calendar has
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + rebirth_command(True)[2:], False),
    ],
    ids=["true", "false", "empty", "noise", "other", "wild-time"],
)
def test_is_rebirth_when_a_command_comes_then_only_the_true_one_is_obeyed(content, is_one):
    assert make_node().is_rebirth(content) is is_one


def test_tell_when_not_born_then_the_next_birth_says_it():
    node = make_node()
    assert node.tell("draining", NOON) == []
    assert births(node)[0].decoded.named("Station/State").value == "draining"
    assert node.tell("draining", NOON) == []


def test_data_when_a_picture_is_older_than_1970_then_its_time_is_the_first_there_is():
    node = make_node()
    births(node)
    row = make_row(1, captured_at=NOON - timedelta(days=36500))
    assert rows_of(births(node) + data(node, row))[0]["captured_at"] == 0


def test_death_when_made_then_it_has_only_its_number_and_qos_1():
    death = make_node().death(255, NOON)
    payload = decode(death.payload)
    assert (death.qos, death.topic) == (1, "spBv1.0/site-area/NDEATH/line-1")
    assert payload.seq is None
    assert [(m.name, m.value, m.datatype) for m in payload.metrics] == [("bdSeq", 255, 4)]
