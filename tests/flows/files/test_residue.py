"""What a crash leaves in work/: second names go, and what nobody knows is told of."""

from __future__ import annotations

import hashlib
import os

from made import MORNING, Clock, report

from flows.configuration.settings import Layout
from flows.files.residue import clear_residue
from flows.ledger.log import Claim, Ledger, Outcome

ID = "01900000-0000-7000-8000-{:012d}"


def filed(layout, ledger, number):
    """A picture that was reported and filed; returns its old name in work/ and its new one."""
    data = f"picture {number}".encode()
    target = layout.root / "data" / "archive" / f"{number}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    work = layout.work / f"{ID.format(number)}.png"
    claim = Claim(
        ID.format(number), f"/in/{number}.png", f"data/work/{work.name}", "cam", "x", 1, 1
    )
    read = report(number, path=str(work), sha256=hashlib.sha256(data).hexdigest())
    ledger.intend([claim])
    ledger.claimed([read.image])
    ledger.commit([Outcome(read, f"data/archive/{number}.png")], "station-1")
    ledger.archived([read.image.id])
    return work, target


def test_residue_when_names_came_back_then_only_what_is_elsewhere_too_goes(tmp_path):
    layout = Layout(tmp_path)
    layout.work.mkdir(parents=True)
    with Ledger(layout.ledger, Clock(MORNING), root=layout.root) as ledger:
        linked, target = filed(layout, ledger, 1)
        os.link(target, linked)
        copied, target = filed(layout, ledger, 2)
        copied.write_bytes(target.read_bytes())
        sidecar = copied.with_name(f"{copied.name}.expected")
        sidecar.write_text("K1")
        half = layout.work / ".0123456789abcdef.part"
        half.touch()
        other, _ = filed(layout, ledger, 3)
        other.write_bytes(b"not the same picture")
        unfiled, target = filed(layout, ledger, 4)
        unfiled.write_bytes(target.read_bytes())
        target.unlink()
        stranger = layout.work / f"{ID.format(5)}.png"
        stranger.write_bytes(b"from a ledger that is gone")
        claim = Claim(ID.format(6), "/in/6.png", f"data/work/{ID.format(6)}.png", "cam", "x", 1, 1)
        ledger.intend([claim])
        owned = layout.root / claim.work
        owned.touch()

        unknown = clear_residue(layout, ledger, ledger.unfinished())

    assert not any(path.exists() for path in (linked, copied, sidecar, half))
    assert all(path.exists() for path in (other, unfiled, stranger, owned))
    assert unknown == [path.name for path in (other, unfiled, stranger)]
