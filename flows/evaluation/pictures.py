"""Draws the risk-coverage and the reliability curve, with matplotlib (the extra `evaluate`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.evaluation.calibration import Reliability
from flows.evaluation.report import Result
from flows.evaluation.risk import TARGETS, Curve
from stages.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL_INCHES = (5.0, 4.0)
_LEAST_RISK = 3e-4
"""Where the logarithmic axis of risks begins; a risk of 0 is drawn there."""


def require(path: Path) -> None:
    """Find out before the work whether this picture can be drawn.

    Raises:
        ConfigError: matplotlib is not installed, or the file's name or folder is wrong.
    """
    known = _figure(1, 1).canvas.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in known:
        raise ConfigError(f"{path} is no kind of picture that can be drawn; name it like risk.png")
    if not path.parent.is_dir():
        raise ConfigError(f"no such folder: {path.parent}; make it, or choose another file")


def draw_results(results: Sequence[Result], path: Path) -> None:
    """A row of panels for each set: risk and coverage, and reliability, a line a recogniser.

    Raises:
        ConfigError: matplotlib is not installed, or the file cannot be written.
    """
    names = list(dict.fromkeys(each.set_name for each in results))
    figure = _figure(len(names), 2)
    for row, name in enumerate(names):
        own = [each for each in results if each.set_name == name]
        left, right = figure.axes[2 * row : 2 * row + 2]
        _risk_coverage(left, {each.contender: each.curve for each in own})
        _reliability(right, {each.contender: each.reliability for each in own})
        left.set_title(name)
        right.set_title(name)
    _save(figure, path)


def draw_reliability(reliabilities: Mapping[str, Reliability], path: Path) -> None:
    """The reliability curve alone, a line for each name.

    Raises:
        ConfigError: matplotlib is not installed, or the file cannot be written.
    """
    figure = _figure(1, 1)
    _reliability(figure.axes[0], reliabilities)
    _save(figure, path)


def _figure(rows: int, columns: int) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("matplotlib is needed to draw; `pip install matplotlib`") from error
    width, height = _PANEL_INCHES
    # a figure without pyplot: no window system, no state of the process
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    figure.subplots(rows, columns)
    return figure


def _save(figure: Figure, path: Path) -> None:
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}; choose another file"
        ) from error


def _risk_coverage(axes: Axes, curves: Mapping[str, Curve]) -> None:
    for name, curve in curves.items():
        risk = curve.risk.clip(_LEAST_RISK)
        axes.step(curve.coverage, risk, where="post", label=name)
    for target in TARGETS:
        axes.axhline(target, color="grey", linewidth=0.6, linestyle=":")
    axes.set(xlim=(0, 1), yscale="log", ylim=(_LEAST_RISK, 1))
    axes.set(xlabel="coverage (share of pictures given out)", ylabel="false reads among those")
    axes.legend()


def _reliability(axes: Axes, reliabilities: Mapping[str, Reliability]) -> None:
    axes.plot((0, 1), (0, 1), color="grey", linewidth=0.6, linestyle=":")
    for name, reliability in reliabilities.items():
        chances = [each.probability for each in reliability.bins]
        shares = [each.share for each in reliability.bins]
        below = [each.share - each.interval[0] for each in reliability.bins]
        above = [each.interval[1] - each.share for each in reliability.bins]
        axes.errorbar(chances, shares, (below, above), marker="o", markersize=3, label=name)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="share that is right")
    axes.legend()
