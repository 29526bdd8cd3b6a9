"""Frame -> Frame: the recipe's `preprocess` list, one operation after another.

`OPERATIONS` is the one table: an operation is an options model and a pure function in one of the
modules beside this, and one line here. The recipe's `Step`, its checks and the list of known
names are made from the table. Operations work on grey and RGB and leave their input alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, SerializeAsAny, create_model, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from stages.errors import ImageError
from stages.options import Options
from stages.preprocess import filters, geometry, morphology, tone
from stages.records import Frame


@dataclass(frozen=True, slots=True)
class Operation:
    """What a recipe may type under a name, and what is then done."""

    options: type[Options]
    apply: Callable[[Frame, Any], Frame]


OPERATIONS: dict[str, Operation] = {
    "bilateral": Operation(filters.BilateralOptions, filters.bilateral),
    "blur": Operation(filters.BlurOptions, filters.blur),
    "contrast": Operation(tone.ContrastOptions, tone.contrast),
    "crop": Operation(geometry.CropOptions, geometry.crop),
    "dilate": Operation(morphology.MorphologyOptions, morphology.dilate),
    "erode": Operation(morphology.MorphologyOptions, morphology.erode),
    "resize": Operation(geometry.ResizeOptions, geometry.resize),
    "rotate": Operation(geometry.RotateOptions, geometry.rotate),
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

    Raises:
        ImageError: a step does not fit this picture; the text says which.
    """
    for index, step in enumerate(steps):
        try:
            frame = OPERATIONS[step.name].apply(frame, step.options)
        except ImageError as error:
            raise ImageError(f"preprocess[{index}] {step.name}: {error}") from error
    return frame
