"""What marks of each style look like: how they are made, on which materials, in which tones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import torch

from flows.training.drawing.styles import Style
from flows.training.marking.textures import Substrate as On


class Making(IntEnum):
    """What a mark does to its surface."""

    INKED = 0
    LASERED = 1
    SHAPED = 2
    LIT = 3


@dataclass(frozen=True, slots=True)
class Look:
    """How the marks of one style look.

    `by` and `on` hold what they are made by and on, the usual ones more than once. `light` is the
    share of marks lighter than their ground, `ground` the range of its tone, `clear` and `hard` the
    range of the contrast at severity 0 and 1, all on a scale of 0..1. Of shaped marks `raised` is
    the share that stands out, and `painted` the share with paint on or in them; `conical` ones are
    pointed, as dents of a needle are.
    """

    by: tuple[Making, ...]
    on: tuple[On, ...]
    light: float
    ground: tuple[float, float] = (0.05, 0.95)
    clear: tuple[float, float] = (0.55, 0.9)
    hard: tuple[float, float] = (0.1, 0.4)
    raised: float = 0.0
    painted: float = 0.0
    conical: bool = False


INK, LASER, SHAPE, LIGHT = (Making.INKED,), (Making.LASERED,), (Making.SHAPED,), (Making.LIT,)
WORKED = (On.BRUSHED, On.TURNED, On.MACHINED)
METALS = (*WORKED, On.CAST, On.BLASTED, On.RUSTED, On.PHOTOGRAPHED)
SHEETS = (On.PLASTIC, On.CARD, On.PAINTED)
PRINTABLE = (*SHEETS, *SHEETS, On.PHOTOGRAPHED, On.BRUSHED, On.BLASTED, On.RUBBER)
MOULDED = (On.CAST, On.PLASTIC, On.RUBBER, On.PAINTED, On.PHOTOGRAPHED)

LOOKS: dict[Style, Look] = {
    Style.PRINT: Look(INK, PRINTABLE, 0.35),
    Style.LASER: Look(
        (*LASER * 5, *SHAPE),
        (*METALS, *WORKED, On.PLASTIC, On.RUBBER),
        0.5,
        clear=(0.35, 0.7),
        hard=(0.08, 0.3),
        painted=0.5,
    ),
    Style.ENGRAVED: Look(SHAPE, (*METALS, On.PLASTIC, On.PAINTED), 0.3, (0.3, 0.8), painted=0.35),
    Style.EMBOSSED: Look(SHAPE, MOULDED, 0.5, (0.15, 0.8), raised=1.0, painted=0.3),
    Style.STAMPED: Look(SHAPE, METALS, 0.3, (0.3, 0.8), painted=0.15),
    Style.STENCIL: Look(INK, (*METALS, On.CARD, On.PAINTED), 0.5),
    Style.DOTS_PEEN: Look(SHAPE, METALS, 0.4, (0.3, 0.8), painted=0.1, conical=True),
    Style.DOTS_INKJET: Look(INK, PRINTABLE, 0.3),
    Style.SEGMENTS: Look(LIGHT, (On.PANEL,), 0.55, clear=(0.5, 0.85), hard=(0.12, 0.4)),
    Style.PLATE: Look(
        (*INK * 2, *SHAPE),
        (On.PAINTED, On.PLASTIC, On.PANEL),
        0.35,
        clear=(0.6, 0.9),
        hard=(0.15, 0.5),
        raised=1.0,
        painted=1.0,
    ),
    Style.RECEIPT: Look(INK, (On.CARD,), 0.03, ground=(0.6, 0.97), hard=(0.12, 0.5)),
    Style.CHIP: Look(
        (*LASER * 4, *INK),
        (On.MOULD, On.MOULD, On.PLASTIC),
        0.93,
        ground=(0.05, 0.4),
        clear=(0.3, 0.6),
        hard=(0.08, 0.3),
    ),
}


@dataclass(frozen=True, slots=True)
class Looks:
    """The looks of a batch, sample by sample, as tensors.

    `by` (N, makings) and `on` (N, substrates) are weights; `ground`, `clear` and `hard` (2, N) hold
    the ends of their ranges; the others are (N,).
    """

    by: torch.Tensor
    on: torch.Tensor
    light: torch.Tensor
    ground: torch.Tensor
    clear: torch.Tensor
    hard: torch.Tensor
    raised: torch.Tensor
    painted: torch.Tensor
    conical: torch.Tensor

    @classmethod
    def of(cls, styles: torch.Tensor) -> Looks:
        """The looks of `styles` (N,) long, on the same device."""
        looks = [LOOKS[style] for style in Style]

        def figures(values: Sequence[float | Sequence[float]]) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.float32, device=styles.device)[styles]

        return cls(
            by=figures([[look.by.count(making) for making in Making] for look in looks]),
            on=figures([[look.on.count(on) for on in On] for look in looks]),
            light=figures([look.light for look in looks]),
            ground=figures([look.ground for look in looks]).T,
            clear=figures([look.clear for look in looks]).T,
            hard=figures([look.hard for look in looks]).T,
            raised=figures([look.raised for look in looks]),
            painted=figures([look.painted for look in looks]),
            conical=figures([look.conical for look in looks]) > 0,
        )
