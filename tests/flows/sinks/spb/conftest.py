"""The story of an edge node that every test of this folder may read."""

from __future__ import annotations

import pytest
from sparkplugs import Message
from stories import a_long_story


@pytest.fixture(scope="package")
def story() -> list[Message]:
    return a_long_story()
