"""Where the camera stands and how sharp it sees: perspective, bent surfaces, defocus, motion.

Lengths across the picture are in half heights of the crop, lengths of blur in pixels of the
camera; both are the same in either direction, as the camera's pixels are square.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from flows.training.camera.scene import Scene
from flows.training.marking.chance import Chance, plane, tailed

_MAX_TILT_DEG = 15.0
_MAX_ROLL_DEG = 6.0
_MAX_ROLL_RISE = 0.25
"""Of a line's end over its middle: a longer line was turned straight by who cropped it."""

_OVERSAMPLING = 1.5
_MAX_SHIFT = 0.06
_SHARPEST_PX = 0.3
_MAX_DEFOCUS_PX = 2.0
_MAX_MOTION_PX = 15.0
_TRANSFORM_STEP = (8, 16)
"""Rows and columns of a transform are multiples of these, whose factors are small."""

_MOVING = 0.3
_MOTION_PER_TEXT = 0.2
_DEFOCUS_PER_TEXT = 0.06
_UNBLURRED_TEXT_PX = 6.0
"""So low a character has nothing to lose: one pixel a stroke."""


def view(
    pictures: torch.Tensor,
    size: tuple[int, int],
    scene: Scene,
    chance: Chance,
) -> torch.Tensor:
    """Return (n, h, w), the (n, H, W) pictures as a camera of `size` (h, w) sees them.

    Pitch, yaw and roll of a pinhole camera, shear, then what an imperfect unrolling leaves: an
    arc, a wave, uneven spacing. Above and below, the picture goes on as its reflection.
    """
    height, width = size
    canvas = pictures[:, None]
    finer = [
        min(have, math.ceil(_OVERSAMPLING * want))
        for have, want in zip(canvas.shape[2:], size, strict=True)
    ]
    canvas = functional.interpolate(canvas, tuple(finer), mode="bilinear", antialias=True)
    to_camera = _projection(width / height, scene, chance)
    to_picture = torch.linalg.inv_ex(to_camera).inverse @ _frame(to_camera, scene, chance)
    down = (torch.arange(height, device=pictures.device) * 2 + 1) / height - 1
    across = (torch.arange(width, device=pictures.device) * 2 + 1) / width - 1
    # The three rows of the homography, each as a sum of a row and a column vector.
    x, y, z = (
        to_picture[:, row, 0, None, None] * across
        + to_picture[:, row, 1, None, None] * down[:, None]
        + to_picture[:, row, 2, None, None]
        for row in range(3)
    )
    x, y = x / z, y / z
    x, y = _bent(x, y, scene, chance)
    # At the ends the border goes on: a last character would be read again in its reflection.
    grid = torch.stack([x.clamp(-1, 1), y], dim=-1)
    seen = functional.grid_sample(
        canvas, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return seen[:, 0]


def _projection(aspect: float, scene: Scene, chance: Chance) -> torch.Tensor:
    """Return (n, 3, 3): from -1..1 both ways over the picture to half heights before the camera."""
    n, severity = len(scene.severity), scene.severity
    tilt = math.radians(_MAX_TILT_DEG)
    pitch = tailed(chance, n, 1.5) * tilt * severity
    yaw = tailed(chance, n, 1.5) * tilt * severity
    max_roll = min(math.radians(_MAX_ROLL_DEG), math.atan(_MAX_ROLL_RISE / aspect))
    roll = tailed(chance, n, 1.5) * max_roll * (0.1 + 0.9 * severity)
    shear = tailed(chance, n, 2.5) * 0.35 * severity
    distance = chance.uniform(n, 1.5, 6.0) * max(aspect, 1.0)
    # The picture's axes after a turn about the line of sight, then the horizontal, the vertical.
    cos, sin = torch.cos, torch.sin
    across = (
        cos(yaw) * cos(roll) + sin(yaw) * sin(pitch) * sin(roll),
        cos(pitch) * sin(roll),
        cos(yaw) * sin(pitch) * sin(roll) - sin(yaw) * cos(roll),
    )
    down = (
        sin(yaw) * sin(pitch) * cos(roll) - cos(yaw) * sin(roll),
        cos(pitch) * cos(roll),
        sin(yaw) * sin(roll) + cos(yaw) * sin(pitch) * cos(roll),
    )
    down = tuple(d + shear * a for a, d in zip(across, down, strict=True))
    nothing = torch.zeros_like(yaw)
    return _matrix(
        (distance * aspect * across[0], distance * down[0], nothing),
        (distance * aspect * across[1], distance * down[1], nothing),
        (aspect * across[2], down[2], distance),
    )


def _frame(to_camera: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Return (n, 3, 3): from -1..1 both ways over the crop to half heights before the camera.

    The crop holds the box of what must be seen, a little more or less, and not quite centred.
    """
    n, severity = len(scene.severity), scene.severity[:, None]
    seen = to_camera @ _held(scene.fill)
    seen = seen[:, :2] / seen[:, 2:]
    low, high = seen.amin(2), seen.amax(2)
    loose = chance.uniform(2 * n, -0.02, 0.08).view(n, 2) * severity
    margin = ((1 - scene.fill) / 2).clamp(0.01, _MAX_SHIFT)[:, None] * severity
    shift = chance.uniform(2 * n, -1.0, 1.0).view(n, 2) * margin
    half_width, half_height = ((high - low) / 2 * (1 + loose)).unbind(1)
    x, y = ((high + low) / 2 + shift).unbind(1)
    nothing, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix((half_width, nothing, x), (nothing, half_height, y), (nothing, nothing, one))


def _matrix(*rows: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Return (n, 3, 3) of three rows of (n,)."""
    return torch.stack([value for row in rows for value in row], 1).view(-1, 3, 3)


def _held(fill: torch.Tensor) -> torch.Tensor:
    """Return (n, 3, 8): points of the picture that the crop holds, wherever the camera stands.

    The corners of the text's box and the middles of the picture's sides; to hold the picture's
    corners too would show more of what is beyond it.
    """
    x = fill.new_tensor([-0.97, 0.97, -0.97, 0.97, -1, 1, 0, 0])
    y = fill.new_tensor([-1, -1, 1, 1, 0, 0, 0, 0]) * fill[:, None].clamp(max=0.95)
    y = y + fill.new_tensor([0, 0, 0, 0, 0, 0, -1, 1])
    return torch.stack([x.expand_as(y), y, torch.ones_like(y)], 1)


def _bent(
    x: torch.Tensor, y: torch.Tensor, scene: Scene, chance: Chance
) -> tuple[torch.Tensor, torch.Tensor]:
    n, severity = len(scene.severity), scene.severity
    # A line that fills the crop has no room to bend.
    room = (1.05 - scene.fill).clamp(0.1, 0.6) * severity
    arc = plane(tailed(chance, n, 2.5) * 0.55 * room)
    wave = plane(tailed(chance, n, 2.5) * 0.2 * room)
    phase = plane(chance.uniform(n, -math.pi, math.pi))
    waves = plane(chance.uniform(n, 1.5, 5.0))
    spread = plane(tailed(chance, n, 3.0) * 0.12 * severity)
    square = x * x
    y = y + arc * (square - 0.4) + wave * torch.sin(waves * x + phase)
    return x + spread * (square - 1) * x, y


def blur(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Put (n, h, w) out of focus, or some of them in motion, as far as text stays legible."""
    n, severity = len(pixels), scene.severity
    moves = chance.uniform(n) < _MOVING * severity
    most_defocus = ((scene.text_px - _UNBLURRED_TEXT_PX) * _DEFOCUS_PER_TEXT).clamp(
        0.1, _MAX_DEFOCUS_PX
    )
    defocus = chance.uniform(n) * most_defocus * severity
    sigma = _SHARPEST_PX + torch.where(moves, defocus / 4, defocus)
    most_motion = (scene.text_px * _MOTION_PER_TEXT).clamp(max=_MAX_MOTION_PX)
    length = chance.uniform(n, 0.4, 1.0) * most_motion * severity * moves
    angle = chance.uniform(n, 0.0, math.pi)
    reach = max(_MOTION_PER_TEXT / 2, 2.3 * _DEFOCUS_PER_TEXT) * scene.tallest_px
    return spread(pixels, sigma, length, angle, math.ceil(min(reach, _MAX_MOTION_PX / 2)) + 1)


def spread(
    pixels: torch.Tensor,
    sigma: torch.Tensor,
    length: torch.Tensor,
    angle: torch.Tensor,
    reach: int,
) -> torch.Tensor:
    """Convolve each of (n, h, w) with a segment of `length` px at `angle`, softened by `sigma` px.

    Both have closed forms as spectra, a sinc and a Gaussian, so the product is taken there: one
    cost for any kernel, and nothing is compiled for each new size of picture, as a convolution
    would be. The border goes on for `reach` px at least; a length of 0 gives the Gaussian.
    """
    height, width = pixels.shape[1:]
    tall, wide = (
        math.ceil((side + 2 * reach) / step) * step
        for side, step in zip((height, width), _TRANSFORM_STEP, strict=True)
    )
    below, right = tall - height - reach, wide - width - reach
    padded = functional.pad(pixels, (reach, right, reach, below), mode="replicate")
    down = torch.fft.fftfreq(tall, device=pixels.device)[:, None]
    across = torch.fft.rfftfreq(wide, device=pixels.device)
    along = plane(length * angle.cos()) * across + plane(length * angle.sin()) * down
    square = across.square() + down.square()
    transfer = torch.exp(plane(-2 * (math.pi * sigma) ** 2) * square) * torch.sinc(along)
    spectrum = torch.fft.rfft2(padded) * transfer
    blurred = torch.fft.irfft2(spectrum, (tall, wide))
    return blurred[:, reach : reach + height, reach : reach + width]
