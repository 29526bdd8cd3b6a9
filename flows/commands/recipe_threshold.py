"""The `recipe fit-threshold` command: labelled pictures in, each field's threshold out.

What is printed keeps two things apart: the false reads that these pictures showed, and the rate
that they prove. Few pictures show none and prove little.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from flows import graph, telemetry
from flows.commands import reading
from flows.configuration import settings
from flows.configuration.recipes import DEFAULT, FieldPlan, Recipe
from flows.configuration.settings import Layout
from flows.configuration.yamledit import with_number
from flows.configuration.yamlfile import read_layer
from flows.engines import ENGINES
from flows.evaluation.complaints import Complaints
from flows.evaluation.labels import Label, read_sets
from flows.evaluation.thresholds import (
    Choice,
    Ladder,
    at,
    choose,
    curve_of,
    given_needed,
    ladder,
)
from flows.parcel import Parcel
from stages.decode import DecodeOptions
from stages.errors import ConfigError, ImageError
from stages.map.clean import cleaner
from stages.records import Failure, Mark, Report


@dataclass(frozen=True, slots=True)
class Fitted:
    """A field's present threshold and the one chosen, None where there is none."""

    field: str
    present: Choice
    chosen: Choice | None


def fit(root: Path, recipe: str, labels: Path, *, false_reads: str, write: bool) -> int:
    """Choose the thresholds, print what they give and what is proven, and write them if asked.

    Returns 0, or ImageError's status when a row or its picture is bad.

    Raises:
        MarkwatchError: the share, the recipe or the labels are wrong, an engine failed, or no
            threshold keeps the false reads down.
    """
    wish = share_of(false_reads)
    site, layout = settings.load(root), Layout(root)
    telemetry.configure(settings.LogOptions(level="error"))
    plan = reading.recipe_of(layout, recipe, site)
    target = _file_of(layout, recipe)
    if write:
        _require_fields(target, layout)
    [labelled] = read_sets([labels])
    truths = _truths(labelled.labels, plan)
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    complain = Complaints(lambda words: errors.print(f"markwatch: {words}"))
    for words in labelled.complaints:
        complain(words)
    try:
        ladders, counts = _ladders(truths, plan, site.decode, errors, complain)
    finally:
        ENGINES.close()
        complain.close()
    fitted = [
        _fitted(each, ladders[each.name], counts[each.name], wish)
        for each in plan.fields
        if counts[each.name]
    ]
    if not fitted:
        raise ConfigError("no picture could be read; see the lines above")
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"{plan.version}, at most {_percent(wish)} false reads wished")
    for each in fitted:
        for line in _told(each, wish):
            console.print(line)
    for unlabelled in (each.name for each in plan.fields if not counts[each.name]):
        console.print(f"{unlabelled}: no labels, threshold as it is")
    if hopeless := [each.field for each in fitted if each.chosen is None]:
        raise ConfigError(
            f"no threshold of {', '.join(hopeless)} keeps the false reads at {_percent(wish)}; "
            "nothing was written: give the field a format or check digits, or look at the pictures "
            f"with `markwatch recipe test {recipe} {labels}`"
        )
    if write:
        _write(target, plan, fitted, layout, console)
    else:
        console.print(f"add `--write` to set it in {target}")
    return ImageError.exit_code if complain.count else 0


def share_of(text: str) -> float:
    """The share that `0.1%`, `0,1 %` or `0.001` means.

    Raises:
        ConfigError: it is no share between 0 and 1.
    """
    number, percent, rest = text.strip().replace(",", ".").partition("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = float("nan")
    if rest or not 0 < share < 1:
        remedy = "write a share of the codes that are given out, such as 0.1% or 0.001"
        raise ConfigError(f"--false-reads {text}: {remedy}")
    return share


def _truths(
    labels: Sequence[Label], plan: Recipe
) -> dict[Path, tuple[Label, dict[str, frozenset[str]]]]:
    """By picture its first label, and by field the codes to be read, as the field cleans them."""
    cleaners = {each.name: cleaner(each.map.strip, each.map.case) for each in plan.fields}
    names = ", ".join(cleaners)
    found: dict[Path, tuple[Label, dict[str, frozenset[str]]]] = {}
    for label in labels:
        if label.field is None and len(cleaners) > 1:
            raise ConfigError(
                f"{label.place}: the recipe has the fields {names}; add a column `field`"
            )
        field = label.field or plan.fields[0].name
        if field not in cleaners:
            raise ConfigError(f"{label.place}: no field is called {field!r}; there are: {names}")
        code = "".join(map(cleaners[field], label.text))
        _, own = found.setdefault(label.path, (label, {}))
        own[field] = own.get(field, frozenset()) | ({code} if code else frozenset())
    return found


def _ladders(
    truths: dict[Path, tuple[Label, dict[str, frozenset[str]]]],
    plan: Recipe,
    options: DecodeOptions,
    errors: Console,
    complain: Callable[[str], None],
) -> tuple[dict[str, list[Ladder]], dict[str, int]]:
    """By field the ladder of each picture, and how many labels could be used."""
    ladders: dict[str, list[Ladder]] = {each.name: [] for each in plan.fields}
    counts = dict.fromkeys(ladders, 0)
    bar = Progress(console=errors, transient=True) if errors.is_terminal else nullcontext()
    with bar as progress:
        task = None if progress is None else progress.add_task("reading", total=len(truths))
        for path, (label, fields) in truths.items():
            image = reading.image_of(path)
            parcels = [] if isinstance(image, Failure) else graph.read_here([image], plan, options)
            failure = image if isinstance(image, Failure) else _failure(parcels)
            if failure is not None:
                complain(f"{label.place}: {label.file}: {failure.reason}")
            for each in plan.fields if failure is None else ():
                if each.name in fields:
                    own = _ladder(parcels, plan, each, fields[each.name])
                    ladders[each.name].append(own)
                    counts[each.name] += max(1, len(fields[each.name]))
            if progress is not None and task is not None:
                progress.advance(task)
    return ladders, counts


def _failure(parcels: Sequence[Parcel]) -> Failure | None:
    return parcels[0].content if parcels[0].failed else None


def _ladder(
    parcels: Sequence[Parcel], plan: Recipe, field: FieldPlan, truths: frozenset[str]
) -> Ladder:
    def marks(**changes: object) -> tuple[Mark, ...]:
        changed = tuple(
            replace(each, **changes) if each.name == field.name else each for each in plan.fields
        )
        [outcome] = graph.map_here(parcels, replace(plan, fields=changed))
        own = outcome.marks if isinstance(outcome, Report) else ()
        return tuple(mark for mark in own if mark.field == field.name)

    shown = (*marks(threshold=0.0, take="all"), *marks(threshold=0.0))
    confidences = [mark.confidence for mark in shown if mark.confidence is not None]
    return ladder(lambda threshold: marks(threshold=threshold), confidences, truths)


def _fitted(field: FieldPlan, ladders: Sequence[Ladder], labels: int, wish: float) -> Fitted:
    curve = curve_of(ladders, labels)
    present = at(curve, field.threshold, wish)
    return Fitted(field.name, present, choose(curve, wish, field.threshold))


def _told(fitted: Fitted, wish: float) -> list[str]:
    """What a person needs to know of a field's threshold."""
    now, chosen = fitted.present, fitted.chosen
    lines = [f"{fitted.field}: {now.labels} labelled codes", f"  now   {_point(now)}"]
    if chosen is None:
        return [*lines, "  none keeps the wish: even the surest codes are wrong too often"]
    stays = chosen.threshold == now.threshold
    lines.append("  fit   the threshold stays" if stays else f"  fit   {_point(chosen)}")
    if chosen.is_proven:
        lines.append(
            f"  Proven on these pictures: at most {_percent(chosen.bound)} false reads (95 %). It "
            "was chosen on them too, so test it on others."
        )
        return lines
    needed = given_needed(wish)
    pictures = needed if not chosen.given else round(needed / chosen.coverage)
    lines.append(
        f"  NOT PROVEN: so few labels prove at most {_percent(chosen.bound)}. {_percent(wish)} "
        f"needs {needed:,} codes given out without a false one, about {pictures:,} labelled "
        "pictures. Until then the threshold is never set lower than it is."
    )
    return lines


def _point(choice: Choice) -> str:
    low, high = choice.coverage_interval
    return (
        f"threshold {choice.threshold:.16g}: gives out {choice.given} of {choice.labels}, coverage "
        f"{_percent(choice.coverage)} [{100 * low:.1f}-{100 * high:.1f}]; {choice.wrong} wrong, at "
        f"most {_percent(choice.bound)} false reads proven"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.1f} %"


def _file_of(layout: Layout, recipe: str) -> Path:
    path = Path(recipe)
    return path if path.suffix in (".yaml", ".yml") else layout.recipes / f"{recipe}.yaml"


def _require_fields(target: Path, layout: Layout) -> None:
    """Find out before the work whether the file has the fields whose thresholds are set."""
    if not target.is_file() or not read_layer(target, layout.label(target)).values.get("fields"):
        raise ConfigError(
            f"{target} has no `fields`, so there is no place for a threshold; write its fields "
            f"there (those of {DEFAULT}.yaml hold now)"
        )


def _write(
    target: Path, plan: Recipe, fitted: Sequence[Fitted], layout: Layout, console: Console
) -> None:
    """Set the thresholds in the file, whole or not at all: a running `watch` may be looking."""
    names = [each.name for each in plan.fields]
    text = target.read_bytes().decode("utf-8")
    before = text
    for each in fitted:
        if each.chosen is not None and each.chosen.threshold != each.present.threshold:
            at_field = ("fields", names.index(each.field), "threshold")
            try:
                text = with_number(text, at_field, each.chosen.threshold)
            except ConfigError as error:
                raise ConfigError(f"{layout.label(target)}: {error} yourself") from error
    if text == before:
        console.print(f"{target} has this already")
        return
    aside = target.with_name(f".{target.name}.new")
    try:
        aside.write_bytes(text.encode("utf-8"))
        os.replace(aside, target)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise ConfigError(
            f"{target} cannot be written: {error.strerror}; set the threshold yourself"
        ) from error
    console.print(f"wrote {target}")
