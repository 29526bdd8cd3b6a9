"""Frame -> Frame: the recipe's `preprocess` list, one operation after another.

`OPERATIONS` is the one table: an operation is an options model and a pure function in one of the
modules beside this, and one line here. The recipe's `Step`, its checks and the list of known
names are made from the table. Operations work on grey and RGB and leave their input alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
from pydantic import Field, SerializeAsAny, create_model, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from stages.errors import ImageError
from stages.options import Options
from stages.preprocess import (
    filters,
    geometry,
    light,
    morphology,
    parts,
    straighten,
    threshold,
    tone,
    unroll_arc,
    unroll_polygon,
)
from stages.preprocess.geometry import Part, Size
from stages.records import Frame


def _same(options: Options, size: Size) -> Size:
    return size


@dataclass(frozen=True, slots=True)
class Operation:
    """What a recipe may type under a name, and what is then done.

    `size` gives the result's size, as far as it is known before there is a picture, and raises
    `ImageError` where it is known already that the operation cannot work. `reads` says which part
    of the source a part of the result depends on, where that is not all of it; `part` works out
    only that part of the result.
    """

    options: type[Options]
    apply: Callable[[Frame, Any], Frame]
    size: Callable[[Any, Size], Size] = _same
    reads: parts.Reads | None = None
    part: parts.PartApply | None = None


def _around(
    options: type[Options], apply: Callable[[Frame, Any], Frame], reach_px: Callable[[Any], int]
) -> Operation:
    reads = parts.reading_around(reach_px)
    return Operation(options, apply, reads=reads, part=parts.on_part(apply, reads))


OPERATIONS: dict[str, Operation] = {
    "bilateral": Operation(filters.BilateralOptions, filters.bilateral),
    "black_hat": Operation(morphology.HatOptions, morphology.black_hat),
    "blur": _around(filters.BlurOptions, filters.blur, filters.reach_of_kernel),
    "brushed_metal": Operation(filters.BrushedMetalOptions, filters.brushed_metal),
    "clahe": Operation(tone.ClaheOptions, tone.clahe),
    "close": _around(morphology.MorphologyOptions, morphology.closing, morphology.reach_of_two),
    "contrast": Operation(tone.ContrastOptions, tone.contrast),
    "crop": Operation(
        geometry.CropOptions, geometry.crop, geometry.size_of_crop, geometry.read_by_crop
    ),
    "deskew": Operation(straighten.DeskewOptions, straighten.deskew, straighten.size_of_deskew),
    "dilate": _around(morphology.MorphologyOptions, morphology.dilate, morphology.reach),
    "erode": _around(morphology.MorphologyOptions, morphology.erode, morphology.reach),
    "gamma": _around(tone.GammaOptions, tone.gamma, lambda _: 0),
    "glare": Operation(light.GlareOptions, light.glare),
    "grey": _around(tone.GreyOptions, tone.grey, lambda _: 0),
    "illumination": Operation(light.IlluminationOptions, light.illumination),
    "invert": Operation(tone.InvertOptions, tone.invert),
    "median": _around(filters.MedianOptions, filters.median, filters.reach_of_kernel),
    "non_local_means": Operation(filters.NonLocalMeansOptions, filters.non_local_means),
    "open": _around(morphology.MorphologyOptions, morphology.opening, morphology.reach_of_two),
    "perspective": Operation(
        straighten.PerspectiveOptions, straighten.perspective, straighten.size_of_perspective
    ),
    "resize": Operation(geometry.ResizeOptions, geometry.resize, geometry.size_of_resize),
    "rotate": Operation(
        geometry.RotateOptions, geometry.rotate, geometry.size_of_rotate, part=geometry.rotate
    ),
    "sharpen": Operation(filters.SharpenOptions, filters.sharpen),
    "threshold": Operation(threshold.ThresholdOptions, threshold.threshold),
    "top_hat": Operation(morphology.HatOptions, morphology.top_hat),
    "unroll_arc": Operation(
        unroll_arc.UnrollArcOptions,
        unroll_arc.unroll_arc,
        unroll_arc.size_of_unroll_arc,
        unroll_arc.read_by_unroll_arc,
        unroll_arc.unroll_arc,
    ),
    "unroll_polygon": Operation(
        unroll_polygon.UnrollPolygonOptions,
        unroll_polygon.unroll_polygon,
        unroll_polygon.size_of_unroll_polygon,
        unroll_polygon.read_by_unroll_polygon,
        unroll_polygon.unroll_polygon,
    ),
}


class _OneOperation(Options):
    @model_validator(mode="before")
    @classmethod
    def _one_known_name(cls, typed: Any) -> Any:
        if isinstance(typed, cls):
            return typed
        if not isinstance(typed, Mapping) or len(typed) != 1:
            raise PydanticCustomError(
                "one_operation", "write one operation per item, as in `- contrast: {factor: 3}`"
            )
        [(name, options)] = typed.items()
        if name not in OPERATIONS:
            raise PydanticCustomError(
                "unknown_operation",
                "unknown operation {name}; known are {known}",
                {"name": repr(name), "known": ", ".join(OPERATIONS)},
            )
        # YAML reads a bare `- erode:` as null.
        return {name: {} if options is None else options}

    @model_serializer
    def _as_typed(self) -> dict[str, SerializeAsAny[Options]]:
        return {self.name: self.options}

    def __repr_args__(self) -> Iterator[tuple[str, Options]]:
        yield self.name, self.options

    @property
    def name(self) -> str:
        """The operation: a key of `OPERATIONS`."""
        [name] = self.model_fields_set
        return name

    @property
    def options(self) -> Options:
        """The operation's own options model."""
        return getattr(self, self.name)


Step = create_model(
    "Step",
    __base__=_OneOperation,
    __doc__="One item of a recipe's `preprocess` list: a single operation with its options.",
    __module__=__name__,
    **{
        name: (operation.options | None, Field(None, description=operation.options.__doc__))
        for name, operation in OPERATIONS.items()
    },
)


def preprocess(frame: Frame, steps: Sequence[Step]) -> Frame:
    """Apply the steps in order; without any, the frame is returned as it is.

    What no later step looks at is not worked out, so that turning 8 megapixels costs no more than
    the band of text in them; the result is that of `stepwise`, bit for bit.

    Raises:
        ImageError: a step does not fit this picture; the text says which.
    """
    height, width = frame.pixels.shape[:2]
    for after in _applied(frame, steps, _looked_at(steps, (width, height))):
        frame = after
    # A crop is a window on all of the picture, which it would keep in memory.
    if not frame.pixels.flags.c_contiguous:
        frame = replace(frame, pixels=frame.pixels.copy())
    return frame


def stepwise(frame: Frame, steps: Sequence[Step]) -> Iterator[Frame]:
    """What `preprocess` makes of a frame, one frame after each step; computed as they are taken.

    Raises:
        ImageError: a step does not fit this picture; the text says which.
    """
    return _applied(frame, steps, [None] * len(steps))


def _applied(
    frame: Frame, steps: Sequence[Step], looked_at: Sequence[Part | None]
) -> Iterator[Frame]:
    for index, (step, part) in enumerate(zip(steps, looked_at, strict=True)):
        operation = OPERATIONS[step.name]
        try:
            if part is not None and operation.part is not None:
                frame = operation.part(frame, step.options, part)
            else:
                frame = operation.apply(frame, step.options)
        except ImageError as error:
            raise ImageError(f"preprocess[{index}] {step.name}: {error}") from error
        except cv2.error as error:
            if error.code == cv2.Error.StsNoMem:
                raise
            height, width = frame.pixels.shape[:2]
            raise ImageError(
                f"preprocess[{index}] {step.name}: OpenCV cannot do this to a picture of {width} x "
                f"{height} pixels: {error.err}"
            ) from error
        yield frame


def _looked_at(steps: Sequence[Step], size: Size) -> list[Part | None]:
    """For each step the part of its result that those after it read; None for all of it."""
    sizes = [size]
    looked_at: list[Part | None] = [None] * len(steps)
    for step in steps:
        try:
            sizes.append(OPERATIONS[step.name].size(step.options, sizes[-1]))
        except ImageError:
            # Said when it is applied, with the step's name.
            return looked_at
    part: Part | None = None
    for index in reversed(range(len(steps))):
        looked_at[index] = part
        operation, (before, after) = OPERATIONS[steps[index].name], sizes[index : index + 2]
        if operation.reads is None or None in (*before, *after):
            part = None
        else:
            part = operation.reads(steps[index].options, before, part or (0, 0, *after))
    return looked_at


def first_misfit(steps: Sequence[Step]) -> tuple[int, str] | None:
    """The first step that can fit no picture after the ones before it, and why; None if all may.

    A crop after `resize: {width_px: 575, height_px: 160}`, say, must lie within 575 x 160.
    """
    size: Size = (None, None)
    for index, step in enumerate(steps):
        try:
            size = OPERATIONS[step.name].size(step.options, size)
        except ImageError as error:
            return index, str(error)
    return None


def size_after(steps: Sequence[Step]) -> Size:
    """The size of what `preprocess` makes of any picture; None where it depends on the picture.

    Raises:
        ImageError: a step can fit no picture after the ones before it.
    """
    size: Size = (None, None)
    for step in steps:
        size = OPERATIONS[step.name].size(step.options, size)
    return size
