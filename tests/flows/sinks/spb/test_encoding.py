"""The payload: the generated module is the .proto's, and others read what it writes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sparkplugs
from hypothesis import given
from hypothesis import strategies as st

from flows.sinks.spb import sparkplug_b_pb2
from flows.sinks.spb.encoding import DataType, Metric, Payload, SparkplugB

PROTO = Path(sparkplug_b_pb2.__file__).with_name("sparkplug_b.proto")
OTHER = ["mqtt-spb-wrapper==2.1.2", "paho-mqtt==1.6.1", "protobuf==3.20.3"]
"""Another implementation, whose versions are not this project's."""
OTHERS_PROGRAM = """
import json, sys
from mqtt_spb_wrapper.spb_protobuf.sparkplug_b_pb2 import Payload
def read(line):
    message = Payload()
    message.ParseFromString(bytes.fromhex(line))
    assert not message.UnknownFields() if hasattr(message, "UnknownFields") else True
    return {
        "timestamp": message.timestamp, "seq": message.seq if message.HasField("seq") else None,
        "metrics": [
            [m.name, m.alias, m.timestamp, m.datatype, m.is_historical, m.is_null,
             m.WhichOneof("value"), m.WhichOneof("value") and getattr(m, m.WhichOneof("value"))]
            for m in message.metrics
        ],
    }
print(json.dumps([read(line) for line in sys.stdin.read().split()]))
"""
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
VALUES = {
    DataType.INT32: st.integers(-(2**31), 2**31 - 1),
    DataType.INT64: st.integers(-(2**63), 2**63 - 1),
    DataType.DOUBLE: st.floats(allow_nan=False),
    DataType.BOOLEAN: st.booleans(),
    DataType.STRING: st.text(st.characters(exclude_categories=["Cs"])),
    DataType.DATETIME: MOMENTS,
}


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    datatype = draw(st.sampled_from(DataType))
    return Metric(
        timestamp=draw(st.none() | MOMENTS),
        value=draw(st.none() | VALUES[datatype]),
        name=draw(st.text("aß部", min_size=1, max_size=4)),
        alias=draw(st.none() | st.integers(0, 2**64 - 1)),
        datatype=datatype,
        is_historical=draw(st.booleans()),
    )


PAYLOADS = st.builds(
    Payload,
    timestamp=st.none() | MOMENTS,
    metrics=st.lists(metrics(), max_size=4).map(tuple),
    seq=st.none() | st.integers(0, 255),
)


def test_generated_when_compared_with_the_proto_then_every_field_is_the_same():
    declared = {
        match["name"]: (match["kind"], int(match["number"]))
        for match in re.finditer(
            r"^ +(?:optional |repeated )?(?P<kind>\w+) (?P<name>\w+) = (?P<number>\d+);",
            PROTO.read_text(),
            re.MULTILINE,
        )
    }
    descriptor = sparkplug_b_pb2.Payload.DESCRIPTOR
    metric = sparkplug_b_pb2.Payload.Metric.DESCRIPTOR
    fields = [field for field in [*descriptor.fields, *metric.fields] if field.name != "timestamp"]
    names = {getattr(metric.fields[0], f"TYPE_{kind.upper()}"): kind for kind in _KINDS}
    generated = {field.name: (names.get(field.type, "Metric"), field.number) for field in fields}
    assert declared.pop("timestamp") == ("uint64", 1)
    assert metric.fields_by_name["timestamp"].number == 3
    assert generated == declared
    assert PROTO.read_text().startswith("// What markwatch uses") and 'syntax = "proto2"' in (
        PROTO.read_text()
    )


_KINDS = ("bool", "double", "string", "uint32", "uint64")


@given(PAYLOADS)
def test_encode_when_decoded_then_nothing_is_lost(payload):
    decoded = SparkplugB().decode(SparkplugB().encode(payload))
    unsigned = tuple(
        Metric(m.timestamp, _unsigned(m), m.name, m.alias, m.datatype, m.is_historical)
        for m in payload.metrics
    )
    assert decoded == Payload(payload.timestamp, unsigned, payload.seq)


def _unsigned(metric: Metric) -> object:
    sizes = {DataType.INT32: 2**32, DataType.INT64: 2**64}
    if metric.value is None or metric.datatype not in sizes:
        return metric.value
    return metric.value % sizes[metric.datatype]


@given(PAYLOADS)
def test_encode_when_a_reader_goes_by_the_specifications_numbers_then_it_sees_the_same(payload):
    heard = sparkplugs.decode(SparkplugB().encode(payload))
    assert heard.seq == payload.seq
    for told, metric in zip(heard.metrics, payload.metrics, strict=True):
        assert (told.name, told.alias, told.datatype) == (
            metric.name,
            metric.alias,
            metric.datatype,
        )
        assert told.is_null == (metric.value is None)
        assert told.is_null or told.value_field == sparkplugs.VALUE_FIELD[metric.datatype]
        if metric.datatype in (DataType.STRING, DataType.BOOLEAN, DataType.DOUBLE):
            assert told.value == metric.value
        if metric.timestamp is not None:
            assert timedelta(milliseconds=told.timestamp) == metric.timestamp - _EPOCH


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.binary(max_size=60))
def test_decode_when_it_gets_noise_then_it_is_a_payload_or_a_value_error(content):
    try:
        assert isinstance(SparkplugB().decode(content), Payload)
    except ValueError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("verb", "device", "topic"),
    [
        ("NBIRTH", None, "spBv1.0/a b/NBIRTH/plant_1"),
        ("DDATA", "部品/1+", "spBv1.0/a b/DDATA/plant_1/部品_1_"),
    ],
    ids=["tck-id-topics-nbirth-topic", "tck-id-topic-structure-namespace-valid-device-id"],
)
def test_topic_when_names_have_reserved_characters_then_they_are_replaced(verb, device, topic):
    assert SparkplugB().topic("a b", verb, "plant#1", device) == topic


@pytest.fixture(scope="module")
def other(request) -> Path:
    """A folder with another implementation in it, fetched once; not in this project's versions."""
    folder = Path(request.config.cache.mkdir("sparkplug-other"))
    marker = folder / "complete"
    if not marker.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
        done = subprocess.run(
            [*command, "--target", folder, *OTHER], capture_output=True, text=True, timeout=180
        )
        if done.returncode:
            pytest.skip(
                f"the other implementation is not to be had: {done.stderr.splitlines()[-1]}"
            )
        marker.touch()
    return folder


def test_encode_when_another_implementation_reads_a_session_then_it_sees_the_same(other, story):
    # Without site-packages: it must not find this project's own Protocol Buffers.
    done = subprocess.run(
        [sys.executable, "-S", "-c", OTHERS_PROGRAM],
        input="\n".join(message.payload.hex() for message in story),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(other)},
    )
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert len(read) == len(story) > 10
    kinds = {10: "int_value", 11: "long_value", 13: "double_value", 14: "boolean_value"}
    for message, found in zip(story, read, strict=True):
        own = message.decoded
        assert (found["timestamp"], found["seq"]) == (own.timestamp, own.seq)
        assert found["metrics"] == [
            [
                metric.name or "",
                metric.alias or 0,
                metric.timestamp,
                metric.datatype or 0,
                metric.is_historical,
                metric.is_null,
                kinds.get(metric.value_field, metric.value_field and "string_value"),
                metric.value,
            ]
            for metric in own.metrics
        ]
