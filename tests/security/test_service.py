"""The systemd unit: it parses, it starts what there is, and it is sandboxed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[2] / "conf" / "markwatch.service"
SANDBOX = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "IPAddressDeny": "any",
    "IPAddressAllow": "localhost",
    "UMask": "0027",
}
MOST_EXPOSED = 1.5


@pytest.fixture(scope="module")
def unit() -> dict[str, list[str]]:
    """The unit's settings; a setting may stand more than once."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if match := re.fullmatch(r"([A-Z]\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
        else:
            assert not line or line.startswith(("#", "[")), line
    return found


def test_unit_when_read_then_it_starts_the_command_in_the_folder_that_it_may_write(unit):
    program, verb, option, root = unit["ExecStart"][0].split()
    assert program.endswith("/.venv/bin/markwatch") and (verb, option) == ("watch", "--root")
    assert [root] == unit["ReadWritePaths"] == unit["WorkingDirectory"]
    assert unit["User"] != ["root"] and unit["KillSignal"] == ["SIGTERM"]
    # Longer than the flow itself takes to finish and flush.
    assert int(unit["TimeoutStopSec"][0]) > 2 * 20


def test_unit_when_read_then_it_is_sandboxed_and_holds_no_secret(unit):
    assert {key: unit[key] for key in SANDBOX} == {key: [value] for key, value in SANDBOX.items()}
    assert "Environment" not in unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_unit_when_systemd_looks_at_it_then_it_verifies_and_is_hardly_exposed(tmp_path):
    text = UNIT.read_text().replace("/opt/markwatch/.venv/bin/markwatch", "/usr/bin/true")
    copy = tmp_path / "markwatch.service"
    copy.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True
    )
    assert done.returncode == 0 and copy.name not in done.stderr, done.stderr
    done = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", copy],
        capture_output=True,
        text=True,
    )
    (exposure,) = re.findall(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(exposure) <= MOST_EXPOSED
