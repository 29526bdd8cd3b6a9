"""Fixtures for the flows: rows, and brokers to send them to."""

from brokers import broker, mosquitto, row

__all__ = ["broker", "mosquitto", "row"]
