"""Fixtures of the tests of what an attacker, a mistake or a stranger may do."""

from __future__ import annotations

from pathlib import Path

import certificates
import pytest
from brokers import mosquitto  # noqa: F401


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> Path:
    """A folder of certificates; see `certificates.make`."""
    return certificates.make(tmp_path_factory.mktemp("pki"))
