"""Stories of an edge node for tests: its messages as a broker would hand them on."""

from __future__ import annotations

from typing import Any

from brokers import NOON, make_row
from sparkplugs import Message

from flows.sinks.spb.encoding import SparkplugB
from flows.sinks.spb.node import EdgeNode, Publication


def make_node(**about: str) -> EdgeNode:
    return EdgeNode("site-area", "line-1", SparkplugB(), {"Software": "markwatch", **about})


def heard(*publications: Publication) -> list[Message]:
    return [Message(each.topic, each.payload, each.qos) for each in publications]


def births(node: EdgeNode, bd_seq: int = 0) -> list[Message]:
    return heard(*node.births(bd_seq, NOON))


def data(node: EdgeNode, row: dict[str, Any], late: bool = False) -> list[Message]:
    messages = heard(*node.data(row, late, NOON))
    if not late:
        node.note(row)
    return messages


def a_long_story() -> list[Message]:
    """Two sessions with all that can happen: cameras, fields, failures, backlog, rebirth, death."""
    node = make_node()
    story = births(node)
    for seq in range(1, 301):
        story += data(node, make_row(seq, camera=f"press-{seq % 3}"))
    story += data(node, make_row(301, camera="press-0", field="date", code=None, confidence=None))
    story += data(node, make_row(302, camera="press-0", status="failed"))
    story += data(node, make_row(303, camera="late only"), late=True)
    story += heard(*node.tell("draining", NOON))
    story += births(node)
    story += data(node, make_row(304, camera="press-1"))
    story += heard(node.death(0, NOON))
    node.end()
    story += births(node, 1)
    story += data(node, make_row(305, camera="press-2"))
    return story + heard(node.death(1, NOON))
