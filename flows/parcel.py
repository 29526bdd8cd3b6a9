"""A picture on its way through the graph, and how a stage is done to it.

A failure is a value: it takes the place of its picture's records and travels the same road, so one
bad picture never takes its neighbours along.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from stages.decode import DecodeOptions, content_of
from stages.errors import ImageError, MarkwatchError
from stages.records import Failure, ImageRef


@dataclass(frozen=True, slots=True)
class Parcel:
    """A picture on its way through the graph: what it is by now, or why it failed.

    At first its `content` is the bytes of its file, or None where `decode` is to open it.
    """

    image: ImageRef
    content: Any
    timings_ms: tuple[tuple[str, float], ...] = ()

    @property
    def failed(self) -> bool:
        return isinstance(self.content, Failure)


def carried(parcels: Sequence[Parcel], options: DecodeOptions) -> list[Parcel]:
    """The same with the bytes of their files; what cannot be read has failed."""
    done = []
    for parcel in parcels:
        done.extend(
            each("decode", [parcel], lambda _, image=parcel.image: content_of(image, options))
        )
    return done


def each(stage: str, parcels: Sequence[Parcel], function: Callable[[Any], Any]) -> list[Parcel]:
    """Run a stage on every picture that has not failed, timing it; a failure becomes a value."""
    result = []
    for parcel in parcels:
        if parcel.failed:
            result.append(parcel)
            continue
        begin = time.perf_counter()
        try:
            content = function(parcel.content)
        except Exception as error:
            result.append(fail(parcel, stage, error))
            continue
        timings = (*parcel.timings_ms, (stage, milliseconds(begin)))
        result.append(replace(parcel, content=content, timings_ms=timings))
    return result


def fail(parcel: Parcel, stage: str, error: Exception) -> Parcel:
    known = isinstance(error, MarkwatchError)
    if not known:
        structlog.get_logger("markwatch.graph").exception(
            "stage failed", stage=stage, image=parcel.image.name, camera=parcel.image.camera
        )
    words = " ".join(str(error).split())
    failure = Failure(
        image=parcel.image,
        stage=stage,
        reason=words if known else f"{stage} failed: {type(error).__name__}: {words}",
        retryable=not isinstance(error, ImageError),
    )
    return replace(parcel, content=failure)


def milliseconds(begin: float) -> float:
    return round((time.perf_counter() - begin) * 1000, 3)
