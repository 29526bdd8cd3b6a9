"""Whether a canary came late, and what that says of an inbox: a pure judgement, in seconds.

Late is what goes beyond the pauses that its source makes by its own settings: none where events
tell of new files, one between two scans for the scan behind them, and where the folder is polled
two looks and the quiet that every file must keep.
"""

from __future__ import annotations

from dataclasses import dataclass

from flows.care.sightings import Sighting
from stages.ports import Perch


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long a canary may take by its source's own settings: until scanned, until whole."""

    scanned: float
    whole: float
    events: bool

    @property
    def longest(self) -> float:
        """The longer of the two."""
        return max(self.scanned, self.whole)


@dataclass(frozen=True, slots=True)
class Delays:
    """How long a canary took to be found whole, told of and scanned; None for never.

    `late_seconds` is the most by which one of these went beyond its pause; `words` say what a
    person must know, None when all is well.
    """

    seconds: float | None
    events_seconds: float | None
    scan_seconds: float | None
    late_seconds: float
    words: str | None


def pauses_of(perch: Perch, quiet_seconds: float, events: bool | None) -> Pauses:
    """The pauses of a source; with `events` None it has not said yet whether events tell it."""
    if events:
        return Pauses(perch.scan_seconds, 0.0, events=True)
    first = perch.scan_seconds if events is None else perch.poll_seconds
    return Pauses(first, first + perch.poll_seconds + quiet_seconds, events=False)


def is_over(sighting: Sighting, pauses: Pauses) -> bool:
    """Whether nothing more is to be seen of a canary."""
    seen = sighting.scanned is not None and sighting.whole is not None
    return seen and (sighting.heard is not None or not pauses.events)


def judge(
    sighting: Sighting,
    written: float,
    now: float,
    pauses: Pauses,
    most_seconds: float,
    *,
    vanished: bool = False,
) -> Delays:
    """What a canary tells that was written then and taken in now; `vanished` if it was not there.

    `most_seconds` is how late it may be. What it was not seen by counts until `now`.
    """
    whole = _since(written, sighting.whole)
    heard = _since(written, sighting.heard)
    scanned = _since(written, sighting.scanned)
    age = now - written
    if vanished and whole is None:
        words = (
            "a file written there was gone before it was found whole: another program takes files "
            "out of this inbox, and may take pictures; end it, or give each an inbox of its own"
        )
        return Delays(None, heard, scanned, 0.0, words)
    late = {"whole": (age if whole is None else whole) - pauses.whole}
    if not vanished:
        late["scanned"] = (age if scanned is None else scanned) - pauses.scanned
    if pauses.events:
        late["heard"] = age if heard is None else heard
    worst = max(0.0, *late.values())
    words = _words(whole, heard, scanned, age, late, most_seconds) if worst > most_seconds else None
    return Delays(whole, heard, scanned, worst, words)


def _words(
    whole: float | None,
    heard: float | None,
    scanned: float | None,
    age: float,
    late: dict[str, float],
    most_seconds: float,
) -> str:
    if whole is None and heard is None and scanned is None:
        return (
            f"a file written there was not seen within {age:.0f} s: pictures wait there unseen; "
            "see the log, look at the share, then restart `markwatch watch`"
        )
    if whole is None:
        return (
            f"a file written there was seen, but not found whole within {age:.0f} s: see the log "
            "and whether this user may read there"
        )
    if late.get("heard", 0.0) > most_seconds:
        found = "no event told" if heard is None else f"events told only after {heard:.0f} s"
        return (
            f"{found} of a file written there, which a scan found: pictures come late; set this "
            "source's mode: polling"
        )
    if scanned is None and "scanned" in late:
        return (
            f"events told of a file written there, but within {age:.0f} s no scan found it, which "
            "is what finds lost pictures: look at the share, and how many files lie there"
        )
    slowest = whole if late["whole"] > most_seconds else scanned
    return (
        f"a file written there was found only after {slowest or 0:.0f} s: pictures come late; look "
        "at the share, at how many files lie there, and at this machine's load"
    )


def _since(written: float, moment: float | None) -> float | None:
    return None if moment is None else max(0.0, moment - written)
