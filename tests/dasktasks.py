"""Tasks for workers: sound code, code that crashes, and native code that hangs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import dask
from dask.delayed import Delayed


def pid() -> int:
    return os.getpid()


def die() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang() -> None:
    # Holds the interpreter's lock, as a loop in native code would: no polite request is heard.
    import ctypes

    ctypes.PyDLL(None).sleep(3600)


def call(function: Callable[[], Any]) -> Delayed:
    return dask.delayed(function, pure=False)()
