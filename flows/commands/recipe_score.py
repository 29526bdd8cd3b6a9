"""The `recipe test` command: labelled pictures in, a score and a sheet of the failures out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from flows import graph, telemetry
from flows.commands import reading
from flows.configuration import settings
from flows.configuration.recipes import Recipe
from flows.configuration.settings import Layout
from flows.engines import ENGINES
from flows.evaluation.complaints import Complaints
from flows.evaluation.intervals import clopper_pearson
from flows.evaluation.judged import Judged, field_of, judge
from flows.evaluation.labels import Label, read_sets
from flows.evaluation.report import confusion_in_words
from flows.evaluation.scores import confusions
from flows.sheets import saving, seeing
from flows.sheets.failures import Failing, failures
from stages.decode import DecodeOptions
from stages.errors import ImageError
from stages.records import Failure

_MOST_DRAWN = 30
_MOST_LISTED = 20
_MOST_CONFUSIONS = 12
_STATUSES = ("unsure", "mismatch", "unread", "failed")
_LEAST_WIDTH = 110


def score_recipe(root: Path, recipe: str, labels: Path, output: Path | None) -> int:
    """Print the score and write the sheet; 0, or ImageError's status when a row of the CSV is bad.

    A picture that fails, or whose code is not given out, is a result and no error.

    Raises:
        MarkwatchError: the label file or the recipe is wrong, or the sheet cannot be written.
    """
    site = settings.load(root)
    telemetry.configure(settings.LogOptions(level="error"))
    plan = reading.recipe_of(Layout(root), recipe, site)
    sheet = output or Path(f"{plan.name}-failures.png")
    saving.require(sheet)
    [labelled] = read_sets([labels])
    for label in labelled.labels:
        field_of(label, plan)
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    complain = Complaints(lambda words: errors.print(f"markwatch: {words}"))
    for words in labelled.complaints:
        complain(words)
    complain.close()
    try:
        judged = _judged(labelled.labels, plan, site.decode, errors)
        failing = sorted((each for each in judged if each.verdict != "right"), key=_badness)
        drawn = _failing(failing[:_MOST_DRAWN], labelled.labels, plan, site.decode)
    finally:
        ENGINES.close()
    console = Console(markup=False, highlight=False)
    console.width = max(console.width, _LEAST_WIDTH)
    _show(judged, failing, plan, labels, console)
    replaced = sheet.exists()
    score = " | ".join(_sentences(judged))
    saving.save(
        failures(f"{plan.version} on {labels.name}", score, drawn, len(failing) - len(drawn)), sheet
    )
    many = "1 failure" if len(drawn) == 1 else f"{len(drawn)} failures"
    errors.print(f"{sheet} {'written anew' if replaced else 'written'}: {many}")
    return ImageError.exit_code if complain.count else 0


def _by_picture(labels: Sequence[Label]) -> dict[Path, list[Label]]:
    pictures: dict[Path, list[Label]] = {}
    for label in labels:
        pictures.setdefault(label.path, []).append(label)
    return pictures


def _judged(
    labels: Sequence[Label], plan: Recipe, options: DecodeOptions, errors: Console
) -> list[Judged]:
    found: list[Judged] = []
    pictures = _by_picture(labels)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        for path, own in progress.track(pictures.items(), description="reading"):
            image = reading.image_of(path)
            outcome = (
                image if isinstance(image, Failure) else graph.run_here([image], plan, options)[0]
            )
            found.extend(judge(own, outcome, plan))
    return found


def _badness(judged: Judged) -> tuple[bool, int, float]:
    """False reads first, the surest of them foremost; then by status."""
    order = ("read", "mismatch", "unsure", "unread", "failed").index(judged.status)
    return judged.verdict != "wrong", order, -(judged.confidence or 0.0)


def _failing(
    judged: Sequence[Judged], labels: Sequence[Label], plan: Recipe, options: DecodeOptions
) -> list[Failing]:
    """Look again at the pictures that are drawn: all of them at once would fill the memory."""
    places = {label.place: label.path for label in labels}
    found = []
    for each in judged:
        image = reading.image_of(places[each.place])
        seen = None if isinstance(image, Failure) else seeing.see(image, plan, options)
        found.append(_drawable(each, seen))
    return found


def _drawable(judged: Judged, seen: seeing.Seen | None) -> Failing:
    if seen is None or not seen.pages:
        return Failing(judged, None, None)
    for page in seen.pages:
        for decided in page.decided:
            if decided.mark == judged.mark:
                return Failing(judged, page, decided)
    return Failing(judged, seen.pages[0], None)


def _show(
    judged: Sequence[Judged],
    failing: Sequence[Judged],
    plan: Recipe,
    labels: Path,
    console: Console,
) -> None:
    pictures = len({each.place.rpartition(":")[0] + each.file for each in judged})
    console.print(f"recipe {plan.version} on {pictures} pictures of {labels}")
    console.print()
    fields = list(dict.fromkeys(each.field for each in judged))
    for field in fields:
        if len(fields) > 1:
            console.print(f"field {field}")
        console.print(_scores([each for each in judged if each.field == field]), "")
    if wrong := [each for each in failing if each.verdict == "wrong"]:
        table = Table("false reads", "expected", "read", "confidence", box=None, pad_edge=False)
        for each in wrong[:_MOST_LISTED]:
            trust = "" if each.confidence is None else f"{each.confidence:.3f}"
            cells = (each.file, each.wanted or "(nothing)", each.read, trust)
            table.add_row(*map(Text, cells))
        console.print(table)
        if len(wrong) > _MOST_LISTED:
            console.print(f"and {len(wrong) - _MOST_LISTED} more")
        console.print()
    pairs = [(each.wanted, each.read) for each in failing if each.wanted and each.read]
    if found := confusions(pairs)[:_MOST_CONFUSIONS]:
        told = "  ".join(map(confusion_in_words, found))
        console.print(f"most frequent confusions (truth>read): {told}")


def _scores(judged: Sequence[Judged]) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in ("", "codes", "share", "95 % interval"):
        table.add_column(head, justify="right" if head else "left")
    table.add_column("")

    def add(name: str, count: int, words: str = "", of: int = len(judged)) -> None:
        low, high = clopper_pearson(count, of)
        share = f"{100 * count / of:.1f} %" if of else "-"
        table.add_row(name, str(count), share, f"{100 * low:.1f}-{100 * high:.1f} %", words)

    counts = {kind: sum(each.verdict == kind for each in judged) for kind in _KINDS}
    given = sum(each.status == "read" for each in judged)
    add("right", counts["right"])
    add("wrong", counts["wrong"], "false reads: given out, and not what the label says")
    add("not given out", counts["withheld"])
    for status in _STATUSES:
        count = sum(each.verdict == "withheld" and each.status == status for each in judged)
        if count:
            add(f"  {status}", count)
    if given:
        add("wrong of those given out", counts["wrong"], of=given)
    return table


_KINDS = ("right", "wrong", "withheld")


def _sentences(judged: Sequence[Judged]) -> list[str]:
    """The score of all fields for the head of the sheet."""
    counts = {kind: sum(each.verdict == kind for each in judged) for kind in _KINDS}
    right = f"{counts['right']} of {len(judged)} codes right"
    false = f"{counts['wrong']} false read{'' if counts['wrong'] == 1 else 's'}"
    return [right, false, f"{counts['withheld']} not given out"]
