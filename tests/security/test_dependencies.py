"""What is installed: pinned with hashes, and the same in both lists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
FILE = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def pins(text: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def test_hashes_when_read_then_every_locked_package_has_some_and_nothing_else_is_there():
    hashed = (ROOT / "requirements.hashes").read_text()
    assert pins(hashed) == pins((ROOT / "requirements.lock").read_text()), "make lock"
    blocks = re.split(r"\n(?=\S)", hashed.strip())
    assert all(FILE.search(block) for block in blocks)
    for line in hashed.splitlines():
        assert re.match(r"[\w.-]+==", line) or FILE.fullmatch(line.strip(" \\")), line


def test_setup_when_hashes_are_asked_for_then_pip_is_told_to_want_them():
    command = ["make", "-n", "-B", "setup"]
    plain = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    strict = subprocess.run(
        [*command, "HASHES=1"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "--require-hashes -r requirements.hashes" in strict
    assert "-r requirements.lock" in plain and "--require-hashes" not in plain
