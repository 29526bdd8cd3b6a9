"""Figures as pictures: `docs/bench/<part>.svg`, by matplotlib (the extra `evaluate`).

A panel for each quantity: lines where figures lie along an axis, with the middle half as a band and
p99 dotted where there are enough samples, else bars with the middle half as a whisker. The ground
is transparent and the ink a grey that reads on white as on black.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flows.bench.figure import Figure
from flows.bench.parts import PARTS
from flows.bench.table import number
from stages.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK = "#7d8590"
_COLOURS = ("#3b82c4", "#d9822b", "#3f9e6e", "#b566a8", "#c9504b", "#8a8f3a", "#5fa8b0", "#9a7b5b")
_FEWEST_FOR_P99 = 100
_WIDE = 10.0
_STYLE = {
    "svg.hashsalt": "markwatch",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def draw(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Write a picture for each part of a run; returns what was written.

    Raises:
        ConfigError: matplotlib is not installed, or the folder cannot be written.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure as Drawing
    except ImportError as error:
        raise ConfigError("matplotlib is needed to draw; `pip install matplotlib`") from error
    written = []
    with matplotlib.rc_context(_STYLE):
        for part in dict.fromkeys(each.part for each in figures):
            panels = _panels([each for each in figures if each.part == part])
            columns = 2 if sum(bool(panel[0].axis) for panel in panels) > 2 else 1
            colours = _colours(panels)
            rows = _rows(panels, columns)
            heights = [max(map(_height, row)) for row in rows]
            drawing = Drawing(figsize=(_WIDE, sum(heights) + 0.6), layout="constrained")
            drawing.patch.set_alpha(0)
            drawing.suptitle(f"{part}: {PARTS.get(part, '')}".rstrip(": "), fontsize=12)
            grid = drawing.add_gridspec(len(rows), columns, height_ratios=heights)
            for at, row in enumerate(rows):
                for column, panel in enumerate(row):
                    cell = grid[at, column] if len(row) == columns else grid[at, :]
                    place = drawing.add_subplot(cell)
                    place.patch.set_alpha(0)
                    if panel[0].axis:
                        _lines(place, panel, colours)
                    else:
                        _bars(place, panel)
            path = folder / f"{part}.svg"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                drawing.savefig(path, metadata={"Date": None})
            except OSError as error:
                raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
            written.append(path)
    return written


def _panels(figures: Sequence[Figure]) -> list[list[Figure]]:
    """Figures that share an axis and a unit; a limit without an axis goes to its unit's lines."""
    names = {each.series for each in figures}
    peers = {(each.peer, each.unit): each.axis for each in figures if each.axis and each.peer}
    panels: dict[tuple[str | None, str], list[Figure]] = {}
    for each in sorted(figures, key=lambda each: each.axis is None):
        whole, _, step = each.series.partition(": ")
        # The steps of what is drawn itself would be too many lines.
        if not (each.axis and step and whole in names):
            axis = each.axis or peers.get((each.series, each.unit))
            panels.setdefault((axis, each.unit), []).append(each)
    return list(panels.values())


def _rows(panels: list[list[Figure]], columns: int) -> list[list[list[Figure]]]:
    """Lines side by side; bars, whose names want room, each in a row of its own."""
    rows: list[list[list[Figure]]] = []
    for panel in sorted(panels, key=lambda panel: panel[0].axis is None):
        fits = rows and len(rows[-1]) < columns and rows[-1][0][0].axis == panel[0].axis
        if panel[0].axis and fits:
            rows[-1].append(panel)
        else:
            rows.append([panel])
    return rows


def _height(panel: Sequence[Figure]) -> float:
    if not panel[0].axis:
        return 0.7 + 0.3 * len(panel)
    names = len({each.series for each in panel})
    return 3.0 + (0.1 * names if names > 1 else 0)


def _colours(panels: Sequence[Sequence[Figure]]) -> dict[str, str]:
    """A series has one colour in all panels with lines, and its limit the same one."""
    names = [each.series for panel in panels if panel[0].axis for each in panel]
    turns = {name: turn for turn, name in enumerate(dict.fromkeys(map(_own_name, names)))}
    return {name: _COLOURS[turns[_own_name(name)] % len(_COLOURS)] for name in names}


def _own_name(series: str) -> str:
    return series.removeprefix("limit: ")


def _lines(place: Axes, panel: Sequence[Figure], colours: dict[str, str]) -> None:
    along = [each for each in panel if each.at is not None]
    shown = [value for each in panel for value in each.quartiles]
    for series in dict.fromkeys(each.series for each in panel):
        colour = colours[series]
        mine = sorted((e for e in along if e.series == series), key=lambda each: each.at or 0)
        if not mine:
            (level,) = [each.median for each in panel if each.series == series]
            place.axhline(level, color=colour, linestyle="--", label=series)
            continue
        at = [each.at for each in mine]
        is_limit = series.startswith("limit")
        style = "--" if is_limit else "-"
        place.plot(
            at, [each.median for each in mine], style, marker=".", color=colour, label=series
        )
        low, high = zip(*(each.quartiles for each in mine), strict=True)
        place.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
        if all(len(each.samples) >= _FEWEST_FOR_P99 for each in mine):
            worst = [float(np.percentile(each.samples, 99)) for each in mine]
            shown += worst
            place.plot(at, worst, ":", color=colour, label=f"{series}, p99")
    places = sorted({each.at for each in along if each.at is not None})
    if len(places) > 2 and places[0] > 0 and places[-1] / places[0] >= 20:
        place.set_xscale("log")
    place.set_xticks(places, [f"{each:,g}" for each in places], minor=False)
    place.minorticks_off()
    _scale(place, shown, "y")
    place.set_xlabel(panel[0].axis or along[0].axis)
    place.set_ylabel(panel[0].unit)
    names = list(dict.fromkeys(each.series for each in panel))
    if len(names) == 1:
        place.set_title(names[0], fontsize=10)
    else:
        place.legend(fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.2), ncols=2)
    place.grid(color=_INK, alpha=0.2)


def _bars(place: Axes, panel: Sequence[Figure]) -> None:
    for row, each in enumerate(panel):
        low, high = each.quartiles
        colour = _COLOURS[1] if each.peer else _COLOURS[0]
        place.barh(row, each.median, color=colour, alpha=0.8, height=0.6)
        place.plot([low, high], [row, row], color=_INK, linewidth=1.5)
        place.annotate(
            f" {number(each.median)}",
            (max(each.median, high), row),
            va="center",
            fontsize=8,
            color=_INK,
        )
    place.set_yticks(range(len(panel)), [each.series for each in panel])
    place.invert_yaxis()
    place.margins(x=0.12)
    place.set_xlabel(panel[0].unit)
    place.grid(axis="x", color=_INK, alpha=0.2)


def _scale(place: Axes, values: Sequence[float], axis: str) -> None:
    """A logarithmic scale for what spans more than two decades, else one that begins at nothing."""
    least, most = min(values), max(values)
    if least > 0 and math.log10(most / least) > 2:
        place.set(**{f"{axis}scale": "log"})
    elif least >= 0:
        place.set(**{f"{axis}lim": (0, 1.08 * most or 1)})
