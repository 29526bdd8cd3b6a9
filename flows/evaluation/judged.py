"""A report held against its labels: each labelled code was given out, given out wrong, or not.

A label is cleaned as its field's `map` cleans what is read (strip, case), and then a code must be
the same character for character: what goes to the plant is compared, not what is nearly it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from flows.configuration.recipes import FieldPlan, Recipe
from flows.evaluation.labels import Label
from stages.errors import ConfigError
from stages.map.clean import cleaner
from stages.records import Failure, Mark, Report, Status

Verdict = Literal["right", "wrong", "withheld"]
"""`wrong` is a false read; `withheld` a code that was not given out, for whatever status."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One label of one field and what the recipe said; a label of nothing is right when withheld.

    `read` is what the recipe gave out, or else what it held likeliest. `mark` is None where the
    picture failed; `place` says which label.
    """

    file: str
    place: str
    field: str
    wanted: str
    read: str
    verdict: Verdict
    status: Status
    confidence: float | None
    reason: str
    mark: Mark | None


def field_of(label: Label, recipe: Recipe) -> FieldPlan:
    """The field that a label is for.

    Raises:
        ConfigError: it has no such field, or several and the label does not say which.
    """
    plans = {plan.name: plan for plan in recipe.fields}
    names = ", ".join(plans)
    if label.field is None and len(plans) > 1:
        raise ConfigError(f"{label.place}: the recipe has the fields {names}; add a column `field`")
    name = label.field or recipe.fields[0].name
    if name not in plans:
        raise ConfigError(f"{label.place}: no field is called {name!r}; there are: {names}")
    return plans[name]


def judge(labels: Sequence[Label], outcome: Report | Failure, recipe: Recipe) -> tuple[Judged, ...]:
    """Hold one picture's outcome against its labels, at least one verdict for each.

    Of a field with several labels each code counts once. A code that no label asks for is wrong,
    whether it takes the place of one that is asked for or not.

    Raises:
        ConfigError: a label's field is not the recipe's.
    """
    found: list[Judged] = []
    for plan in recipe.fields:
        own = [label for label in labels if field_of(label, recipe) is plan]
        if own and isinstance(outcome, Failure):
            found.extend(_failed(label, plan, outcome) for label in own)
        elif own and isinstance(outcome, Report):
            found.extend(_field(own, [m for m in outcome.marks if m.field == plan.name], plan))
    return tuple(found)


def _failed(label: Label, plan: FieldPlan, failure: Failure) -> Judged:
    reason = f"in {failure.stage}: {failure.reason}"
    wanted = _wanted(label, plan)
    return Judged(
        label.file, label.place, plan.name, wanted, "", "withheld", "failed", None, reason, None
    )


def _field(labels: Sequence[Label], marks: Sequence[Mark], plan: FieldPlan) -> Iterable[Judged]:
    given = [mark for mark in marks if mark.code is not None]
    rest = sorted(
        (mark for mark in marks if mark.code is None), key=lambda mark: -(mark.confidence or 0.0)
    )
    left = []
    for label in labels:
        wanted = _wanted(label, plan)
        same = next((mark for mark in given if mark.code == wanted), None)
        if same is None:
            left.append((label, wanted))
            continue
        given.remove(same)
        yield _judged(label, wanted, same, "right")
    for label, wanted in left:
        if given:
            yield _judged(label, wanted, given.pop(0), "wrong")
        else:
            # of what was not given out, the mark that meant this label, or else the surest
            mark = next((each for each in rest if each.candidate == wanted), None)
            mark = mark or (rest[0] if rest else _missing(plan))
            if mark in rest:
                rest.remove(mark)
            yield _judged(label, wanted, mark, "withheld" if wanted else "right")
    for mark in given:
        yield _judged(labels[0], "", mark, "wrong")


def _missing(plan: FieldPlan) -> Mark:
    reason = "only the other codes of this picture were found"
    return Mark(plan.name, 1, "unread", reason=reason)


def _wanted(label: Label, plan: FieldPlan) -> str:
    return "".join(map(cleaner(plan.map.strip, plan.map.case), label.text))


def _judged(label: Label, wanted: str, mark: Mark, verdict: Verdict) -> Judged:
    return Judged(
        file=label.file,
        place=label.place,
        field=mark.field,
        wanted=wanted,
        read=mark.code or mark.candidate or "",
        verdict=verdict,
        status=mark.status,
        confidence=mark.confidence,
        reason=mark.reason or "",
        mark=mark,
    )
