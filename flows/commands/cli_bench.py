"""The `bench` command: parts of the benchmark, their sizes, and where the figures go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from stages.errors import ConfigError

_RECOGNITION = ("checkpoint", "threads", "limit")
_SIZES = ("pictures", "drops", "rounds", "files", "cameras", "rows", "days", "workers", "loads")
"""Flags that change a part's `Sizes`, where they have the same names."""


def bench(
    context: typer.Context,
    parts: Annotated[
        list[str] | None,
        typer.Argument(
            help="limit, original, pipeline, latency, startup, growth, ledger, parquet, cluster, "
            "or all",
            show_default="pipeline latency",
        ),
    ] = None,
    size: Annotated[
        Literal["quick", "usual", "full"],
        typer.Option(help="how much: quick only tries the commands, full takes hours"),
    ] = "usual",
    pictures: Annotated[
        int | None, typer.Option(min=1, help="pipeline: small pictures that wait; cluster: a round")
    ] = None,
    drops: Annotated[
        int | None, typer.Option(min=2, help="latency: pictures dropped one at a time")
    ] = None,
    loads: Annotated[
        list[int] | None,
        typer.Option("--load", min=1, max=95, help="latency: % of capacity; may be repeated"),
    ] = None,
    files: Annotated[
        list[int] | None, typer.Option(min=1, help="growth: files waiting; may be repeated")
    ] = None,
    cameras: Annotated[
        list[int] | None, typer.Option(min=1, help="growth: cameras; may be repeated")
    ] = None,
    rows: Annotated[
        list[int] | None, typer.Option(min=1, help="ledger: rows in it; may be repeated")
    ] = None,
    days: Annotated[int | None, typer.Option(min=2, help="parquet: days in the tree")] = None,
    workers: Annotated[
        list[int] | None, typer.Option(min=2, help="cluster: workers that wait; may be repeated")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="how often each contender has its turn")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="JSON file to keep the figures in; other parts in it stay")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(help="folder to draw the figures into, as <part>.svg")
    ] = None,
    show: Annotated[
        Path | None, typer.Option(help="show (and draw) a saved run instead of measuring")
    ] = None,
    recognition: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="LABELS.csv",
            help="measure `trocr` beside `generate` and its peers on these crops instead; "
            "may be repeated",
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="recognition: folder or id of a checkpoint", show_default="trocr's own"),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="recognition: threads that work on one call")
    ] = 1,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="recognition: only the first so many crops of each CSV"),
    ] = None,
) -> None:
    """Measure markwatch, each figure beside a peer or a limit that is measured in the same run.

    Example: markwatch bench original latency --save run.json --plots docs/bench
    """
    measuring = ("parts", "size", "save", *_SIZES)
    if recognition:
        others = (*measuring, "plots", "show")
        _refuse(context, others, "only without `--recognition`; leave out either")
        from flows.bench import recognition as recognition_bench

        recognition_bench.bench(recognition, checkpoint=checkpoint, threads=threads, limit=limit)
        return
    wanted = "only with `--recognition`; add `--recognition LABELS.csv`"
    _refuse(context, _RECOGNITION, wanted)
    from flows.commands import benching

    if show is not None:
        _refuse(context, measuring, "only without `--show`; leave out either")
        benching.show(show, plots)
        return
    changes: dict[str, Any] = {}
    for name in _SIZES:
        if _is_given(context, name):
            value = context.params[name]
            changes[name] = value if isinstance(value, int) else tuple(value)
    benching.measure(parts or [], size, changes, save=save, plots=plots)


def _refuse(context: typer.Context, names: Sequence[str], words: str) -> None:
    """Refuse options that were given and would count for nothing."""
    shown = {"parts": "PARTS", "loads": "--load"}
    if given := [f"`{shown.get(name, f'--{name}')}`" for name in names if _is_given(context, name)]:
        raise ConfigError(f"{' and '.join(given)}: {words}")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"
