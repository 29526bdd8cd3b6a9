"""How a run of training is stopped: what was learned is kept, and the way to go on is said.

It imports nothing heavy, so that it is in force while PyTorch loads.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

STOPS = frozenset({signal.SIGINT, signal.SIGTERM})
_POSIX = os.name == "posix"
STATE = "state.pt"
"""The file of a run that it goes on from."""


class Stop:
    """A signal's handler that raises KeyboardInterrupt, in the process that made it only."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._asked = self._held = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        # worker processes are forked with this handler; who made them ends them
        if os.getpid() != self._owner:
            return
        again, self._asked = self._asked, True
        if again or not self._held:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Put a first stop off until the block has ended; processes that it starts get none.

        Python loses an exception that is raised while it forks, and a worker that is stopped
        before it is ready leaves the others waiting for ever.
        """
        self._held = True
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS) if _POSIX else None
        try:
            yield
        finally:
            self._held = False
            if before is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if self._asked:
            raise KeyboardInterrupt


def step_aside() -> None:
    """Leave the process group, in a process that was started while stops were held.

    A stop of the group is then for the process that started this one, which ends it.
    """
    if not _POSIX:
        for each in STOPS:
            signal.signal(each, signal.SIG_IGN)
        return
    os.setpgrp()
    while STOPS & signal.sigpending():
        signal.sigwait(STOPS)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


@contextmanager
def stoppable(run: Path, say: Callable[[str], None]) -> Iterator[Stop]:
    """Let Ctrl-C and a service manager's stop raise KeyboardInterrupt, and say how to go on."""
    stop = Stop()
    before = {each: signal.signal(each, stop) for each in STOPS}
    try:
        yield stop
    except KeyboardInterrupt:
        if (run / STATE).exists():
            say(f"stopped; {run} keeps what was learned, and the same command goes on")
        else:
            say("stopped; nothing was learned yet, and the same command begins anew")
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
